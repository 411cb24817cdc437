"""The Transformer: what it may see, what it returns, and the names that checkpoints and the export rely on."""

from __future__ import annotations

import numpy as np
import pytest
from keras import backend, ops

from tests.train.frameworks import gradient, step_noise, to_numpy
from train.model.config import LAYER_NORM_EPSILON, TransformerConfig
from train.model.transformer import LayerNorm, NoNoise, Transformer, sinusoids, weights_by_name

SMALL = TransformerConfig(vocab_size=64, d_model=16, ffn_dim=32, n_heads=2, encoder_layers=1, decoder_layers=1)


@pytest.fixture(scope="module")
def model() -> Transformer:
    return Transformer(SMALL, seed=1)


def hidden(model: Transformer, source: list[list[int]], target: list[list[int]]) -> np.ndarray:
    """[B, T, D]"""
    states = model(np.array(source, np.int32), np.array(target, np.int32), noise=NoNoise())
    return to_numpy(states).reshape(len(target), len(target[0]), -1)


def test_positions_are_those_of_the_export() -> None:
    """As CTranslate2 computes them: positions from 1, all sines, then all cosines."""
    positions, timescales = np.arange(1, 51), 10_000 ** -(np.arange(8) / 7)
    angles = np.outer(positions, timescales)
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(to_numpy(sinusoids(positions, 16)), expected, atol=1e-5)


def test_a_cache_in_the_place_of_earlier_tokens_changes_nothing(model: Transformer) -> None:
    """Token by token, with two rows for each sentence, as a search decodes."""
    source, target = np.array([[5, 6, 3], [7, 3, 0]], np.int32), np.array([[2, 7, 8, 9], [2, 9, 4, 4]], np.int32)
    memory = model.encode(source, NoNoise())
    whole = model.decode(target, memory, NoNoise())
    rows = np.repeat(target, 2, axis=0)
    decoded = model.decode(rows[:, :2], model.encode(np.repeat(source, 2, axis=0), NoNoise()), NoNoise())
    for position in (2, 3):
        decoded = model.decode(rows[:, position : position + 1], memory, NoNoise(), decoded.cache)
        expected = to_numpy(whole.hidden).reshape(2, 4, 16)[:, position].repeat(2, axis=0)
        np.testing.assert_allclose(to_numpy(decoded.hidden), expected, atol=1e-5)
        attention = to_numpy(decoded.attention[0])  # [B, H, 2, S]: the rows of a sentence stand side by side
        expected = to_numpy(whole.attention[0])[:, :, [position, position]]
        np.testing.assert_allclose(attention, expected, atol=1e-5)
    for cached, computed in zip(decoded.cache, whole.cache, strict=True):
        np.testing.assert_allclose(to_numpy(cached.keys), to_numpy(computed.keys).repeat(2, axis=0), atol=1e-5)


def test_each_place_of_dropout_draws_once(model: Transformer) -> None:
    """Keras calls a layer twice when it must find out its weights, and the first step's masks would be others."""
    one, other = (Transformer(SMALL, seed=1) for _ in range(2))
    source, target = np.array([[5, 6, 3]], np.int32), np.array([[2, 7]], np.int32)
    first, again = (to_numpy(one(source, target, noise=step_noise(1, 1))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other(source, target, noise=NoNoise())
    np.testing.assert_array_equal(to_numpy(other(source, target, noise=step_noise(1, 1))), first)


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
        return to_numpy(weights_by_name(Transformer(SMALL, seed))["decoder_0/ffn/inner/kernel"])

    np.testing.assert_array_equal(kernel(1), kernel(1))
    assert np.abs(kernel(1) - kernel(2)).max() > 0.01


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_logits_and_weights_are_float32_in_either_precision(precision: str) -> None:
    model = Transformer(TransformerConfig(**{**vars(SMALL), "precision": precision}), seed=1)
    states = model(np.array([[5, 3], [6, 3]], np.int32), np.array([[2, 7, 8], [2, 7, 8]], np.int32), noise=NoNoise())
    logits = model.logits(states)
    types = [backend.standardize_dtype(tensor.dtype) for tensor in (states, logits)]
    assert (tuple(states.shape), tuple(logits.shape), types) == ((6, 16), (6, 64), [precision, "float32"])
    assert {variable.dtype for variable in weights_by_name(model).values()} == {"float32"}


def test_bfloat16_computes_nearly_the_same(model: Transformer) -> None:
    short = Transformer(TransformerConfig(**{**vars(SMALL), "precision": "bfloat16"}), seed=1)
    exact = hidden(model, [[5, 6, 3]], [[2, 7, 8]])
    difference = np.abs(hidden(short, [[5, 6, 3]], [[2, 7, 8]]).astype(np.float32) - exact).max()
    assert 0 < difference < 0.1


def test_layer_norms_own_gradient_is_that_of_its_formula() -> None:
    """Against the slope of the formula in float64."""
    rng = np.random.default_rng(1)
    x, upstream, gamma, beta = (rng.normal(1, 3, size=shape) for shape in ((5, 16), (5, 16), 16, 16))
    layer = LayerNorm(16)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)

    def normal(x: np.ndarray) -> np.ndarray:
        variance = x.var(axis=1, keepdims=True) + LAYER_NORM_EPSILON
        return (x - x.mean(axis=1, keepdims=True)) / np.sqrt(variance) * gamma + beta

    steps = 1e-5 * np.eye(x.size).reshape(-1, *x.shape)
    slopes = [((normal(x + step) - normal(x - step)) * upstream).sum() / 2e-5 for step in steps]
    np.testing.assert_allclose(to_numpy(layer(x.astype(np.float32))), normal(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(gradient(layer, x, upstream), np.reshape(slopes, x.shape), rtol=1e-3, atol=1e-4)


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


def test_of_a_dropped_word_only_its_place_is_left(model: Transformer) -> None:
    class Second(NoNoise):
        def word_dropout(self, x, rate):  # type: ignore[no-untyped-def]
            assert rate == 0.25
            return x * ops.reshape(ops.convert_to_tensor([1.0, 0.0, 1.0]), (1, 3, 1))

    forgetful = Transformer(TransformerConfig(**{**vars(SMALL), "word_dropout": 0.25}), seed=1)
    source, target = np.array([[5, 6, 3]], np.int32), np.array([[2, 7, 8]], np.int32)
    states = {}
    for name, changed in (("as it is", [[5, 6, 3]]), ("another", [[5, 9, 3]]), ("outside", [[5, 6, 9]])):
        states[name] = to_numpy(forgetful(np.array(changed, np.int32), target, noise=Second()))
    np.testing.assert_array_equal(states["another"], states["as it is"])
    assert np.abs(states["outside"] - states["as it is"]).max() > 1e-3
    embedded = to_numpy(forgetful._embed(source, Second()))
    np.testing.assert_allclose(embedded[1], to_numpy(sinusoids(np.arange(1, 4), 16))[1], atol=1e-5)


def test_the_loops_noise_fits_the_model(model: Transformer) -> None:
    source, target = np.array([[5, 6, 3]], np.int32), np.array([[2, 7]], np.int32)
    one, same, other = (to_numpy(model(source, target, noise=step_noise(1, step))) for step in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3
