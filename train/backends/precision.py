"""The type in which the machine computes fastest, found by a measurement and not by the processor's flags."""

from __future__ import annotations

import time
from collections.abc import Callable

from keras import ops

from train.model.transformer import Tensor

TRIALS = 6
Multiply = Callable[[Tensor, Tensor], Tensor]


def fastest_precision(multiply: Multiply) -> str:
    """ "bfloat16" where `multiply` of matrices is clearly faster in it than in float32, else "float32".

    Flags mislead: of two CPUs that both report avx512_bf16, one ran bfloat16 2.2 times faster than
    float32 and the other 1.8 times slower. The measurement takes about 0.1 s.
    """
    short, long = (_measure_seconds(multiply, dtype) for dtype in ("bfloat16", "float32"))
    return "bfloat16" if short < 0.8 * long else "float32"


def _measure_seconds(multiply: Multiply, dtype: str) -> float:
    """The best of `TRIALS` products [2048, 256] x [256, 1024], the shape of a feed-forward layer."""
    x, w = ops.ones((2048, 256), dtype), ops.ones((256, 1024), dtype)
    best = float("inf")
    for _ in range(TRIALS):
        began = time.perf_counter()
        float(ops.sum(multiply(x, w)))  # waits for a GPU too
        best = min(best, time.perf_counter() - began)
    return best
