"""One update of the weights in TensorFlow: clipping, Adam, and the moving average that is exported."""

from __future__ import annotations

import math

import tensorflow as tf

from train.backends.schedule import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, learning_rate
from train.backends.state import TrainState
from train.job.hyperparameters import Hyperparameters


def adam_rate(step: int, hp: Hyperparameters, warmup: int) -> float:
    """The learning rate with both bias corrections in it; `step` counts from 1.

    Kingma & Ba 2015 (arXiv:1412.6980), end of section 2.
    """
    correction = math.sqrt(1.0 - ADAM_BETA_2**step) / (1.0 - ADAM_BETA_1**step)
    return learning_rate(step, hp.learning_rate, warmup) * correction


def apply_gradients(
    state: TrainState, gradients: dict[str, tf.Tensor], rate: tf.Tensor, share: tf.Tensor, clip_norm: float
) -> None:
    """Clip by the norm of all gradients together, then one update of every weight; to be called in replica context.

    gradients: already summed over the replicas. rate, share: scalars, of `adam_rate` and `average_share`.
    """
    clipped, _ = tf.clip_by_global_norm([tf.convert_to_tensor(gradient) for gradient in gradients.values()], clip_norm)

    def update_all(strategy: tf.distribute.Strategy, by_name: dict[str, tf.Tensor], rate: tf.Tensor, share: tf.Tensor):
        for name, gradient in by_name.items():
            weight, *slots = (variables[name].value for variables in state.groups().values())
            strategy.extended.update(weight, _update, args=(gradient, *slots, rate, share), group=False)

    context = tf.distribute.get_replica_context()
    context.merge_call(update_all, args=(dict(zip(gradients, clipped, strict=True)), rate, share))


def _update(
    weight: tf.Variable,
    gradient: tf.Tensor,
    first: tf.Variable,
    second: tf.Variable,
    average: tf.Variable,
    rate: tf.Tensor,
    share: tf.Tensor,
) -> None:
    """Adam on one weight, then one step of its moving average.

    These are TensorFlow's fused updates: the same formulas as operations on tensors move three times the memory,
    and memory is all that they cost. The bias corrections are in `rate`, hence the powers of zero.
    """
    tf.raw_ops.ResourceApplyAdam(
        var=weight.handle,
        m=first.handle,
        v=second.handle,
        beta1_power=0.0,
        beta2_power=0.0,
        lr=rate,
        beta1=ADAM_BETA_1,
        beta2=ADAM_BETA_2,
        epsilon=ADAM_EPSILON,
        grad=gradient,
    )
    tf.raw_ops.ResourceApplyGradientDescent(var=average.handle, alpha=share, delta=average - weight)
