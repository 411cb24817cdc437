"""The task that `benchmarks.training.speed` gives to every trainer, and how it counts their work.

The trainers run in separate processes and environments. All of them import this file, so it needs nothing but NumPy.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Task:
    """One corpus, one vocabulary, one shape of model. The trainers read these files of its folder:

    train.en, train.es    the training pairs as text, one a line, for trainers that have their own data pipeline
    dev.en, dev.es        a few pairs for trainers that require a validation set
    tokenizer.model       the joint SentencePiece vocabulary of V pieces; vocabulary.txt lists them in id order
    ids.npz               the same pairs as token ids (`train.corpus.batches.Encoded`)
    """

    folder: str
    vocab_size: int
    batch_tokens: int = 2048
    d_model: int = 256
    ffn_dim: int = 1024
    n_heads: int = 4
    layers: int = 3  # of the encoder, and of the decoder
    dropout: float = 0.1
    label_smoothing: float = 0.1
    learning_rate: float = 2e-3
    warmup: int = 500
    seconds: float = 60.0  # measured time after the warm-up
    warm_up_steps: int = 5

    ARRAYS: ClassVar = ("source", "source_ends", "target", "target_ends")  # of ids.npz

    def path(self, name: str) -> Path:
        return Path(self.folder) / name

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        return cls(**json.loads(text))

    def operations(self, source: np.ndarray, target: np.ndarray) -> float:
        """Floating-point operations of the forward and the backward pass over sentences of these lengths [B].

        6 x parameters in matrix products x tokens, plus the attention. Padding does not count. `target` is the number
        of predicted tokens.
        """
        d = self.d_model
        source, target = source.astype(np.float64), target.astype(np.float64)
        encoder = self.layers * (4 * d * d + 2 * d * self.ffn_dim)
        decoder = self.layers * (6 * d * d + 2 * d * self.ffn_dim) + self.vocab_size * d
        cross = self.layers * 2 * d * d  # keys and values of the source
        matmuls = 6.0 * ((encoder + cross) * source.sum() + decoder * target.sum())
        attended = self.layers * (source**2 + target**2 + source * target).sum()
        return float(matmuls + 12.0 * d * attended)


class Meter:
    """Counts updates. The first `warm_up_steps` are not measured; it is `done` after `seconds` of measured time."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.steps = 0
        self._tokens = self._operations = 0.0
        self._began = self._ended = 0.0

    def begin(self) -> None:
        """Call this before the first update."""
        self._began = time.perf_counter()

    def update(self, source: np.ndarray, target: np.ndarray) -> None:
        """Count a finished update on sentences of these lengths [B] (`target`: predicted tokens)."""
        self.steps += 1
        self._ended = time.perf_counter()
        if self.steps <= self._task.warm_up_steps:
            self._began = self._ended
            return
        self._tokens += float(target.sum())
        self._operations += self._task.operations(source, target)

    @property
    def done(self) -> bool:
        return self.steps > self._task.warm_up_steps and self._ended - self._began >= self._task.seconds

    def report(self) -> None:
        """Print the result as JSON, which is the last line of standard output."""
        seconds = self._ended - self._began
        measured = {
            "tokens_per_second": self._tokens / seconds,
            "operations_per_second": self._operations / seconds,
            "steps": self.steps - self._task.warm_up_steps,
            "tokens_a_step": self._tokens / (self.steps - self._task.warm_up_steps),
        }
        print(json.dumps(measured), flush=True)
