"""Where a run begins: at a checkpoint, at an earlier model, or from nothing. The chief decides for all hosts.

A checkpoint may be continued only by the run that it belongs to. The run's identity stands in the checkpoint.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from container.errors import HyperparameterError
from train.backends.backend import Backend, State
from train.corpus.batches import Cursor
from train.corpus.prepare import Prepared
from train.corpus.split import CORPUS_VERSION
from train.job.channels import read_channels
from train.job.context import JobContext
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.training.checkpoints import Checkpoint, CheckpointManager, find_checkpoint_folder, parse_checkpoint
from train.training.initial_model import InitialModel, read_initial_model, refuse_other_shape

TOKENIZER = "tokenizer.model"

# What may change when a run is resumed: only what extends it, reports on it or decodes with it.
FREE = frozenset(
    {
        "epochs",
        "max_minutes",
        "log_every",
        "checkpoint_seconds",
        "resume",
        "beam_size",
        "length_penalty",
        "quantization",
        "preset",  # the values that it stands for count, and they are compared one by one
        "saved_model",
    }
)
# The values of a run that began before these hyperparameters existed: its checkpoints do not name them.
BEFORE = MappingProxyType(
    {
        "framework": "tensorflow",
        "direction": "forward",
        "vocab_type": "unigram",
        "word_dropout": 0.0,
    }
)


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    folder: of the checkpoints. tokenizer: the path of the tokenizer, which is there already when it must be used again.
    origin: what the run goes on from; None is a run from nothing.
    """

    folder: Path
    tokenizer: Path
    origin: Checkpoint | InitialModel | None = None


def find_start(job: JobContext) -> Start:
    """Look for a checkpoint, then for an earlier model in the channel `model`.

    Only the chief writes to the checkpoint folder; the other hosts keep the tokenizer in their scratch folder.
    `HyperparameterError` when the checkpoint comes from another version of this image.
    """
    folder = find_checkpoint_folder(job.paths)
    tokenizer = (folder if job.is_chief else job.scratch) / TOKENIZER
    checkpoint = _find_checkpoint(job, folder)
    if checkpoint is not None:
        refuse_other_version(checkpoint)
        return Start(folder, tokenizer, checkpoint)
    tokenizer.unlink(missing_ok=True)  # without a checkpoint it may belong to another corpus
    channels = read_channels(job.paths)
    if "model" not in channels:
        return Start(folder, tokenizer)
    initial = read_initial_model(channels["model"], job.hyperparameters, job.scratch / "model")
    tokenizer.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(initial.tokenizer, tokenizer)
    return Start(folder, tokenizer, initial)


def _find_checkpoint(job: JobContext, folder: Path) -> Checkpoint | None:
    """The chief's newest checkpoint. The hosts' folders may hold different ones, and all must begin with the same."""
    newest = None
    if job.is_chief:
        checkpoints = CheckpointManager(folder)
        if not job.hyperparameters.resume:
            removed = checkpoints.remove_all()
            job.progress.say(f"resume=false, so the job starts afresh; {removed} old checkpoints were removed")
        newest = checkpoints.newest()
        if len(job.hosts.cluster.hosts) == 1:
            return newest
    content = job.hosts.broadcast(newest.path.read_bytes() if newest else b"")
    return parse_checkpoint(newest.path if newest else folder / "checkpoint of the chief", content) if content else None


def refuse_other_version(checkpoint: Checkpoint) -> None:
    """`HyperparameterError` when the checkpoint's corpus was cleaned and split by other rules than ours."""
    version = checkpoint.run.get("corpus_version", 1)  # older checkpoints do not name it
    if version != CORPUS_VERSION:
        raise HyperparameterError(
            f"The corpus of the checkpoint {checkpoint.path} was prepared by another version of this image (corpus "
            f"version {version}, and this image has {CORPUS_VERSION}): set resume=false to start afresh, or finish "
            "the job with the image that began it."
        )


def identify_run(job: JobContext, prepared: Prepared, start: Start, backend: Backend, warmup: int) -> dict[str, Any]:
    """The run's identity, with what is decided once for all its hosts and restarts: `precision` and `warmup`.

    `HyperparameterError` when the checkpoint that the run goes on from belongs to another run.
    """
    hp = job.hyperparameters
    identity = run_identity(prepared, hp)
    if isinstance(start.origin, Checkpoint):
        refuse_other_run(start.origin, identity)
        return start.origin.run
    precision = backend.fastest_precision() if hp.precision == "auto" else hp.precision
    identity["precision"] = job.hosts.broadcast(precision.encode()).decode()
    identity["warmup"] = warmup
    return identity


def run_identity(prepared: Prepared, hp: Hyperparameters) -> dict[str, Any]:
    """What must be equal for a checkpoint to be continued: its data, and the hyperparameters that shape the run."""
    return {
        "hyperparameters": hp.model_dump(mode="json", exclude=set(FREE)),
        "corpus": prepared.corpus.fingerprint,
        "corpus_version": CORPUS_VERSION,
        "tokenizer": prepared.tokenizer_digest,
    }


def refuse_other_run(checkpoint: Checkpoint, identity: dict[str, Any]) -> None:
    """`HyperparameterError` that names each difference between the checkpoint's run and this one."""
    before = {**BEFORE, **checkpoint.run["hyperparameters"]}
    now = {**BEFORE, **identity["hyperparameters"]}
    differences = [
        f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    differences += [
        f"the {name} has changed" for name in ("corpus", "tokenizer") if checkpoint.run[name] != identity[name]
    ]
    if differences:
        raise HyperparameterError(
            f"The checkpoint {checkpoint.path} belongs to another run ({'; '.join(differences)}): "
            "put these back, or set resume=false to start afresh."
        )


def restore_state(start: Start, state: State, progress: Progress) -> Cursor:
    """Give the new `state` what the run goes on from; returns how far the run had come."""
    origin = start.origin
    if isinstance(origin, Checkpoint):
        state.restore(origin.tensors)
        progress.history[:] = origin.history
        progress.say(f"resumed from {origin.path.name}: {origin.cursor.step} updates were done")
        return origin.cursor
    if isinstance(origin, InitialModel):
        refuse_other_shape(origin, state.shapes())
        state.begin_with(origin.weights)
        progress.say(f"starting from the weights of the model in channel 'model' ({origin.path})")
    return Cursor()
