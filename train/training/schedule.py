"""What both loops do alike at every step: the learning rate, Adam's constants, the weight of the moving average.

In `keras.ops`, so the same lines run inside a TensorFlow graph and on PyTorch's tensors.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from train.job.hyperparameters import Hyperparameters

ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON = 0.9, 0.98, 1e-9  # Vaswani et al. 2017, section 5.3
Scalar = Any  # a tensor of shape []


def warmup_steps(hp: Hyperparameters, planned: int) -> int:
    """The warm-up in updates: at most a tenth of the planned ones, at least one."""
    return max(1, min(hp.warmup_steps, math.ceil(planned / 10)))


def learning_rate(step: Scalar | int, peak: float, warmup: int) -> Scalar:
    """Linear warm-up to `peak`, then decay with the inverse square root of the step (from 1); float32 scalar."""
    step = ops.cast(step, "float32")
    return peak * ops.minimum(step / warmup, ops.sqrt(warmup / step))


def adam_rate(step: Scalar, hp: Hyperparameters, warmup: int) -> Scalar:
    """The learning rate with both bias corrections folded in; `step` is a float32 scalar from 1.

    Kingma & Ba 2015 (arXiv:1412.6980), section 2.
    """
    correction = ops.sqrt(1.0 - ADAM_BETA_2**step) / (1.0 - ADAM_BETA_1**step)
    return learning_rate(step, hp.learning_rate, warmup) * correction


def average_share(step: Scalar, hp: Hyperparameters) -> Scalar:
    """How far the moving average goes towards the new weights at `step`, a float32 scalar from 1.

    Its memory grows with the step, so that a short run is averaged too and not mostly its first weights.
    """
    return 1.0 - ops.minimum(hp.ema_decay, step / (9.0 + step))
