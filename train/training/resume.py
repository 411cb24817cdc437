"""Where a run begins: at a checkpoint, at an earlier model, or from nothing; decided by the chief for all hosts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from container.paths import Paths
from train.job.channels import read_channels
from train.job.hyperparameters import Hyperparameters
from train.job.rendezvous import Hosts
from train.training.checkpoints import (
    Checkpoint,
    checkpoint_folder,
    newest_checkpoint,
    parse_checkpoint,
    remove_checkpoints,
)
from train.training.initial_model import Initial, read_initial

TOKENIZER = "tokenizer.model"


@contextmanager
def open_start(
    hp: Hyperparameters, paths: Paths, hosts: Hosts
) -> Iterator[tuple[Checkpoint | Initial | None, Path, Path]]:
    """(where to begin, the tokenizer's path, the folder for checkpoints).

    The tokenizer stands at its path already when it is to be used again. Hosts other than the chief keep it,
    and anything unpacked, in a folder that is gone afterwards: only the chief writes to the checkpoint folder.
    """
    folder = checkpoint_folder(paths)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = (folder if hosts.cluster.is_chief else Path(scratch)) / TOKENIZER
        start: Checkpoint | Initial | None = _checkpoint(hp, folder, hosts)
        channels = read_channels(paths)
        if start is None:
            tokenizer.unlink(missing_ok=True)  # one without a checkpoint may be of another corpus
        if start is None and "model" in channels:
            start = read_initial(channels["model"], hp, Path(scratch))
            tokenizer.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(start.tokenizer, tokenizer)
        yield start, tokenizer, folder


def _checkpoint(hp: Hyperparameters, folder: Path, hosts: Hosts) -> Checkpoint | None:
    """The chief's newest checkpoint. Hosts may have synced different ones: all must begin with the same."""
    newest = None
    if hosts.cluster.is_chief:
        if not hp.resume:
            removed = remove_checkpoints(folder)
            print(f"train: resume=false, so the job starts afresh; {removed} old checkpoints were removed", flush=True)
        newest = newest_checkpoint(folder)
        if len(hosts.cluster.hosts) == 1:
            return newest
    content = hosts.broadcast(newest.path.read_bytes() if newest else b"")
    return parse_checkpoint(newest.path if newest else folder / "checkpoint of the chief", content) if content else None
