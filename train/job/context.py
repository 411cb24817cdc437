"""What every stage of a training job needs beside its own input."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from container.paths import Paths
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.job.rendezvous import Hosts


@dataclass(frozen=True)
class JobContext:
    """One training job as one of its hosts sees it.

    hosts: all hosts of the job, connected; `hosts.cluster` says which one this is.
    progress: where the job says what it does: sentences, metrics, the bar.
    stop: set when the job was told to end early; each stage then ends cleanly as soon as it can.
    scratch: a folder for this run's own files, gone when the job ends.
    """

    hyperparameters: Hyperparameters
    paths: Paths
    hosts: Hosts
    progress: Progress
    stop: threading.Event
    scratch: Path

    @property
    def is_chief(self) -> bool:
        """Whether this host writes checkpoints and the model."""
        return self.hosts.cluster.is_chief
