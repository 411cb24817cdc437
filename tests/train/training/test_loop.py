"""The training loop: its batches, stopping, and resuming bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from container.vocabulary import BOS, EOS
from tests.train.frameworks import backend
from train.backends.backend import State
from train.corpus.batches import Cursor
from train.corpus.encoding import Encoded
from train.job.hyperparameters import Hyperparameters, parse
from train.model.config import TransformerConfig
from train.training.checkpoints import CheckpointManager
from train.training.loop import StepResult, planned_steps
from train.training.loop import run as run_loop

SMALL = TransformerConfig(
    vocab_size=64, d_model=16, ffn_dim=32, n_heads=2, encoder_layers=1, decoder_layers=1, dropout_rate=0.1
)
HP = parse({"batch_size": 4, "epochs": 2, "learning_rate": 0.01, "label_smoothing": 0.1, "ema_decay": 0.9})


def ready(seed: int = 1) -> State:
    return backend().make_state(SMALL, seed)


def run(
    state: State, corpus: Encoded, hp: Hyperparameters, start: Cursor, warmup: int, **options: Callable[[], bool]
) -> Iterator[StepResult]:
    return run_loop(backend().make_step(state, hp, warmup), corpus, hp, start, **options)


@pytest.fixture(scope="module")
def corpus() -> Encoded:
    """12 pairs of random tokens: 3 batches of 4 an epoch."""
    rng = np.random.default_rng(1)
    sources = [[*rng.integers(4, 64, rng.integers(1, 6)), EOS] for _ in range(12)]
    targets = [[BOS, *rng.integers(4, 64, rng.integers(1, 6)), EOS] for _ in range(12)]
    arrays = []
    for side in (sources, targets):
        arrays += [np.concatenate(side).astype(np.int32), np.cumsum([len(sentence) for sentence in side])]
    return Encoded(*arrays)


@pytest.fixture(scope="module")
def uninterrupted(corpus: Encoded, tmp_path_factory: pytest.TempPathFactory) -> tuple[State, Path, list[StepResult]]:
    """Six updates, with a checkpoint written after the fourth, in the middle of an epoch."""
    state, folder, results = ready(), tmp_path_factory.mktemp("checkpoints"), []
    for result in run(state, corpus, HP, Cursor(), warmup=2):
        results.append(result)
        if result.cursor.step == 4:
            CheckpointManager(folder).save(state.tensors, result.cursor)
    return state, folder, results


def test_a_run_goes_through_every_batch_of_every_epoch(
    uninterrupted: tuple[State, Path, list[StepResult]], corpus: Encoded
) -> None:
    _, _, results = uninterrupted
    where = [(result.cursor.step, result.cursor.epoch, result.cursor.batch, result.epoch_ended) for result in results]
    assert where == [
        *[(1, 0, 1, False), (2, 0, 2, False), (3, 1, 0, True)],
        *[(4, 1, 1, False), (5, 1, 2, False), (6, 2, 0, True)],
    ]
    assert planned_steps(corpus, HP) == 6
    assert sum(result.tokens for result in results) == 2 * corpus.target_lengths.sum()
    seconds = [result.cursor.seconds for result in results]
    assert seconds[0] > 0
    assert seconds == sorted(seconds)


def test_training_learns_and_the_average_differs_from_the_weights(
    uninterrupted: tuple[State, Path, list[StepResult]],
) -> None:
    state, _, results = uninterrupted
    assert results[-1].nll < results[0].nll
    assert results[0].nll == pytest.approx(np.log(64), rel=0.3)  # no better than a guess
    tensors = state.tensors()
    assert np.abs(tensors["average/embedding"] - tensors["weights/embedding"]).max() > 1e-4
    assert state.averaged_weights()["embedding"].dtype == np.float32


def test_a_resumed_run_ends_with_the_same_bits(
    uninterrupted: tuple[State, Path, list[StepResult]], corpus: Encoded
) -> None:
    whole, folder, results = uninterrupted
    checkpoint = CheckpointManager(folder).newest()
    assert checkpoint is not None
    resumed = ready(seed=99)
    resumed.restore(checkpoint.tensors)
    rest = list(run(resumed, corpus, HP, checkpoint.cursor, warmup=2))
    assert [(r.nll, r.tokens) for r in rest] == [(r.nll, r.tokens) for r in results[4:]]
    expected = whole.tensors()
    assert len(expected) == 4 * len(whole.shapes())
    different = [name for name, array in resumed.tensors().items() if array.tobytes() != expected[name].tobytes()]
    assert different == []


def limited(minutes: float) -> Hyperparameters:
    return HP.model_copy(update={"max_minutes": minutes})


def test_the_time_limit_counts_the_seconds_of_stepping_before_the_checkpoint_too(corpus: Encoded) -> None:
    nearly = Cursor(step=1, epoch=0, batch=1, seconds=59.9999)
    results = list(run(ready(), corpus, limited(1), nearly, warmup=2))
    assert [result.stopping for result in results] == [False, True]  # the update that knows is the last
    over = Cursor(step=1, epoch=0, batch=1, seconds=60)
    assert not list(run(ready(), corpus, limited(1), over, warmup=2))


def test_a_wish_to_stop_is_met_after_the_next_update(corpus: Encoded) -> None:
    wishes = iter([False, True])
    results = list(run(ready(), corpus, HP, Cursor(), warmup=2, wants_stop=lambda: next(wishes)))
    assert [(result.cursor.step, result.stopping) for result in results] == [(1, False), (2, True)]


def test_a_finished_run_makes_no_update(corpus: Encoded) -> None:
    assert not list(run(ready(), corpus, HP, Cursor(step=6, epoch=2), warmup=2))
