"""The training loop, the same for every framework: one update a batch, stopped and resumed at any of them.

Everything a step does is a pure function of (state, batch, seed, step): a run that is stopped and
resumed from a checkpoint ends with the same weights, bit for bit, as one that never stopped.
What a framework must provide for it is in `train.backends.backend`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from train.backends.backend import Step
from train.corpus.batches import Cursor, plan_epoch
from train.corpus.encoding import Encoded
from train.job.hyperparameters import Hyperparameters


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
