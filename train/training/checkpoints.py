"""Checkpoints: each is whole or absent, has a checksum, and is read without pickle.

A checkpoint is one file, `checkpoint-<step>.safetensors`, in `/opt/ml/checkpoints`. SageMaker copies that folder to S3
while the job runs and restores it before a restarted job. The file's header says which run it belongs to.
SageMaker's uploader puts markers (`.sagemaker-uploading`, `.sagemaker-uploaded`) beside the files: these are never
read, and a file that is being uploaded is not deleted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from container.artifact import write_atomically
from container.errors import ChannelError
from container.paths import Paths
from train.corpus.batches import Cursor
from train.job.log import LOG

KEEP = 2  # the newest, and the one before it in case the newest is damaged
PATTERN = "checkpoint-*.safetensors"

Tensors = dict[str, np.ndarray]  # `group/name` -> array


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and found whole."""

    path: Path
    cursor: Cursor
    run: dict[str, Any]
    history: list[dict[str, float]]
    tensors: Tensors


class CheckpointManager:
    """The checkpoints in one folder: writes them, prunes old ones, finds the newest.

    run: what identifies the run that writes (see `train.training.resume`). seconds: the time between two checkpoints
    after which `is_due` says yes; 0 is never.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any] | None = None, seconds: float = 0.0) -> None:
        self._folder, self._run, self._seconds = folder, dict(run or {}), seconds
        self._saved_at = time.monotonic()
        self._saved_step = 0

    def is_due(self) -> bool:
        return self._seconds > 0 and time.monotonic() - self._saved_at >= self._seconds

    def save(self, tensors: Callable[[], Tensors], cursor: Cursor, history: Sequence[Mapping[str, float]] = ()) -> None:
        """Write a checkpoint atomically and prune old ones; nothing where this update has one already.

        tensors: gives what the checkpoint holds, and is called only when one is written. history: the metrics so far,
        for the report.
        """
        if cursor.step == self._saved_step:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        values, held = {"cursor": asdict(cursor), "run": self._run, "history": list(history)}, tensors()
        header = {name: json.dumps(value) for name, value in values.items()}
        header["sha256"] = _digest(held, header)
        write_atomically(self._folder / f"checkpoint-{cursor.step:09d}.safetensors", save(held, metadata=header))
        for old in sorted(self._folder.glob(PATTERN))[:-KEEP]:
            if not old.with_name(old.name + ".sagemaker-uploading").exists():
                old.unlink(missing_ok=True)
        self._saved_at, self._saved_step = time.monotonic(), cursor.step

    def newest(self) -> Checkpoint | None:
        """The newest whole checkpoint; a damaged one is passed over for the one before it."""
        for path in sorted(self._folder.glob(PATTERN), reverse=True):
            checkpoint = parse_checkpoint(path, path.read_bytes())
            if checkpoint is not None:
                return checkpoint
            LOG.info(f"{path} is damaged and is passed over for the checkpoint before it")
        return None

    def remove_all(self) -> int:
        """Delete the checkpoints of a run that shall not be continued; returns how many there were."""
        old = list(self._folder.glob(PATTERN))
        for path in old:
            path.unlink()
        return len(old)


def find_checkpoint_folder(paths: Paths) -> Path:
    """Where SageMaker wants checkpoints: `LocalPath` of checkpointconfig.json, else `/opt/ml/checkpoints`."""
    try:
        config = json.loads(paths.checkpoint_config.read_bytes())
    except (FileNotFoundError, PermissionError):
        return paths.checkpoints
    except ValueError:
        raise ChannelError(f"{paths.checkpoint_config} is not valid JSON: check the job's CheckpointConfig.") from None
    local_path = config.get("LocalPath") if isinstance(config, dict) else None
    return Path(local_path or paths.checkpoints)


def parse_checkpoint(path: Path, content: bytes) -> Checkpoint | None:
    """The checkpoint in `content`, which came from `path`; `None` when it is damaged."""
    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")  # the header's, by the safetensors format
        header = json.loads(content[8 : 8 + length])["__metadata__"]
        if header["sha256"] != _digest(tensors, header):
            return None
        cursor = Cursor(**json.loads(header["cursor"]))
        return Checkpoint(path, cursor, json.loads(header["run"]), json.loads(header["history"]), tensors)
    except (SafetensorError, ValueError, KeyError, TypeError):
        return None


def _digest(tensors: Tensors, header: dict[str, str]) -> str:
    values = [header[name] for name in sorted(header) if name != "sha256"]
    return hashlib.sha256("".join(f"{value}\n" for value in [*values, compute_digest(tensors)]).encode()).hexdigest()


def compute_digest(tensors: Tensors) -> str:
    """sha256 over names, types, shapes and values: equal for bit-identical tensors only."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
