"""The update of the weights: clipping, Adam, and the moving average."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.frameworks import apply_gradients, backend
from train.backends.backend import State
from train.job.hyperparameters import parse
from train.model.config import TransformerConfig

SMALL = TransformerConfig(vocab_size=64, d_model=16, ffn_dim=32, n_heads=2, encoder_layers=1, decoder_layers=1)
HP = parse({"learning_rate": 0.01, "ema_decay": 0.997, "clip_norm": 1000})
BIAS = "encoder_0/ffn/inner/bias"


@pytest.fixture
def state() -> State:
    return backend().make_state(SMALL, 1)


def apply(state: State, gradients: dict[str, np.ndarray], step: int, clip_norm: float = 1000) -> None:
    apply_gradients(state, gradients, step, HP.model_copy(update={"clip_norm": clip_norm}), warmup=1)


def test_adam_is_adam(state: State) -> None:
    weight = state.tensors()[f"weights/{BIAS}"].astype(np.float64)
    first = second = np.zeros_like(weight)
    rng = np.random.default_rng(1)
    for step in range(1, 6):
        gradient = rng.normal(size=weight.shape)
        first = 0.9 * first + 0.1 * gradient
        second = 0.98 * second + 0.02 * gradient**2
        rate = 0.01 / np.sqrt(step)
        weight = weight - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.98**step)) + 1e-9)
        apply(state, {BIAS: gradient}, step)
        np.testing.assert_allclose(state.tensors()[f"weights/{BIAS}"], weight, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("clip_norm", "factor"), [(1.0, 1 / 5), (50.0, 1)])
def test_gradients_are_clipped_by_the_norm_of_all_together(state: State, clip_norm: float, factor: float) -> None:
    other = "decoder_0/ffn/inner/bias"
    gradients = {BIAS: np.eye(1, 32)[0] * 3, other: np.eye(1, 32)[0] * 4}
    apply(state, gradients, 1, clip_norm)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(state.tensors()[f"first/{name}"], 0.1 * factor * gradient, rtol=1e-5)


@pytest.mark.parametrize(("step", "share"), [(1, 0.9), (9, 0.5), (81, 0.1), (100_000, 0.003)])
def test_the_average_follows_quickly_at_first_and_slowly_later(state: State, step: int, share: float) -> None:
    tensors = state.tensors()
    before = tensors[f"average/{BIAS}"]
    state.restore({**tensors, f"weights/{BIAS}": tensors[f"weights/{BIAS}"] + 1})
    apply(state, {BIAS: np.zeros_like(before)}, step)
    average = state.tensors()[f"average/{BIAS}"]
    np.testing.assert_allclose(average - before, share, rtol=1e-3)
    np.testing.assert_array_equal(state.averaged_weights()[BIAS], average)
