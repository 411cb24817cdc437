"""The Transformer of common tutorials at the common task: Keras layers, batches padded to their longest sentence.

python -m benchmarks.training.keras_trainer TASK.json fit
    `Model.fit`, compiled as a graph (XLA off)
python -m benchmarks.training.keras_trainer TASK.json eager
    an explicit eager step with 64 pairs a batch, as in the original notebook of this repository
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.training.task import Meter, Task
from train.corpus.batches import collate
from train.corpus.encoding import Encoded
from train.model.transformer import sinusoids

LONGEST = 128
EAGER_PAIRS = 64


def transformer(task: Task) -> keras.Model:
    """Vaswani et al. 2017 as most tutorials write it: post-norm, a separate output layer, float32."""

    def embedded(ids: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Embedding(task.vocab_size, task.d_model, mask_zero=True)(ids)
        return layers.Dropout(task.dropout)(Positions(task.d_model)(x))

    def attended(x: keras.KerasTensor, memory: keras.KerasTensor, causal: bool) -> keras.KerasTensor:
        attention = layers.MultiHeadAttention(task.n_heads, task.d_model // task.n_heads, dropout=task.dropout)
        return normed(x, attention(x, memory, use_causal_mask=causal))

    def fed_forward(x: keras.KerasTensor) -> keras.KerasTensor:
        inner = layers.Dense(task.ffn_dim, activation="relu")(x)
        return normed(x, layers.Dense(task.d_model)(inner))

    def normed(x: keras.KerasTensor, change: keras.KerasTensor) -> keras.KerasTensor:
        return layers.LayerNormalization(epsilon=1e-6)(x + layers.Dropout(task.dropout)(change))

    source, target = layers.Input([None], dtype="int32"), layers.Input([None], dtype="int32")
    memory, x = embedded(source), embedded(target)
    for _ in range(task.layers):
        memory = fed_forward(attended(memory, memory, causal=False))
    for _ in range(task.layers):
        x = fed_forward(attended(attended(x, x, causal=True), memory, causal=False))
    return keras.Model([source, target], layers.Dense(task.vocab_size)(x))


class Positions(layers.Layer):
    """x [B, L, D] -> x sqrt(D) + sinusoids."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.supports_masking = True
        self.table = sinusoids(tf.range(1, LONGEST + 1), d_model)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return x * self.table.shape[1] ** 0.5 + self.table[: tf.shape(x)[1]]


def random_members(corpus: Encoded, pairs: int) -> Iterator[np.ndarray]:
    """Endless random batches of `pairs` sentence numbers; every call gives the same batches."""
    rng = np.random.default_rng(1)
    while True:
        order = rng.permutation(len(corpus))
        for start in range(0, len(order) - pairs, pairs):
            yield order[start : start + pairs]


def optimizer() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(1e-3, beta_2=0.98, epsilon=1e-9, global_clipnorm=1.0)


def run_fit(task: Task, corpus: Encoded, meter: Meter) -> None:
    """Train by `fit()` on batches of about `batch_tokens` target tokens."""
    pairs = round(task.batch_tokens / corpus.target_lengths.mean())
    source_lengths, target_lengths = corpus.source_lengths, corpus.target_lengths

    def examples() -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
        for members in random_members(corpus, pairs):
            batch = collate(corpus, members)
            yield (batch.source, batch.target[:, :-1]), batch.target[:, 1:]

    class Measure(keras.callbacks.Callback):
        trained = random_members(corpus, pairs)

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            members = next(self.trained)
            meter.update(source_lengths[members], target_lengths[members])
            self.model.stop_training = meter.done

    ids = tf.TensorSpec([None, None], tf.int32)
    data = tf.data.Dataset.from_generator(examples, output_signature=((ids, ids), ids)).prefetch(2)
    model = transformer(task)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile(optimizer(), loss, jit_compile=False)
    meter.begin()
    model.fit(data, epochs=1, steps_per_epoch=10**6, verbose=0, callbacks=[Measure()])


def run_eager(task: Task, corpus: Encoded, meter: Meter) -> None:
    """Train by an explicit loop without any `tf.function`."""
    model, adam = transformer(task), optimizer()
    source_lengths, target_lengths = corpus.source_lengths, corpus.target_lengths
    meter.begin()
    for members in random_members(corpus, EAGER_PAIRS):
        batch = collate(corpus, members)
        labels = tf.constant(batch.target[:, 1:])
        with tf.GradientTape() as tape:
            logits = model([tf.constant(batch.source), tf.constant(batch.target[:, :-1])], training=True)
            nll = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            mask = tf.cast(labels != 0, tf.float32)
            loss = tf.reduce_sum(nll * mask) / tf.reduce_sum(mask)
        adam.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        loss.numpy()
        meter.update(source_lengths[members], target_lengths[members])
        if meter.done:
            return


def main() -> None:
    task = Task.from_json(Path(sys.argv[1]).read_text())
    corpus = Encoded(**np.load(task.path("ids.npz")))
    meter = Meter(task)
    {"fit": run_fit, "eager": run_eager}[sys.argv[2]](task, corpus, meter)
    meter.report()


if __name__ == "__main__":
    main()
