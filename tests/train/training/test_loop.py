"""The training loop: dropout, stopping, resuming bit for bit, and the loss on held-out sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from keras import backend as keras_backend
from keras import ops

from container.vocabulary import BOS, EOS
from tests.train.frameworks import backend, step_noise, to_numpy
from train.backends.backend import State
from train.corpus.batches import Cursor, collate
from train.corpus.encoding import Encoded
from train.job.hyperparameters import Hyperparameters, parse
from train.model.config import TransformerConfig
from train.model.transformer import NoNoise, Transformer
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


# Dropout


def dropped(step: int = 1, seed: int = 1, rate: float = 0.1, shape: tuple[int, ...] = (1001, 63)) -> np.ndarray:
    return to_numpy(step_noise(seed, step).dropout(ops.ones(shape), rate))


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3, 0.5])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(rate: float) -> None:
    result = dropped(rate=rate)
    assert np.mean(result == 0) == pytest.approx(rate, abs=0.008)
    assert result.mean() == pytest.approx(1, abs=0.01)
    assert len(np.unique(result)) == 2


def test_a_mask_is_a_function_of_seed_step_and_call() -> None:
    reference = dropped()
    np.testing.assert_array_equal(dropped(), reference)
    noise = step_noise(1, 1)
    first, second = (to_numpy(noise.dropout(ops.ones([1001, 63]), 0.1)) for _ in range(2))
    np.testing.assert_array_equal(first, reference)
    for other in (dropped(step=2), dropped(seed=2), second):
        both = np.mean((other == 0) & (reference == 0))
        assert both == pytest.approx(0.01, abs=0.003)  # independent: a tenth of a tenth


def test_neighbours_are_dropped_independently() -> None:
    gone = dropped(rate=0.5, shape=(1000, 64)) == 0
    for one, other in ((gone[:, 1:], gone[:, :-1]), (gone[1:], gone[:-1])):
        assert np.mean(one & other) == pytest.approx(0.25, abs=0.01)


def test_word_dropout_drops_whole_words_and_keeps_the_mean() -> None:
    result = to_numpy(step_noise(1, 1).word_dropout(ops.ones([100, 63, 8]), 0.1))
    assert (result == result[:, :, :1]).all()
    words = result[:, :, 0]
    assert np.mean(words == 0) == pytest.approx(0.1, abs=0.015)
    assert words.mean() == pytest.approx(1, abs=0.02)
    assert len(np.unique(words)) == 2


def test_no_dropout_is_no_work() -> None:
    x = ops.ones([3, 5])
    assert step_noise(1, 1).dropout(x, 0.0) is step_noise(1, 1).word_dropout(x, 0.0) is x
    assert NoNoise().dropout(x, 0.5) is NoNoise().word_dropout(x, 0.5) is x


def test_dropout_keeps_the_compute_type() -> None:
    x = step_noise(1, 1).dropout(ops.ones([8, 8], "bfloat16"), 0.1)
    assert keras_backend.standardize_dtype(x.dtype) == "bfloat16"


# Runs


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


# Evaluation


def test_the_evaluator_is_the_model_in_float32_without_dropout(corpus: Encoded) -> None:
    config = TransformerConfig(**{**vars(SMALL), "precision": "bfloat16"})
    state, evaluator = backend().make_state(config, 1), backend().make_evaluator(config)
    evaluator.load(state.averaged_weights())
    assert evaluator.model.config.precision == "float32"
    batch = collate(corpus, np.arange(len(corpus)))
    exact = Transformer(SMALL, seed=1)
    hidden = exact(batch.source, batch.target[:, :-1], noise=NoNoise())
    logits = to_numpy(exact.logits(hidden)).astype(np.float64)
    labels = batch.target[:, 1:]
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    nll = -log_p[np.arange(labels.size), labels.ravel()].reshape(labels.shape) * (labels != 0)
    np.testing.assert_allclose(evaluator.token_nll(batch), nll, atol=1e-4)
    assert evaluator.mean_nll(corpus, batch_tokens=16) == pytest.approx(nll.sum() / (labels != 0).sum(), rel=1e-4)
