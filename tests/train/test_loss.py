"""The fused loss against the same formula written plainly, in value and in gradient."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from train.loss import CHUNK, smoothed_cross_entropy
from train.tokenizer import PAD

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
    """TensorFlow's own gradients of the smoothed loss in `hidden` and `table`, in float64."""
    h, t = tf.Variable(hidden.astype(np.float64)), tf.Variable(table.astype(np.float64))
    with tf.GradientTape() as tape:
        target = tf.one_hot(labels, VOCABULARY, dtype=tf.float64) * (1 - smoothing) + smoothing / VOCABULARY
        loss = tf.nn.softmax_cross_entropy_with_logits(target, tf.matmul(h, t, transpose_b=True))
        total = tf.reduce_sum(tf.where(labels != PAD, loss, 0))
    return tuple(tf.convert_to_tensor(g).numpy() for g in tape.gradient(total, [h, t]))


def fused(
    hidden: np.ndarray, table: np.ndarray, labels: np.ndarray, smoothing: float, factor: float = 1.0
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """(loss, nll, d_hidden, d_table) of `factor` times the loss."""
    h, t = tf.Variable(hidden), tf.Variable(table)
    with tf.GradientTape() as tape:
        loss, nll = smoothed_cross_entropy(tf.convert_to_tensor(h), tf.convert_to_tensor(t), labels, smoothing)
        scaled = loss * factor
    return float(loss), float(nll), *(tf.convert_to_tensor(g).numpy() for g in tape.gradient(scaled, [h, t]))


@pytest.mark.parametrize(
    ("rows", "padding"), [(1, 0), (37, 5), (CHUNK - 1, 0), (CHUNK, 0), (CHUNK + 1, 1), (2 * CHUNK + 300, 200)]
)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_value_and_gradients_are_those_of_the_plain_formula(rows: int, padding: int, smoothing: float) -> None:
    hidden, table, labels = inputs(rows, padding)
    loss, nll, d_hidden, d_table = fused(hidden, table, labels, smoothing)
    assert (loss, nll) == pytest.approx(plain_numpy(hidden, table, labels, smoothing), rel=1e-4)
    expected_hidden, expected_table = plain_gradients(hidden, table, labels, smoothing)
    np.testing.assert_allclose(d_hidden, expected_hidden, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(d_table, expected_table, rtol=1e-4, atol=1e-3)


def test_padding_rows_contribute_nothing() -> None:
    hidden, table, labels = inputs(40, padding=10)
    loss, nll, d_hidden, d_table = fused(hidden, table, labels, 0.1)
    short = fused(hidden[:30], table, labels[:30], 0.1)
    assert (loss, nll) == (short[0], short[1])
    np.testing.assert_array_equal(d_hidden[:30], short[2])
    np.testing.assert_array_equal(d_hidden[30:], 0)
    np.testing.assert_array_equal(d_table, short[3])


def test_gradients_follow_what_is_done_with_the_loss() -> None:
    arguments = inputs(40)
    _, _, d_hidden, d_table = fused(*arguments, 0.1)
    _, _, third_hidden, third_table = fused(*arguments, 0.1, factor=1 / 3)
    np.testing.assert_allclose(third_hidden, d_hidden / 3, rtol=1e-5)
    np.testing.assert_allclose(third_table, d_table / 3, rtol=1e-5)


def test_bfloat16_keeps_the_tables_gradient_in_float32() -> None:
    hidden, table, labels = inputs(CHUNK + 40)
    h = tf.cast(hidden, tf.bfloat16)
    t = tf.convert_to_tensor(table)
    with tf.GradientTape() as tape:
        tape.watch([h, t])
        loss, _ = smoothed_cross_entropy(h, t, labels, 0.1)
    d_hidden, d_table = tape.gradient(loss, [h, t])
    assert (d_hidden.dtype, d_table.dtype) == (tf.bfloat16, tf.float32)
    expected = plain_gradients(hidden, table, labels, 0.1)[1]
    assert np.abs(d_table.numpy() - expected).max() < 0.05 * np.abs(expected).max()
    assert float(loss) == pytest.approx(plain_numpy(hidden, table, labels, 0.1)[0], rel=0.01)
