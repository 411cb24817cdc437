"""The loss in TensorFlow: label-smoothed cross-entropy over the vocabulary, as one fused operation.

Written as separate operations, the projection to V logits, the softmax and their gradients take a third of a
training step on a CPU, nearly all of it to move [N, V] arrays through memory. Here the projection, the softmax and
the gradient are computed for one chunk of rows after the other, and only d_hidden and d_table are kept.
"""

from __future__ import annotations

import tensorflow as tf

from container.vocabulary import PAD

CHUNK = 512  # rows: 512 x 8,000 logits in float32 are 16 MB


def smoothed_cross_entropy(
    hidden: tf.Tensor, table: tf.Tensor, labels: tf.Tensor, smoothing: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sum over the unpadded tokens of the smoothed loss (to be minimised) and of the plain one (to be reported).

    hidden [N, D] in the compute type, table [V, D] float32 (the tied embedding), labels [N] int32.
    The smoothed target is (1 - smoothing) on the label and smoothing spread evenly over all V
    (Szegedy et al. 2016, arXiv:1512.00567). Differentiable once, in `hidden` and `table`.
    """

    @tf.custom_gradient
    def fused(hidden: tf.Tensor, table: tf.Tensor):
        loss, nll, d_hidden, d_table = _forward_and_gradient(hidden, table, labels, smoothing)

        def gradient(d_loss: tf.Tensor, _d_nll: tf.Tensor):
            return d_hidden * tf.cast(d_loss, d_hidden.dtype), d_table * d_loss

        return (loss, nll), gradient

    return fused(hidden, table)


def _forward_and_gradient(
    hidden: tf.Tensor, table: tf.Tensor, labels: tf.Tensor, smoothing: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """(loss, nll, d_hidden [N, D], d_table [V, D]); the gradients are those of `loss`."""
    rows = tf.shape(labels)[0]
    chunks = (rows + CHUNK - 1) // CHUNK
    padding = chunks * CHUNK - rows
    hidden = tf.pad(hidden, [[0, padding], [0, 0]])
    labels = tf.pad(labels, [[0, padding]], constant_values=PAD)
    compute_table = tf.cast(table, hidden.dtype)

    def body(index, loss, nll, d_hidden, d_table):
        window = slice(index * CHUNK, (index + 1) * CHUNK)
        h = tf.ensure_shape(hidden[window], [CHUNK, hidden.shape[1]])
        y = tf.ensure_shape(labels[window], [CHUNK])
        logits = tf.matmul(h, compute_table, transpose_b=True)
        chunk_loss, chunk_nll, d_logits = _softmax_part(logits, y, smoothing)
        d_hidden = d_hidden.write(index, tf.matmul(d_logits, compute_table))
        d_table += tf.cast(tf.matmul(d_logits, h, transpose_a=True), tf.float32)
        return index + 1, loss + chunk_loss, nll + chunk_nll, d_hidden, d_table

    _, loss, nll, d_hidden, d_table = tf.while_loop(
        lambda index, *_: index < chunks,
        body,
        (
            tf.constant(0),
            tf.constant(0.0),
            tf.constant(0.0),
            tf.TensorArray(hidden.dtype, size=chunks, element_shape=[CHUNK, hidden.shape[1]]),
            tf.zeros_like(table),
        ),
        parallel_iterations=1,
    )
    return loss, nll, d_hidden.concat()[:rows], d_table


@tf.function(jit_compile=True, autograph=False)
def _softmax_part(logits: tf.Tensor, labels: tf.Tensor, smoothing: float) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """logits [C, V], labels [C] -> (loss, nll, d_logits [C, V] in the type of `logits`). One pass, by XLA."""
    compute_type = logits.dtype
    vocabulary = logits.shape[1]
    logits = tf.cast(logits, tf.float32)
    weights = tf.cast(labels != PAD, tf.float32)
    is_label = tf.range(vocabulary, dtype=labels.dtype)[None, :] == labels[:, None]
    log_sum = tf.reduce_logsumexp(logits, axis=1)
    of_label = tf.reduce_sum(tf.where(is_label, logits, 0.0), axis=1)
    nll = log_sum - of_label
    spread = log_sum - tf.reduce_mean(logits, axis=1)
    loss = (1.0 - smoothing) * nll + smoothing * spread
    target = tf.where(is_label, 1.0 - smoothing, 0.0) + smoothing / vocabulary
    d_logits = (tf.exp(logits - log_sum[:, None]) - target) * weights[:, None]
    return tf.reduce_sum(loss * weights), tf.reduce_sum(nll * weights), tf.cast(d_logits, compute_type)
