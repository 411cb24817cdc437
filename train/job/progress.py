"""What a training job tells while it runs: a progress bar for people, and `name=value;` lines for a collector.

SageMaker reads metrics out of the log with regular expressions (`train.job.describe` has them), so these lines are
written whether there is a bar or not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from tqdm import tqdm

from train.job.hyperparameters import Hyperparameters
from train.job.log import LOG, METRICS_LOG

Sink = Callable[[Mapping[str, float]], None]  # gets every metrics line, as names and values

_FORMATS = {
    "learning_rate": "{:.6f}",
    "tokens_per_second": "{:.0f}",
    "train_loss": "{:.4f}",
    "validation_loss": "{:.4f}",
}


class Progress:
    """Tells how the job goes, and keeps every metrics line for the report (`history`); `sinks` get each line too."""

    def __init__(self, hp: Hyperparameters, sinks: Sequence[Sink] = ()) -> None:
        self._log_every, self._sinks = hp.log_every, sinks
        self._limit = hp.max_minutes * 60
        self._bar: tqdm | None = None
        self._nll = self._tokens = 0.0
        self._since = time.monotonic()
        self.history: list[dict[str, float]] = []

    def say(self, sentence: str) -> None:
        """Write one sentence to the log."""
        LOG.info(sentence)

    def metrics(self, **values: float) -> None:
        """Write one line `name=value; name=value;` to the log, and keep it in the history."""
        self.history.append(values)
        for sink in self._sinks:
            sink(values)
        shown = {name: _FORMATS.get(name, "{}").format(value) for name, value in values.items()}
        METRICS_LOG.info(" ".join(f"{name}={value};" for name, value in shown.items()))

    def begin(self, planned: int, done: int, seconds: float) -> None:
        """Training starts; on a terminal a bar appears.

        planned: updates in all. done: updates before this start of the job. seconds: how long those took.
        """
        if sys.stdout.isatty():
            total, initial = (self._limit, seconds) if self._limit else (planned, done)
            unit = "s" if self._limit else "step"
            form = "{l_bar}{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}<{remaining}{postfix}]"
            self._bar = tqdm(total=total, initial=initial, unit=unit, desc="training", file=sys.stdout, bar_format=form)
        self._since = time.monotonic()

    def step(self, number: int, *, nll: float, tokens: int, seconds: float, learning_rate: float) -> None:
        """Count update `number`; every `log_every` updates this writes a metrics line.

        nll: mean of a target token. tokens: target tokens of the update. seconds: training time up to now.
        """
        self._nll += nll * tokens
        self._tokens += tokens
        if self._bar is not None:
            self._bar.update((seconds if self._limit else number) - self._bar.n)
        if number % self._log_every == 0:
            speed = self._tokens / (time.monotonic() - self._since)
            loss = self._nll / self._tokens
            if self._bar is not None:
                self._bar.set_postfix_str(f"loss {loss:.3f}, {speed:.0f} tokens/s")
            self.metrics(step=number, train_loss=loss, tokens_per_second=speed, learning_rate=learning_rate)
            self.restart_clock()

    def restart_clock(self) -> None:
        """Count loss and speed from now on: after a metrics line, and after a validation, which is no training time."""
        self._nll = self._tokens = 0.0
        self._since = time.monotonic()

    def end(self) -> None:
        """Training is over; the bar disappears."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
