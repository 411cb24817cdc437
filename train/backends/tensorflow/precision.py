"""What the machine computes fastest in, found by asking it rather than by its flags."""

from __future__ import annotations

import time

import tensorflow as tf

TRIALS = 5


def fastest_precision() -> str:
    """ "bfloat16" where its matrix products are clearly faster than float32's, else "float32".

    Flags mislead: of two CPUs that both report avx512_bf16, one ran bfloat16 2.2 times faster than
    float32 and the other 1.8 times slower. The measurement takes about 0.1 s.
    """
    return "bfloat16" if _seconds(tf.bfloat16) < 0.8 * _seconds(tf.float32) else "float32"


def _seconds(dtype: tf.DType) -> float:
    """Best of `TRIALS` products [2048, 256] x [256, 1024], the shape of a feed-forward layer."""
    x, w = tf.ones([2048, 256], dtype), tf.ones([256, 1024], dtype)
    product = tf.function(tf.matmul, autograph=False)
    tf.reduce_sum(product(x, w)).numpy()
    best = float("inf")
    for _ in range(TRIALS):
        began = time.perf_counter()
        tf.reduce_sum(product(x, w)).numpy()
        best = min(best, time.perf_counter() - began)
    return best
