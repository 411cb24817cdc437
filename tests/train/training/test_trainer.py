"""Training with validation, checkpoints, stopping and resuming; and which checkpoint may be continued."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from container.errors import HyperparameterError
from train.backends.backend import open_backend
from train.corpus.batches import Cursor
from train.corpus.prepare import Prepared
from train.job.cluster import SINGLE_HOST
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.job.rendezvous import SingleHost
from train.training.checkpoints import Checkpoint, newest_checkpoint
from train.training.trainer import FREE, Fitted, fit, refuse_other_run, run_identity

Fit = Callable[..., Fitted]


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def train(prepared: Prepared, hp: Hyperparameters, tmp_path: Path, said: io.StringIO) -> Fit:
    """Trains in a folder of the test's own; hyperparameters, `start` and `stop` as given."""

    def run(start: Checkpoint | None = None, *, stop: bool = False, **changes: object) -> Fitted:
        changed, event = hp.model_copy(update=changes), threading.Event()
        if stop:
            event.set()
        progress, backend = Progress(changed, said), open_backend(changed, SINGLE_HOST)
        return fit(prepared, changed, tmp_path, start, progress, event, SingleHost(SINGLE_HOST), backend)

    return run


def same_bits(one: Fitted, other: Fitted) -> bool:
    return all(one.weights[name].tobytes() == other.weights[name].tobytes() for name in one.weights)


# Running


def test_a_stopped_job_and_its_continuation_make_the_model_of_a_whole_one(
    train: Fit, fitted: Fitted, tmp_path: Path, said: io.StringIO
) -> None:
    stopped = train(stop=True)
    assert stopped.cursor.step == 1 < fitted.cursor.step
    assert "asked to stop: 1 updates were done, the model is written now" in said.getvalue()
    assert "validation" not in said.getvalue()

    checkpoint = newest_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.cursor == stopped.cursor
    resumed = train(checkpoint, log_every=2)
    assert f"resumed from {checkpoint.path.name}: 1 updates were done" in said.getvalue()
    assert "validation_loss=" in said.getvalue()
    assert replace(resumed.cursor, seconds=0) == replace(fitted.cursor, seconds=0)
    assert same_bits(resumed, fitted)

    finished = newest_checkpoint(tmp_path)
    assert finished is not None
    assert finished.cursor == resumed.cursor
    said.truncate(0)
    again = train(finished)
    assert again.cursor == resumed.cursor
    assert same_bits(again, resumed)
    assert "train_loss" not in said.getvalue()


def test_words_are_dropped_where_it_is_asked_for(train: Fit, fitted: Fitted) -> None:
    assert train(word_dropout=0.3).cursor.step == fitted.cursor.step
    assert not same_bits(train(word_dropout=0.3), fitted)
    assert same_bits(train(word_dropout=0.0), fitted)


def test_checkpoints_are_written_as_often_as_asked(train: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    from train.training import trainer as stage

    save = stage.save_checkpoint
    monkeypatch.setattr(stage, "save_checkpoint", lambda *arguments: steps.append(save(*arguments)))
    whole = train(checkpoint_seconds=1e-9)
    names = [f"checkpoint-{step:09d}.safetensors" for step in range(1, whole.cursor.step + 1)]
    assert [path.name for path in steps] == names


# Which checkpoint may be continued


def checkpoint_of(prepared: Prepared, hp: Hyperparameters) -> Checkpoint:
    identity = run_identity(prepared, hp) | {"precision": "float32", "warmup": 1}
    return Checkpoint(Path("checkpoint-000000001.safetensors"), Cursor(1), identity, history=[], tensors={})


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 50, "max_minutes": 3.5, "resume": False},
        {"log_every": 7, "checkpoint_seconds": 1.5},
        {"beam_size": 1, "length_penalty": 0.5, "quantization": "float32", "preset": "fast"},
    ],
)
def test_what_extends_reports_or_decodes_may_change(
    prepared: Prepared, hp: Hyperparameters, changes: dict[str, object]
) -> None:
    assert changes.keys() <= FREE <= Hyperparameters.model_fields.keys()
    refuse_other_run(checkpoint_of(prepared, hp), run_identity(prepared, hp.model_copy(update=changes)))


def test_every_difference_is_named(prepared: Prepared, hp: Hyperparameters, tmp_path: Path) -> None:
    other_tokenizer = tmp_path / "tokenizer.model"
    other_tokenizer.write_text("another")
    other = replace(
        prepared, corpus=replace(prepared.corpus, train=prepared.corpus.train[1:]), tokenizer_path=other_tokenizer
    )
    changed = hp.model_copy(update={"d_model": 32, "dropout_rate": 0.3, "source_lang": "de"})
    with pytest.raises(HyperparameterError) as caught:
        refuse_other_run(checkpoint_of(prepared, hp), run_identity(other, changed))
    assert str(caught.value) == (
        "The checkpoint checkpoint-000000001.safetensors belongs to another run (d_model was 16 and is 32; "
        "dropout_rate was 0.1 and is 0.3; source_lang was 'en' and is 'de'; the corpus has changed; "
        "the tokenizer has changed): put these back, or set resume=false to start afresh."
    )


@pytest.mark.parametrize(
    ("name", "was", "other"),
    [
        ("direction", "forward", "both"),
        ("vocab_type", "unigram", "bpe"),
        ("word_dropout", 0.0, 0.1),
    ],
)
def test_a_checkpoint_from_before_there_was_a_choice_goes_on_as_it_was(
    prepared: Prepared, hp: Hyperparameters, name: str, was: object, other: object
) -> None:
    older = checkpoint_of(prepared, hp)
    older.run["hyperparameters"].pop(name)
    refuse_other_run(older, run_identity(prepared, hp))
    with pytest.raises(HyperparameterError, match=rf"\({name} was {was!r} and is {other!r}\): put these back"):
        refuse_other_run(older, run_identity(prepared, hp.model_copy(update={name: other})))


@pytest.mark.parametrize("name", sorted(Hyperparameters.model_fields.keys() - FREE))
def test_whatever_shapes_the_run_may_not_change(prepared: Prepared, hp: Hyperparameters, name: str) -> None:
    now = run_identity(prepared, hp)
    now["hyperparameters"] = now["hyperparameters"] | {name: "another"}
    with pytest.raises(HyperparameterError, match=rf"\({name} was .* and is 'another'\)"):
        refuse_other_run(checkpoint_of(prepared, hp), now)


def test_the_weights_are_float32(fitted: Fitted) -> None:
    assert {array.dtype for array in fitted.weights.values()} == {np.dtype(np.float32)}
