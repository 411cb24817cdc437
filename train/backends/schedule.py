"""What changes from update to update, for every framework: the learning rate and the weight of the moving average."""

from __future__ import annotations

import math

from train.job.hyperparameters import Hyperparameters

ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON = 0.9, 0.98, 1e-9  # Vaswani et al. 2017, section 5.3


def warmup_steps(hp: Hyperparameters, planned: int) -> int:
    """The updates of the warm-up: at most a tenth of the planned ones, at least one."""
    return max(1, min(hp.warmup_steps, math.ceil(planned / 10)))


def learning_rate(step: int, peak: float, warmup: int) -> float:
    """A linear rise to `peak`, then a decay with the inverse square root of the step, which counts from 1."""
    return peak * min(step / warmup, math.sqrt(warmup / step))


def average_share(step: int, hp: Hyperparameters) -> float:
    """How far the moving average goes towards the new weights at `step`, which counts from 1.

    Its memory grows with the step, so the average of a short run is not mostly its first weights.
    """
    return 1.0 - min(hp.ema_decay, step / (9.0 + step))
