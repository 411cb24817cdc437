"""Stage 5. The training loop, the same for every framework: one update a batch, stopped and resumed at any of them.

Everything a step does is a pure function of (state, batch, seed, step): a run that is stopped and
resumed from a checkpoint ends with the same weights, bit for bit, as one that never stopped.
What a framework does of it is in `train.backends.tensorflow.backend` and `train.backends.pytorch.backend`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from train.corpus.batches import Batch, Cursor, plan_epoch
from train.corpus.encoding import Encoded
from train.job.hyperparameters import Hyperparameters

Step = Callable[[Encoded, np.ndarray, int, bool], tuple[float, float, bool]]
"""One update: (corpus, members of the global batch, number from 1, stop) -> (summed nll, target tokens, any stop).

The three results are sums over all replicas of all hosts: the loss is normalised by the global number of
target tokens, and all hosts learn in the same step that one of them wants to stop.
"""


class State(Protocol):
    """Weights, Adam's two moments and the moving average of the weights, in a framework's own variables."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight by its name, such as `encoder_0/ffn/inner/kernel`."""

    def begin_with(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take weights and average from an earlier model; every framework's weights have the same names."""

    def tensors(self) -> dict[str, np.ndarray]:
        """Everything a checkpoint holds, as `group/name` -> array."""

    def restore(self, tensors: dict[str, np.ndarray]) -> None: ...

    def averaged_weights(self) -> dict[str, np.ndarray]:
        """The weights to evaluate and export, float32."""


class Evaluator(Protocol):
    """A float32 copy of the model without dropout."""

    def load(self, weights: dict[str, np.ndarray]) -> None: ...

    def token_nll(self, batch: Batch) -> np.ndarray:
        """nll [B, T] of each target token, zero at padding."""

    def mean_nll(self, corpus: Encoded, batch_tokens: int = 4096) -> float:
        """Mean nll a target token over a corpus."""


class Backend(Protocol):
    """One framework on the devices of this host, connected to those of the other hosts."""

    title: str

    def fastest_precision(self) -> str:
        """What the hardware computes fastest in: "bfloat16" or "float32"."""

    def make_state(self, config: Any, seed: int) -> State:
        """A new model of the `TransformerConfig`, and what trains it."""

    def make_step(self, state: Any, hp: Hyperparameters, warmup: int) -> Step: ...

    def make_evaluator(self, config: Any) -> Evaluator: ...


@dataclass(frozen=True)
class StepResult:
    """What one update did: mean nll a target token, target tokens, the cursor after it, and if the run ends here."""

    nll: float
    tokens: int
    cursor: Cursor
    epoch_ended: bool
    stopping: bool


def run(
    step: Step,
    corpus: Encoded,
    hp: Hyperparameters,
    start: Cursor,
    *,
    wants_stop: Callable[[], bool] = lambda: False,
) -> Iterator[StepResult]:
    """Train from `start` to the last epoch or the time limit, one result an update.

    `wants_stop` is asked before each update; when any host says yes, all stop after that same update.
    The caller evaluates and writes checkpoints between two results.
    """
    cursor = start
    if hp.max_minutes and cursor.seconds >= hp.max_minutes * 60:
        return
    for epoch in range(start.epoch, hp.epochs):
        plan = plan_of(corpus, hp, epoch)
        for number in range(cursor.batch, len(plan)):
            began = time.monotonic()
            enough = bool(hp.max_minutes) and cursor.seconds >= hp.max_minutes * 60
            nll, tokens, stopping = step(corpus, plan[number], cursor.step + 1, wants_stop() or enough)
            last = number + 1 == len(plan)
            cursor = Cursor(
                step=cursor.step + 1,
                epoch=epoch + 1 if last else epoch,
                batch=0 if last else number + 1,
                seconds=cursor.seconds + time.monotonic() - began,
            )
            yield StepResult(nll / tokens, int(tokens), cursor, epoch_ended=last, stopping=stopping)
            if stopping:
                return


def plan_of(corpus: Encoded, hp: Hyperparameters, epoch: int) -> list[np.ndarray]:
    """The global batches of an epoch: the same on every host."""
    return plan_epoch(corpus, epoch=epoch, seed=hp.seed, batch_tokens=hp.batch_tokens, batch_size=hp.batch_size)


def planned_steps(corpus: Encoded, hp: Hyperparameters) -> int:
    """Updates in all epochs, as far as the first epoch tells."""
    return hp.epochs * len(plan_of(corpus, hp, 0))
