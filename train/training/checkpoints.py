"""Stage 6. Checkpoints that survive anything: whole or absent, checksummed, without pickle.

One file a checkpoint, `checkpoint-<step>.safetensors`, in `/opt/ml/checkpoints`, which SageMaker copies to
S3 while it is written to and restores before a restarted job. Its header says which run it belongs to.
SageMaker's uploader puts `.sagemaker-uploading` and `.sagemaker-uploaded` markers beside the files: they
are not ours, are never read, and a file that is being uploaded is not deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
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

KEEP = 2  # the newest, and the one before it in case the newest is damaged
PATTERN = "checkpoint-*.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and found whole."""

    path: Path
    cursor: Cursor
    run: dict[str, Any]
    history: list[dict[str, float]]
    tensors: dict[str, np.ndarray]


def save_checkpoint(
    folder: Path,
    tensors: dict[str, np.ndarray],
    cursor: Cursor,
    run: dict[str, Any],
    history: Sequence[Mapping[str, float]] = (),
) -> Path:
    """Write a checkpoint atomically and prune old ones.

    `run` identifies the run (see `run_identity`); `history` is the metrics so far, for the report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = {"cursor": asdict(cursor), "run": run, "history": list(history)}
    header = {name: json.dumps(value) for name, value in values.items()}
    header["sha256"] = _digest(tensors, header)
    path = folder / f"checkpoint-{cursor.step:09d}.safetensors"
    write_atomically(path, save(tensors, metadata=header))
    for old in sorted(folder.glob(PATTERN))[:-KEEP]:
        if not old.with_name(old.name + ".sagemaker-uploading").exists():
            old.unlink(missing_ok=True)
    return path


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint; a damaged one is passed over for the one before it."""
    for path in sorted(folder.glob(PATTERN), reverse=True):
        checkpoint = parse_checkpoint(path, path.read_bytes())
        if checkpoint is not None:
            return checkpoint
        print(f"train: {path} is damaged and is passed over for the checkpoint before it", flush=True)
    return None


def checkpoint_folder(paths: Paths) -> Path:
    """Where SageMaker wants checkpoints: `LocalPath` of checkpointconfig.json, else `/opt/ml/checkpoints`."""
    try:
        config = json.loads(paths.checkpoint_config.read_bytes())
    except (FileNotFoundError, PermissionError):
        return paths.checkpoints
    except ValueError:
        raise ChannelError(f"{paths.checkpoint_config} is not valid JSON: check the job's CheckpointConfig.") from None
    local_path = config.get("LocalPath") if isinstance(config, dict) else None
    return Path(local_path or paths.checkpoints)


def remove_checkpoints(folder: Path) -> int:
    """Delete all checkpoints of a run that shall not be continued; returns how many there were."""
    old = list(folder.glob(PATTERN))
    for path in old:
        path.unlink()
    return len(old)


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


def _digest(tensors: dict[str, np.ndarray], header: dict[str, str]) -> str:
    values = [header[name] for name in sorted(header) if name != "sha256"]
    return hashlib.sha256("".join(f"{value}\n" for value in [*values, digest_of(tensors)]).encode()).hexdigest()


def digest_of(tensors: dict[str, np.ndarray]) -> str:
    """sha256 over names, types, shapes and values: equal for bit-identical tensors only."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
