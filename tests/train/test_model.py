"""The Transformer: what it may see, what it returns, and the names that checkpoints and the export rely on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from train.model import (
    LAYER_NORM_EPSILON,
    LayerNorm,
    NoNoise,
    Transformer,
    TransformerConfig,
    sinusoids,
    weights_by_name,
)
from train.tensorflow_backend import StepNoise

SMALL = TransformerConfig(vocab_size=64, d_model=16, ffn_dim=32, n_heads=2, encoder_layers=1, decoder_layers=1)


@pytest.fixture(scope="module")
def model() -> Transformer:
    return Transformer(SMALL, seed=1)


def hidden(model: Transformer, source: list[list[int]], target: list[list[int]]) -> np.ndarray:
    """[B, T, D]"""
    states = model(np.array(source, np.int32), np.array(target, np.int32), noise=NoNoise())
    return np.asarray(states).reshape(len(target), len(target[0]), -1)


def test_positions_are_those_of_the_export(model: Transformer) -> None:
    np.testing.assert_allclose(np.asarray(model._positions(50)), sinusoids(50, 16), atol=1e-5)
    first = sinusoids(1, 4)[0]  # timescales 1 and 1/10000, position 1
    np.testing.assert_allclose(first, [np.sin(1), np.sin(1e-4), np.cos(1), np.cos(1e-4)], rtol=1e-6)


def test_source_padding_changes_nothing(model: Transformer) -> None:
    alone = hidden(model, [[5, 6, 3]], [[2, 7, 8]])
    padded = hidden(model, [[5, 6, 3, 0, 0], [9, 9, 9, 9, 3]], [[2, 7, 8], [2, 9, 9]])
    np.testing.assert_allclose(padded[:1], alone, atol=1e-5)


def test_no_position_sees_later_target_tokens(model: Transformer) -> None:
    one, other = (hidden(model, [[5, 6, 3]], [[2, 7, last, last]]) for last in (8, 9))
    np.testing.assert_array_equal(one[:, :2], other[:, :2])
    assert np.abs(one[:, 2:] - other[:, 2:]).max() > 1e-3


def test_source_tokens_their_order_and_earlier_target_tokens_matter(model: Transformer) -> None:
    reference = hidden(model, [[5, 6, 3]], [[2, 7, 8]])[:, -1]
    for source, target in (([[5, 9, 3]], [[2, 7, 8]]), ([[6, 5, 3]], [[2, 7, 8]]), ([[5, 6, 3]], [[2, 9, 8]])):
        assert np.abs(hidden(model, source, target)[:, -1] - reference).max() > 1e-3


def test_the_names_of_the_weights_are_stable(model: Transformer) -> None:
    def block(name: str, *attention: str) -> dict[str, tuple[int, ...]]:
        norms = ["self_norm", "ffn_norm", *(["cross_norm"] if len(attention) > 2 else [])]
        shapes: dict[str, tuple[int, ...]] = {}
        widths = {"query_key_value": 48, "key_value": 32, "query": 16, "output": 16}
        for path in attention:
            width = widths[path.split("/")[1]]
            shapes |= {f"{name}/{path}/kernel": (16, width), f"{name}/{path}/bias": (width,)}
        for norm in norms:
            shapes |= {f"{name}/{norm}/gamma": (16,), f"{name}/{norm}/beta": (16,)}
        shapes |= {f"{name}/ffn/inner/kernel": (16, 32), f"{name}/ffn/inner/bias": (32,)}
        return shapes | {f"{name}/ffn/outer/kernel": (32, 16), f"{name}/ffn/outer/bias": (16,)}

    self_attention = ["self_attention/query_key_value", "self_attention/output"]
    cross_attention = ["cross_attention/query", "cross_attention/key_value", "cross_attention/output"]
    expected = {
        "embedding": (64, 16),
        **block("encoder_0", *self_attention),
        **block("decoder_0", *self_attention, *cross_attention),
        **{f"{stack}_norm/{name}": (16,) for stack in ("encoder", "decoder") for name in ("gamma", "beta")},
    }
    assert {name: tuple(variable.shape) for name, variable in weights_by_name(model).items()} == expected


def test_the_seed_decides_the_first_weights() -> None:
    def kernel(seed: int) -> np.ndarray:
        return np.asarray(weights_by_name(Transformer(SMALL, seed))["decoder_0/ffn/inner/kernel"])

    np.testing.assert_array_equal(kernel(1), kernel(1))
    assert np.abs(kernel(1) - kernel(2)).max() > 0.01


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_logits_and_weights_are_float32_in_either_precision(precision: str) -> None:
    model = Transformer(TransformerConfig(**{**vars(SMALL), "precision": precision}), seed=1)
    states = model(np.array([[5, 3], [6, 3]], np.int32), np.array([[2, 7, 8], [2, 7, 8]], np.int32), noise=NoNoise())
    logits = model.logits(states)
    assert (states.shape, states.dtype.name) == ((6, 16), precision)
    assert (logits.shape, logits.dtype.name) == ((6, 64), "float32")
    assert {variable.dtype for variable in weights_by_name(model).values()} == {"float32"}


def test_bfloat16_computes_nearly_the_same(model: Transformer) -> None:
    short = Transformer(TransformerConfig(**{**vars(SMALL), "precision": "bfloat16"}), seed=1)
    exact = hidden(model, [[5, 6, 3]], [[2, 7, 8]])
    difference = np.abs(hidden(short, [[5, 6, 3]], [[2, 7, 8]]).astype(np.float32) - exact).max()
    assert 0 < difference < 0.1


@pytest.mark.parametrize("compiled", [False, True])
def test_layer_norms_own_gradient_is_that_of_its_formula(compiled: bool) -> None:
    """Against what TensorFlow derives by itself from the same formula."""
    rng = np.random.default_rng(1)
    x, upstream = (tf.constant(rng.normal(1, 3, size=(5, 16)), tf.float32) for _ in range(2))
    layer = LayerNorm(16)
    layer.gamma.assign(rng.normal(size=16))
    layer.beta.assign(rng.normal(size=16))

    def plain(x: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[1], keepdims=True)
        normal = (x - mean) / tf.sqrt(variance + LAYER_NORM_EPSILON)
        return normal * layer.gamma.value + layer.beta.value

    def values(function: Callable[[tf.Tensor], tf.Tensor]) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return [y, *tape.gradient(y, [x, layer.gamma.value, layer.beta.value], upstream)]

    found = tf.function(values, autograph=False)(layer) if compiled else values(layer)
    for ours, derived in zip(found, values(plain), strict=True):
        np.testing.assert_allclose(ours, derived, rtol=1e-4, atol=1e-5)


def test_dropout_is_wherever_the_noise_is(model: Transformer) -> None:
    class Counting(NoNoise):
        shapes: tuple[tuple[int, ...], ...] = ()

        def dropout(self, x, rate):  # type: ignore[no-untyped-def]
            assert rate == SMALL.dropout_rate
            self.shapes += (tuple(x.shape),)
            return x

    noise = Counting()
    model(np.array([[5, 6, 3]], np.int32), np.array([[2, 7]], np.int32), noise=noise)
    # embedding, self-attention, feed-forward; and cross-attention in the decoder
    assert noise.shapes == ((3, 16),) * 3 + ((2, 16),) * 4


def test_the_loops_noise_fits_the_model(model: Transformer) -> None:
    source, target = np.array([[5, 6, 3]], np.int32), np.array([[2, 7]], np.int32)
    one, same, other = (
        np.asarray(model(source, target, noise=StepNoise(1, tf.constant(step, tf.int64)))) for step in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3
