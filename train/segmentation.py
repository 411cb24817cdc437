"""Stage 3 once more for every epoch: the pairs in other subwords, drawn at random (`subword_sampling`).

A model that sees "mañana" as one piece today and as "maña" + "na" tomorrow learns what the pieces have in common:
subword regularisation (Kudo 2018, arXiv:1804.10959) for a unigram vocabulary, BPE-dropout (Provilkov et al. 2020,
arXiv:1910.13267) for bpe. Validation, scores and serving always use the likeliest subwords.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece

from container.errors import PlatformError
from container.hyperparameters import Hyperparameters
from train.batches import Encoded, Sampling, encode
from train.corpus import Corpus, with_placeholders
from train.direction import directions
from train.records import Pair
from train.tokenizer import load_tokenizer
from train.workers import leave_signals_to_the_parent


@dataclass(frozen=True)
class _Task:
    """What an epoch's subwords are a pure function of."""

    tokenizer: Path
    hp: Hyperparameters
    epoch: int


class Segmentations:
    """The training pairs of each epoch as token ids, drawn by another process while the epoch before is trained on."""

    def __init__(self, pairs: Sequence[Pair], tokenizer: Path, hp: Hyperparameters, pool: ProcessPoolExecutor) -> None:
        self._pairs, self._tokenizer, self._hp, self._pool = pairs, tokenizer, hp, pool
        self._ahead: dict[int, Future[Encoded]] = {}

    def of(self, epoch: int) -> Encoded:
        """Those of `epoch`, counted from 0; the same whenever they are asked for."""
        drawn = self._ahead.pop(epoch, None) or self._draw(epoch)
        if epoch + 1 < self._hp.epochs:
            self._ahead = {epoch + 1: self._draw(epoch + 1)}
        try:
            return drawn.result()
        except BrokenProcessPool:
            raise PlatformError(
                "The process that draws subwords was killed, most likely for want of memory: "
                "use an instance with more memory, or set subword_sampling to 0."
            ) from None

    def _draw(self, epoch: int) -> Future[Encoded]:
        return self._pool.submit(_segment, self._pairs, _Task(self._tokenizer, self._hp, epoch))


def _segment(pairs: Sequence[Pair], task: _Task) -> Encoded:
    """Runs in a process that has drawn nothing yet: SentencePiece seeds a generator once, when it is first used."""
    hp = task.hp
    sentencepiece.set_random_generator_seed(int(np.random.SeedSequence([hp.seed, task.epoch]).generate_state(1)[0]))
    sampling = Sampling(hp.subword_sampling)
    encoded, _ = encode(pairs, load_tokenizer(task.tokenizer), hp.max_len, directions(hp), sampling)
    return encoded


@contextmanager
def open_segmentations(
    corpus: Corpus, tokenizer: Path, hp: Hyperparameters
) -> Iterator[Callable[[int], Encoded] | None]:
    """`Segmentations.of` for the training part of `corpus`; None where subwords are not sampled.

    For the time of the block; each epoch's by a new process, spawned like those of `train.workers`.
    """
    if not hp.subword_sampling:
        yield None
        return
    pairs = with_placeholders(corpus.train, hp.seed)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, mp_context=context, initializer=leave_signals_to_the_parent, max_tasks_per_child=1)
    try:
        yield Segmentations(pairs, tokenizer, hp, pool).of
    finally:
        pool.shutdown(cancel_futures=True)
