"""What a framework must provide to train here. This file imports no framework and no Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from train.corpus.batches import Batch
from train.corpus.encoding import Encoded
from train.job.hyperparameters import Hyperparameters
from train.model.config import TransformerConfig

Step = Callable[[Encoded, np.ndarray, int, bool], tuple[float, float, bool]]
"""One update: (corpus, members of the global batch, number from 1, stop) -> (summed nll, target tokens, any stop).

The three results are sums over all replicas of all hosts: the loss is divided by the global number of target
tokens, and all hosts learn in the same step that one of them wants to stop.
"""


class State(Protocol):
    """Weights, Adam's two moments and the moving average of the weights, in a framework's own variables."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight by its name, such as `encoder_0/ffn/inner/kernel`."""

    def begin_with(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take weights and average from an earlier model; every framework's weights have the same names."""

    def tensors(self) -> dict[str, np.ndarray]:
        """Everything that a checkpoint holds, as `group/name` -> array."""

    def restore(self, tensors: dict[str, np.ndarray]) -> None:
        """Take everything from a checkpoint, which another framework may have written."""

    def averaged_weights(self) -> dict[str, np.ndarray]:
        """The weights to evaluate and export, float32."""


class Evaluator(Protocol):
    """A float32 copy of the model without dropout."""

    def load(self, weights: dict[str, np.ndarray]) -> None:
        """Evaluate with these weights from now on."""

    def token_nll(self, batch: Batch) -> np.ndarray:
        """nll [B, T] of each target token, zero at padding."""

    def mean_nll(self, corpus: Encoded, batch_tokens: int = 4096) -> float:
        """The mean nll of a target token over a corpus."""


class Backend(Protocol):
    """One framework on the devices of this host, connected to those of the other hosts."""

    title: str

    def fastest_precision(self) -> str:
        """The type in which the hardware computes fastest: "bfloat16" or "float32"."""

    def make_state(self, config: TransformerConfig, seed: int) -> State:
        """A new model, and what trains it."""

    def make_step(self, state: Any, hp: Hyperparameters, warmup: int) -> Step:
        """The update of a state that this backend made."""

    def make_evaluator(self, config: TransformerConfig) -> Evaluator:
        """For models of this shape."""
