"""What a running job says: a progress bar where a person looks, `name=value;` lines where a collector does.

SageMaker reads metrics out of the log with regular expressions (`train.job.describe` has them), so the
lines are printed in both cases; only the bar is for people.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from tqdm import tqdm

from train.job.hyperparameters import Hyperparameters

Sink = Callable[[Mapping[str, float]], None]  # wants every metrics line, as names and values

_FORMATS = {
    "learning_rate": "{:.6f}",
    "tokens_per_second": "{:.0f}",
    "train_loss": "{:.4f}",
    "validation_loss": "{:.4f}",
}


class Progress:
    """Says what happens, and remembers every metrics line for the report (`history`); `sinks` get each line too."""

    def __init__(self, hp: Hyperparameters, stream: TextIO | None = None, sinks: Sequence[Sink] = ()) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._log_every, self._sinks = hp.log_every, sinks
        self._limit = hp.max_minutes * 60
        self._bar: tqdm | None = None
        self._nll = self._tokens = 0.0
        self._since = time.monotonic()
        self.history: list[dict[str, float]] = []

    def say(self, sentence: str) -> None:
        """A line for whoever reads the log."""
        line = f"train: {sentence}"
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)

    def metrics(self, **values: float) -> None:
        """One line `name=value; name=value;`, kept in the history."""
        self.history.append(values)
        for sink in self._sinks:
            sink(values)
        line = " ".join(f"{name}={_FORMATS.get(name, '{}').format(value)};" for name, value in values.items())
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)

    def begin(self, planned: int, done: int, seconds: float) -> None:
        """Training starts: `planned` updates in all, `done` of them before this start, after `seconds`."""
        if self._stream.isatty():
            total, initial = (self._limit, seconds) if self._limit else (planned, done)
            unit = "s" if self._limit else "step"
            form = "{l_bar}{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}<{remaining}{postfix}]"
            self._bar = tqdm(
                total=total, initial=initial, unit=unit, desc="training", file=self._stream, bar_format=form
            )
        self._since = time.monotonic()

    def step(self, number: int, *, nll: float, tokens: int, seconds: float, learning_rate: float) -> None:
        """Update `number` was made, after `seconds` of training; a metrics line every `log_every` updates.

        nll: mean a target token. tokens: target tokens of the update.
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
        """Count loss and speed from now: after a line, and after an evaluation that is no training time."""
        self._nll = self._tokens = 0.0
        self._since = time.monotonic()

    def end(self) -> None:
        """Training is over; the bar goes."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
