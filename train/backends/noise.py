"""Dropout from random bytes, for every framework."""

from __future__ import annotations

from abc import ABC, abstractmethod

from keras import ops

from train.model.transformer import Tensor


class ByteNoise(ABC):
    """The dropout masks of one step: see `train.model.transformer.Noise`. One random byte decides about one element.

    A random float takes four times the memory, and on [N, D] activations memory is all that dropout costs.
    The rate is rounded to 1/256 and the scale follows the rounded rate, so the mean is exact.
    """

    def __init__(self) -> None:
        self.calls = 0  # of the step, so that each has a mask of its own

    @abstractmethod
    def random_bytes(self, x: Tensor, *, per_vector: bool) -> Tensor:
        """uint8 of the shape of x [..., D], or [..., 1] `per_vector`: a function of the seed, the step and `calls`."""

    def dropout(self, x: Tensor, rate: float) -> Tensor:
        return self._drop(x, rate, per_vector=False)

    def word_dropout(self, x: Tensor, rate: float) -> Tensor:
        return self._drop(x, rate, per_vector=True)

    def _drop(self, x: Tensor, rate: float, *, per_vector: bool) -> Tensor:
        dropped = round(rate * 256)
        if dropped == 0:
            return x
        self.calls += 1
        kept = self.random_bytes(x, per_vector=per_vector) >= dropped
        return ops.where(kept, x * (256 / (256 - dropped)), 0)
