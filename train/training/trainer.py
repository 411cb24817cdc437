"""Stages 4 to 6 together: train the model, with validation, checkpoints and a way to stop at any step."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from container.errors import HyperparameterError
from train.backends.backend import Backend, Evaluator, State
from train.backends.schedule import learning_rate, warmup_steps
from train.corpus.batches import Cursor
from train.corpus.directions import Direction, directions
from train.corpus.prepare import Prepared
from train.evaluation.scores import ReferenceSet, make_reference_set, score, translate
from train.export.ctranslate2 import export_ctranslate2
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.job.rendezvous import Hosts
from train.model.config import TransformerConfig
from train.training.checkpoints import Checkpoint, digest_of, save_checkpoint
from train.training.initial_model import Initial, refuse_other_shape
from train.training.loop import StepResult, planned_steps, run

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
        "preset",  # what it stands for counts, and that is in the other values
        "saved_model",
    }
)
# What a run was like that began when there was nothing else: older checkpoints do not say it.
BEFORE = MappingProxyType(
    {
        "framework": "tensorflow",
        "direction": "forward",
        "vocab_type": "unigram",
        "word_dropout": 0.0,
    }
)
VALIDATION_SOURCES = 200


@dataclass(frozen=True)
class Fitted:
    """A trained model: its shape, averaged weights, and how far training came."""

    config: TransformerConfig
    weights: dict[str, np.ndarray]
    evaluator: Evaluator
    cursor: Cursor


def fit(
    prepared: Prepared,
    hp: Hyperparameters,
    folder: Path,
    start: Checkpoint | Initial | None,
    progress: Progress,
    stop: threading.Event,
    hosts: Hosts,
    backend: Backend,
) -> Fitted:
    """Train from scratch, from a checkpoint or from an earlier model, until the last epoch, the time limit or `stop`.

    The chief validates, and writes checkpoints to `folder` at each epoch's end, every `checkpoint_seconds`, and
    at the end. Every host returns the same weights.
    """
    planned = planned_steps(prepared.train, hp)
    identity = _identity(prepared, hp, start, hosts, backend, planned)
    config = model_config(hp, prepared.tokenizer.get_piece_size(), identity["precision"])
    state = backend.make_state(config, hp.seed)
    cursor = _begin_from(start, state, progress)
    watcher = _Watcher(prepared, hp, backend.make_evaluator(config), config, progress)
    saver = _Saver(folder if hosts.cluster.is_chief else None, state, identity, hp.checkpoint_seconds, progress)

    progress.say(f"{_size(state)} parameters, {config.precision}, warm-up of {identity['warmup']} updates")
    progress.begin(planned, cursor.step, cursor.seconds)
    step = backend.make_step(state, hp, identity["warmup"])
    for result in run(step, prepared.train, hp, cursor, wants_stop=stop.is_set):
        cursor = result.cursor
        rate = learning_rate(cursor.step, hp.learning_rate, identity["warmup"])
        progress.step(cursor.step, nll=result.nll, tokens=result.tokens, seconds=cursor.seconds, learning_rate=rate)
        if result.epoch_ended and hosts.cluster.is_chief and not stop.is_set():
            watcher.validate(state, result)
        if result.epoch_ended or saver.due():
            saver.save(cursor)
    progress.end()
    if stop.is_set():
        progress.say(f"asked to stop: {cursor.step} updates were done, the model is written now")
    saver.save(cursor)
    weights = state.averaged_weights()
    progress.say(f"weights_sha256={digest_of(weights)};")  # equal on all hosts, and for an interrupted run
    return Fitted(config, weights, watcher.evaluator, cursor)


def _identity(
    prepared: Prepared,
    hp: Hyperparameters,
    start: Checkpoint | Initial | None,
    hosts: Hosts,
    backend: Backend,
    planned: int,
) -> dict[str, Any]:
    """The run's identity with what is decided once for all its hosts and restarts: precision and warm-up."""
    identity = run_identity(prepared, hp)
    if isinstance(start, Checkpoint):
        refuse_other_run(start, identity)
        return start.run
    precision = backend.fastest_precision() if hp.precision == "auto" else hp.precision
    identity["precision"] = hosts.broadcast(precision.encode()).decode()
    identity["warmup"] = warmup_steps(hp, planned)
    return identity


