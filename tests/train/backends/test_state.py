"""The state of training, as a checkpoint stores it."""

from __future__ import annotations

import numpy as np

from tests.train.frameworks import apply_gradients, backend
from train.job.hyperparameters import parse
from train.model.config import TransformerConfig

SMALL = TransformerConfig(vocab_size=64, d_model=16, ffn_dim=32, n_heads=2, encoder_layers=1, decoder_layers=1)


def test_a_state_comes_back_from_its_tensors() -> None:
    state = backend().make_state(SMALL, 1)
    gradients = {name: np.ones(shape) for name, shape in state.shapes().items()}
    apply_gradients(state, gradients, 1, parse({}), warmup=1)
    saved = state.tensors()
    assert {name.split("/")[0] for name in saved} == {"weights", "first", "second", "average"}
    assert len(saved) == 4 * len(state.shapes())
    other = backend().make_state(SMALL, 2)
    other.restore(saved)
    assert {name: array.tobytes() for name, array in other.tensors().items()} == {
        name: array.tobytes() for name, array in saved.items()
    }


def test_what_was_read_from_a_state_does_not_change_with_it() -> None:
    state = backend().make_state(SMALL, 1)
    saved, averages = state.tensors(), state.averaged_weights()
    before = saved["weights/embedding"].copy()
    gradients = {name: np.ones(shape) for name, shape in state.shapes().items()}
    apply_gradients(state, gradients, 1, parse({}), warmup=1)
    np.testing.assert_array_equal(saved["weights/embedding"], before)
    np.testing.assert_array_equal(averages["embedding"], before)
    assert np.abs(state.tensors()["weights/embedding"] - before).max() > 0


def test_an_earlier_model_gives_weights_and_average() -> None:
    state = backend().make_state(SMALL, 1)
    earlier = backend().make_state(SMALL, 2).averaged_weights()
    state.begin_with(earlier)
    tensors = state.tensors()
    for name, array in earlier.items():
        np.testing.assert_array_equal(tensors[f"weights/{name}"], array)
        np.testing.assert_array_equal(tensors[f"average/{name}"], array)
