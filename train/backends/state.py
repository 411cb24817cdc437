"""The state of training, for every framework: Keras variables, which a checkpoint stores by group and name."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from train.model.transformer import Transformer, weights_by_name


class TrainState:
    """See `train.backends.backend.State`. A backend works on the framework's own variable, `variable.value`.

    With TensorFlow it is made in the strategy's scope, so that every replica has a copy and all copies stay equal.
    """

    def __init__(self, model: Transformer) -> None:
        self.model = model
        self.weights = weights_by_name(model)
        self.first = {name: _untrained(np.zeros(weight.shape)) for name, weight in self.weights.items()}
        self.second = {name: _untrained(np.zeros(weight.shape)) for name, weight in self.weights.items()}
        self.average = {name: _untrained(_to_array(weight)) for name, weight in self.weights.items()}

    def groups(self) -> dict[str, dict[str, keras.Variable]]:
        """The variables of a checkpoint; `first` and `second` are Adam's moments."""
        return {"weights": self.weights, "first": self.first, "second": self.second, "average": self.average}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(weight.shape) for name, weight in self.weights.items()}

    def begin_with(self, weights: Mapping[str, np.ndarray]) -> None:
        for name, array in weights.items():
            self.weights[name].assign(array)
            self.average[name].assign(array)

    def tensors(self) -> dict[str, np.ndarray]:
        return {
            f"{group}/{name}": _to_array(variable)
            for group, variables in self.groups().items()
            for name, variable in variables.items()
        }

    def restore(self, tensors: dict[str, np.ndarray]) -> None:
        for group, variables in self.groups().items():
            for name, variable in variables.items():
                variable.assign(tensors[f"{group}/{name}"])

    def averaged_weights(self) -> dict[str, np.ndarray]:
        return {name: _to_array(variable) for name, variable in self.average.items()}


def _untrained(value: np.ndarray) -> keras.Variable:
    return keras.Variable(value, dtype="float32", trainable=False)


def _to_array(variable: keras.Variable) -> np.ndarray:
    """A copy, which later updates do not change."""
    return np.asarray(ops.convert_to_numpy(ops.convert_to_tensor(variable)))
