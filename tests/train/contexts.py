"""A job as the stages get it, without a process of its own."""

from __future__ import annotations

import threading
from pathlib import Path

from container.paths import Paths
from train.job.cluster import SINGLE_HOST
from train.job.context import JobContext
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.job.rendezvous import Hosts, SingleHost


class KeptProgress(Progress):
    """Keeps the sentences of a job in the place of printing them."""

    def __init__(self, hp: Hyperparameters) -> None:
        super().__init__(hp)
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def make_context(
    hp: Hyperparameters, paths: Paths, scratch: Path, *, hosts: Hosts | None = None, progress: Progress | None = None
) -> JobContext:
    """A job that nobody stops, on one host unless `hosts` are given; `progress` keeps what it says."""
    hosts, progress = hosts or SingleHost(SINGLE_HOST), progress or KeptProgress(hp)
    return JobContext(hp, paths, hosts, progress, threading.Event(), scratch)


def make_job(hp: Hyperparameters, folder: Path, *, stop: bool = False) -> JobContext:
    """A job that prints what it says, with `folder/ml` in the place of `/opt/ml`. stop: it was told to end."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    job = make_context(hp, Paths(folder / "ml"), scratch, progress=Progress(hp))
    if stop:
        job.stop.set()
    return job
