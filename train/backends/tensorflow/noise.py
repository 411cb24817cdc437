"""Random bytes of TensorFlow's stateless generator."""

from __future__ import annotations

import tensorflow as tf

from train.backends.noise import ByteNoise


class StepNoise(ByteNoise):
    """See `ByteNoise`. step: int64 scalar."""

    def __init__(self, seed: int, step: tf.Tensor) -> None:
        super().__init__()
        self._seed, self._step = seed, tf.cast(step, tf.int64)

    def random_bytes(self, x: tf.Tensor, *, per_vector: bool) -> tf.Tensor:
        shape = tf.concat([tf.shape(x)[:-1], [1]], axis=0) if per_vector else tf.shape(x)
        size = tf.reduce_prod(shape)
        key = tf.stack([tf.constant(self._seed * 1009 + self.calls, tf.int64), self._step])
        words = tf.random.stateless_uniform([(size + 3) // 4], key, minval=None, maxval=None, dtype=tf.int32)
        return tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size], shape)
