"""The highest rate of matrix products on this machine: each product of the model, the best of five runs.

python -m benchmarks.training.matmul_peak TASK.json      prints {"float32": operations a second, "bfloat16": ...}
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from benchmarks.training.task import Task

TRIALS = 5


def matmul_peak(task: Task, dtype: tf.DType) -> float:
    """Operations a second over all shapes of the model, forward and both gradients, each the best of `TRIALS` runs."""
    d, f, v, rows = task.d_model, task.ffn_dim, task.vocab_size, task.batch_tokens
    layers = 2 * task.layers
    shapes = {(d, 3 * d): layers, (d, d): layers, (d, f): layers, (f, d): layers, (d, v): 1}
    work = seconds = 0.0
    for (inner, outer), count in shapes.items():
        x, w, g = tf.ones([rows, inner], dtype), tf.ones([inner, outer], dtype), tf.ones([rows, outer], dtype)
        for a, b, transposed in ((x, w, {}), (g, w, {"transpose_b": True}), (x, g, {"transpose_a": True})):
            seconds += count * _best(a, b, transposed)
            work += count * 2.0 * rows * inner * outer
    return work / seconds


def _best(a: tf.Tensor, b: tf.Tensor, transposed: dict[str, bool]) -> float:
    product = tf.function(lambda a, b: tf.matmul(a, b, **transposed), autograph=False)
    product(a, b)
    best = float("inf")
    for _ in range(TRIALS):
        began = time.perf_counter()
        product(a, b)
        best = min(best, time.perf_counter() - began)
    return best


if __name__ == "__main__":
    given = Task.from_json(Path(sys.argv[1]).read_text())
    print(json.dumps({dtype.name: matmul_peak(given, dtype) for dtype in (tf.float32, tf.bfloat16)}))
