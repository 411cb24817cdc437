"""What the tests of `train` need of a framework, so that the same test holds for both.

A test that touches TensorFlow or PyTorch through this module and `keras.ops` alone runs twice: with TensorFlow by
itself, and with PyTorch in .venv-torch, started by test_pytorch.py with KERAS_BACKEND=torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from train.backends.backend import Backend
from train.backends.choice import open_backend
from train.job.cluster import SINGLE_HOST
from train.job.hyperparameters import Hyperparameters, parse
from train.model.transformer import Noise

__all__ = ["CHUNK", "FRAMEWORK", "Loss", "apply_gradients", "backend", "gradient", "loss_of", "step_noise", "to_numpy"]
FRAMEWORK = "pytorch" if os.environ.get("KERAS_BACKEND") == "torch" else "tensorflow"


class Loss(NamedTuple):
    """A loss in value and gradient, and the types of the gradients by their names."""

    smoothed: float
    plain: float
    d_hidden: np.ndarray
    d_table: np.ndarray
    types: tuple[str, str]


def backend() -> Backend:
    return open_backend(parse({"framework": FRAMEWORK}), SINGLE_HOST)


def to_numpy(tensor: Any) -> np.ndarray:
    """float32 in the place of bfloat16, which NumPy does not have."""
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))


if FRAMEWORK == "pytorch":
    import torch

    from train.backends.pytorch import noise, optimizer
    from train.backends.pytorch.loss import CHUNK, smoothed_cross_entropy

    def step_noise(seed: int, step: int) -> Noise:
        return noise.StepNoise(seed, step)

    def apply_gradients(
        state: Any, gradients: dict[str, np.ndarray], step: int, hp: Hyperparameters, warmup: int
    ) -> None:
        for name, weight in state.weights.items():
            weight.value.grad = torch.tensor(gradients[name], dtype=torch.float32) if name in gradients else None
        optimizer.apply_gradients(state, optimizer.make_adam(state), step, hp, warmup)

    def gradient(function: Callable[[Any], Any], x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
        """That of `function` at x in float32, for the gradient `upstream` of its result."""
        at = torch.tensor(x, dtype=torch.float32, requires_grad=True)
        return to_numpy(torch.autograd.grad(function(at), at, torch.tensor(upstream, dtype=torch.float32))[0])

    def _differentiated(hidden: Any, table: Any, labels: Any, smoothing: float, factor: float, precision: str) -> Loss:
        h = torch.tensor(hidden, dtype=getattr(torch, precision), requires_grad=True)
        t = torch.tensor(table, requires_grad=True)
        smoothed, plain = smoothed_cross_entropy(h, t, torch.tensor(labels), smoothing)
        gradients = torch.autograd.grad(smoothed * factor, [h, t])
        return _loss(smoothed, plain, gradients)

else:
    import tensorflow as tf

    from train.backends.schedule import average_share
    from train.backends.tensorflow import noise, optimizer
    from train.backends.tensorflow.loss import CHUNK, smoothed_cross_entropy

    def step_noise(seed: int, step: int) -> Noise:
        return noise.StepNoise(seed, tf.constant(step, tf.int64))

    def apply_gradients(
        state: Any, gradients: dict[str, np.ndarray], step: int, hp: Hyperparameters, warmup: int
    ) -> None:
        tensors = {name: tf.constant(gradient, tf.float32) for name, gradient in gradients.items()}
        rate, share = optimizer.adam_rate(step, hp, warmup), average_share(step, hp)
        optimizer.apply_gradients(state, tensors, tf.constant(rate), tf.constant(share), hp.clip_norm)

    def gradient(function: Callable[[Any], Any], x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
        """That of `function` at x in float32, for the gradient `upstream` of its result."""
        at = tf.constant(x, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(at)
            y = function(at)
        return to_numpy(tape.gradient(y, at, tf.constant(upstream, tf.float32)))

    def _differentiated(hidden: Any, table: Any, labels: Any, smoothing: float, factor: float, precision: str) -> Loss:
        h, t = tf.cast(hidden, precision), tf.convert_to_tensor(table)
        with tf.GradientTape() as tape:
            tape.watch([h, t])
            smoothed, plain = smoothed_cross_entropy(h, t, labels, smoothing)
            scaled = smoothed * factor
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(scaled, [h, t])]
        return _loss(smoothed, plain, gradients)


def loss_of(
    hidden: np.ndarray,
    table: np.ndarray,
    labels: np.ndarray,
    smoothing: float,
    *,
    factor: float = 1.0,
    precision: str = "float32",
) -> Loss:
    """The fused loss in a compute type, and the gradients of `factor` times the smoothed one."""
    return _differentiated(hidden, table, labels, smoothing, factor, precision)


def _loss(smoothed: Any, plain: Any, gradients: Any) -> Loss:
    d_hidden, d_table = (to_numpy(gradient) for gradient in gradients)
    types = tuple(keras.backend.standardize_dtype(gradient.dtype) for gradient in gradients)
    return Loss(float(to_numpy(smoothed)), float(to_numpy(plain)), d_hidden, d_table, (types[0], types[1]))
