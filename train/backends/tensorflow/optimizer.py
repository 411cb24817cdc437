"""The optimizer of the TensorFlow loop: Adam, and the moving average that is exported."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from train.job.hyperparameters import Hyperparameters
from train.model.transformer import Transformer, weights_by_name
from train.training.schedule import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, adam_rate, average_share


class TrainState:
    """Weights, Adam's two moments and the moving average of the weights, each by the weight's name.

    Made inside the strategy's scope, so that every replica has its copy and all copies stay equal.
    """

    def __init__(self, model: Transformer) -> None:
        self.model = model
        self.weights: dict[str, tf.Variable] = {
            name: variable.value for name, variable in weights_by_name(model).items()
        }
        zeros = {name: np.zeros(weight.shape, np.float32) for name, weight in self.weights.items()}
        self.first = {name: tf.Variable(zero) for name, zero in zeros.items()}
        self.second = {name: tf.Variable(zero) for name, zero in zeros.items()}
        self.average = {name: tf.Variable(weight.numpy()) for name, weight in self.weights.items()}

    def groups(self) -> dict[str, dict[str, tf.Variable]]:
        return {"weights": self.weights, "first": self.first, "second": self.second, "average": self.average}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(weight.shape) for name, weight in self.weights.items()}

    def begin_with(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take weights and average from an earlier model."""
        for name, array in weights.items():
            self.weights[name].assign(array)
            self.average[name].assign(array)

    def tensors(self) -> dict[str, np.ndarray]:
        """Everything a checkpoint holds, as `group/name` -> array."""
        return {
            f"{group}/{name}": variable.numpy()
            for group, variables in self.groups().items()
            for name, variable in variables.items()
        }

    def restore(self, tensors: dict[str, np.ndarray]) -> None:
        for group, variables in self.groups().items():
            for name, variable in variables.items():
                variable.assign(tensors[f"{group}/{name}"])

    def averaged_weights(self) -> dict[str, np.ndarray]:
        """The weights to evaluate and export, float32."""
        return {name: variable.numpy() for name, variable in self.average.items()}


def apply_gradients(
    state: TrainState, gradients: dict[str, tf.Tensor], step: tf.Tensor, hp: Hyperparameters, warmup: int
) -> None:
    """Clip, then one update of every weight; `gradients` are already summed over the replicas.

    To be called in replica context; `step` counts updates from 1.
    """
    names = list(gradients)
    clipped, _ = tf.clip_by_global_norm([tf.convert_to_tensor(gradients[name]) for name in names], hp.clip_norm)
    step = tf.cast(step, tf.float32)
    rate, share = adam_rate(step, hp, warmup), average_share(step, hp)

    def update_all(strategy: tf.distribute.Strategy, by_name: dict[str, tf.Tensor], rate: tf.Tensor, share: tf.Tensor):
        for name, gradient in by_name.items():
            slots = (state.first[name], state.second[name], state.average[name])
            strategy.extended.update(state.weights[name], _update, args=(gradient, *slots, rate, share), group=False)

    context = tf.distribute.get_replica_context()
    context.merge_call(update_all, args=(dict(zip(names, clipped, strict=True)), rate, share))


def _update(
    weight: tf.Variable,
    gradient: tf.Tensor,
    first: tf.Variable,
    second: tf.Variable,
    average: tf.Variable,
    rate: tf.Tensor,
    share: tf.Tensor,
) -> None:
    """Adam's algorithm 1 on one weight, then one step of its moving average.

    TensorFlow's own fused updates: written out as operations on tensors the same formulas move three times the
    memory, which is all that they cost. The bias corrections are in `rate`, hence powers of zero.
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
