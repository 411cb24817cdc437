"""Training with validation and checkpoints, stopped and resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.train.contexts import make_job
from train.backends.backend import Backend
from train.corpus.prepare import Prepared
from train.job.hyperparameters import Hyperparameters
from train.model.trained import TrainedModel
from train.training import checkpoints
from train.training.checkpoints import Checkpoint, CheckpointManager
from train.training.resume import Start
from train.training.trainer import train_model

Train = Callable[..., TrainedModel]


@pytest.fixture
def train(prepared: Prepared, hp: Hyperparameters, backend: Backend, tmp_path: Path) -> Train:
    """Trains with checkpoints in a folder of the test's own; hyperparameters, checkpoint and `stop` as given."""

    def run(origin: Checkpoint | None = None, *, stop: bool = False, **changes: object) -> TrainedModel:
        job = make_job(hp.model_copy(update=changes), tmp_path / "job", stop=stop)
        return train_model(job, prepared, Start(tmp_path, prepared.tokenizer_path, origin), backend)

    return run


def same_bits(one: TrainedModel, other: TrainedModel) -> bool:
    return all(one.weights[name].tobytes() == other.weights[name].tobytes() for name in one.weights)


def test_a_stopped_job_and_its_continuation_make_the_model_of_a_whole_one(
    train: Train, trained: TrainedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = train(stop=True)
    assert stopped.cursor.step == 1 < trained.cursor.step
    assert stopped.stopped_early and not trained.stopped_early
    said = capsys.readouterr().out
    assert "asked to stop: 1 updates were done, the model is written now" in said
    assert "validation" not in said

    checkpoint = CheckpointManager(tmp_path).newest()
    assert checkpoint is not None
    assert checkpoint.cursor == stopped.cursor
    resumed = train(checkpoint, log_every=2)
    said = capsys.readouterr().out
    assert f"resumed from {checkpoint.path.name}: 1 updates were done" in said
    assert "validation_loss=" in said
    assert replace(resumed.cursor, seconds=0) == replace(trained.cursor, seconds=0)
    assert same_bits(resumed, trained)

    finished = CheckpointManager(tmp_path).newest()
    assert finished is not None
    assert finished.cursor == resumed.cursor
    again = train(finished)
    assert again.cursor == resumed.cursor
    assert same_bits(again, resumed)
    assert "train_loss" not in capsys.readouterr().out


def test_words_are_dropped_where_it_is_asked_for(train: Train, trained: TrainedModel) -> None:
    assert train(word_dropout=0.3).cursor.step == trained.cursor.step
    assert not same_bits(train(word_dropout=0.3), trained)
    assert same_bits(train(word_dropout=0.0), trained)


def test_checkpoints_are_written_as_often_as_asked(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(checkpoints, "write_atomically", lambda path, content: written.append(path.name))
    whole = train(checkpoint_seconds=1e-9)
    assert written == [f"checkpoint-{step:09d}.safetensors" for step in range(1, whole.cursor.step + 1)]
    written.clear()
    train(checkpoint_seconds=0)
    assert written == [f"checkpoint-{whole.cursor.step:09d}.safetensors"]  # that of the epoch's end


def test_the_weights_are_float32(trained: TrainedModel) -> None:
    assert {array.dtype for array in trained.weights.values()} == {np.dtype(np.float32)}
