"""Dropout: its rate, its mean, and masks that are a function of seed, step and call."""

from __future__ import annotations

import numpy as np
import pytest
from keras import backend as keras_backend
from keras import ops

from tests.train.frameworks import step_noise, to_numpy
from train.model.transformer import NoNoise


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