def _begin_from(start: Checkpoint | Initial | None, state: State, progress: Progress) -> Cursor:
    if isinstance(start, Checkpoint):
        state.restore(start.tensors)
        progress.history[:] = start.history
        progress.say(f"resumed from {start.path.name}: {start.cursor.step} updates were done")
        return start.cursor
    if isinstance(start, Initial):
        refuse_other_shape(start, state.shapes())
        state.begin_with(start.weights)
        progress.say(f"starting from the weights of the model in channel 'model' ({start.path})")
    return Cursor()


def run_identity(prepared: Prepared, hp: Hyperparameters) -> dict[str, Any]:
    """What must be equal for a checkpoint to be continued: hyperparameters that shape the run, and its data."""
    return {
        "hyperparameters": hp.model_dump(mode="json", exclude=set(FREE)),
        "corpus": prepared.corpus.fingerprint,
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
    if checkpoint.run["corpus"] != identity["corpus"]:
        differences.append("the corpus has changed")
    if checkpoint.run["tokenizer"] != identity["tokenizer"]:
        differences.append("the tokenizer has changed")
    if differences:
        raise HyperparameterError(
            f"The checkpoint {checkpoint.path} belongs to another run ({'; '.join(differences)}): "
            "put these back, or set resume=false to start afresh."
        )


def model_config(hp: Hyperparameters, vocab_size: int, precision: str) -> TransformerConfig:
    return TransformerConfig(
        vocab_size=vocab_size,
        d_model=hp.d_model,
        ffn_dim=hp.ffn_dim,
        n_heads=hp.n_heads,
        encoder_layers=hp.encoder_layers or hp.n_layers,
        decoder_layers=hp.decoder_layers or hp.n_layers,
        dropout_rate=hp.dropout_rate,
        word_dropout=hp.word_dropout,
        precision=precision,
    )


def _size(state: State) -> int:
    return sum(int(np.prod(shape)) for shape in state.shapes().values())


class _Watcher:
    """Validation at an epoch's end: loss in float32, BLEU and chrF of greedy translations by the export.

    The loss is of all directions together, as the training loss is; each direction has scores of its own.
    """

    def __init__(
        self,
        prepared: Prepared,
        hp: Hyperparameters,
        evaluator: Evaluator,
        config: TransformerConfig,
        progress: Progress,
    ) -> None:
        self.evaluator = evaluator
        self._prepared, self._hp, self._config, self._progress = prepared, hp, config, progress
        self._sentences: dict[Direction, ReferenceSet] = {
            direction: make_reference_set(direction.of(prepared.corpus.validation), VALIDATION_SOURCES)
            for direction in directions(hp)
        }

    def validate(self, state: State, result: StepResult) -> None:
        if not len(self._prepared.validation):
            return
        weights = state.averaged_weights()
        self.evaluator.load(weights)
        loss = self.evaluator.mean_nll(self._prepared.validation)
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = self._prepared.tokenizer
            export_ctranslate2(weights, self._config, tokenizer, Path(folder), quantization=self._hp.quantization)
            scores: dict[str, float] = {}
            for direction, sentences in self._sentences.items():
                hypotheses = translate(
                    Path(folder),
                    tokenizer,
                    sentences.sources,
                    beam_size=1,
                    length_penalty=1.0,
                    max_length=self._hp.max_len + 1,
                    prefix=direction.tag,
                )
                found = score(hypotheses, sentences)
                scores |= {f"validation_{name}{direction.suffix}": found[name].value for name in ("bleu", "chrf")}
        self._progress.metrics(epoch=result.cursor.epoch, step=result.cursor.step, validation_loss=loss, **scores)
        self._progress.restart_clock()


class _Saver:
    """Writes checkpoints, at most one for each update; with no folder (on hosts other than the chief) none."""

    def __init__(
        self, folder: Path | None, state: State, identity: dict[str, Any], seconds: float, progress: Progress
    ) -> None:
        self._folder, self._state, self._identity, self._seconds = folder, state, identity, seconds
        self._progress = progress
        self._last, self._saved = time.monotonic(), -1

    def due(self) -> bool:
        return self._folder is not None and bool(self._seconds) and time.monotonic() - self._last >= self._seconds

    def save(self, cursor: Cursor) -> None:
        if self._folder is None or cursor.step in (0, self._saved):
            return
        save_checkpoint(self._folder, self._state.tensors(), cursor, self._identity, self._progress.history)
        self._last, self._saved = time.monotonic(), cursor.step
