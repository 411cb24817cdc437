"""The fused loss against the same formula written plainly, in value and in gradient."""

from __future__ import annotations

import numpy as np
import pytest

from container.vocabulary import PAD
from tests.train.frameworks import CHUNK, loss_of

WIDTH, VOCABULARY = 8, 50


def inputs(rows: int, padding: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """hidden [N, D], table [V, D], labels [N], the last `padding` of them PAD."""
    rng = np.random.default_rng(rows)
    labels = rng.integers(1, VOCABULARY, rows).astype(np.int32)
    labels[rows - padding :] = PAD
    hidden = rng.normal(size=(rows, WIDTH)).astype(np.float32)
    return hidden, rng.normal(size=(VOCABULARY, WIDTH)).astype(np.float32), labels


def plain_numpy(hidden: np.ndarray, table: np.ndarray, labels: np.ndarray, smoothing: float) -> tuple[float, float]:
    """(smoothed, plain) cross-entropy summed over the unpadded rows, in float64."""
    logits = hidden.astype(np.float64) @ table.astype(np.float64).T
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    target = np.full_like(log_p, smoothing / VOCABULARY)
    target[np.arange(len(labels)), labels] += 1 - smoothing
    kept = labels != PAD
    return -(target * log_p)[kept].sum(), -log_p[np.arange(len(labels)), labels][kept].sum()


def plain_gradients(
    hidden: np.ndarray, table: np.ndarray, labels: np.ndarray, smoothing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of the smoothed loss in `hidden` and `table`, by the textbook's formula, in float64."""
    hidden, table = hidden.astype(np.float64), table.astype(np.float64)
    exponents = np.exp(hidden @ table.T)
    target = np.full_like(exponents, smoothing / VOCABULARY)
    target[np.arange(len(labels)), labels] += 1 - smoothing
    d_logits = (exponents / exponents.sum(axis=1, keepdims=True) - target) * (labels != PAD)[:, None]
    return d_logits @ table, d_logits.T @ hidden


@pytest.mark.parametrize(
    ("rows", "padding"), [(1, 0), (37, 5), (CHUNK - 1, 0), (CHUNK, 0), (CHUNK + 1, 1), (2 * CHUNK + 300, 200)]
)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_value_and_gradients_are_those_of_the_plain_formula(rows: int, padding: int, smoothing: float) -> None:
    hidden, table, labels = inputs(rows, padding)
    loss, nll, d_hidden, d_table, _ = loss_of(hidden, table, labels, smoothing)
    assert (loss, nll) == pytest.approx(plain_numpy(hidden, table, labels, smoothing), rel=1e-4)
    expected_hidden, expected_table = plain_gradients(hidden, table, labels, smoothing)
    np.testing.assert_allclose(d_hidden, expected_hidden, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(d_table, expected_table, rtol=1e-4, atol=1e-3)


def test_padding_rows_contribute_nothing() -> None:
    hidden, table, labels = inputs(40, padding=10)
    loss, nll, d_hidden, d_table, _ = loss_of(hidden, table, labels, 0.1)
    short = loss_of(hidden[:30], table, labels[:30], 0.1)
    assert (loss, nll) == pytest.approx((short.smoothed, short.plain), rel=1e-6)  # PyTorch adds in another order
    np.testing.assert_allclose(d_hidden[:30], short.d_hidden, rtol=1e-6)
    np.testing.assert_array_equal(d_hidden[30:], 0)
    np.testing.assert_allclose(d_table, short.d_table, rtol=1e-5, atol=1e-6)


def test_gradients_follow_what_is_done_with_the_loss() -> None:
    arguments = inputs(40)
    whole, third = (loss_of(*arguments, 0.1, factor=factor) for factor in (1.0, 1 / 3))
    np.testing.assert_allclose(third.d_hidden, whole.d_hidden / 3, rtol=1e-5)
    np.testing.assert_allclose(third.d_table, whole.d_table / 3, rtol=1e-5)


def test_bfloat16_keeps_the_tables_gradient_in_float32() -> None:
    hidden, table, labels = inputs(CHUNK + 40)
    found = loss_of(hidden, table, labels, 0.1, precision="bfloat16")
    assert found.types == ("bfloat16", "float32")
    expected = plain_gradients(hidden, table, labels, 0.1)[1]
    assert np.abs(found.d_table - expected).max() < 0.05 * np.abs(expected).max()
    assert found.smoothed == pytest.approx(plain_numpy(hidden, table, labels, 0.1)[0], rel=0.01)
