"""Token ids in batches of equal work.

B sentences a batch, S source and T target tokens a sentence. Batches are counted in tokens and made of sentences of
nearly equal length: padding the Tatoeba corpus to one length would waste three quarters of the arithmetic. An epoch's
batches are a pure function of (seed, epoch), so a resumed run sees the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from container.vocabulary import PAD
from train.corpus.encoding import Encoded


@dataclass(frozen=True)
class Cursor:
    """Where a run stands: `step` updates done, the next batch is number `batch` of `epoch`; `seconds` of stepping."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Batch:
    """source [B, S] and target [B, T+1] int32, padded with PAD; the decoder reads target[:, :-1]."""

    source: np.ndarray
    target: np.ndarray

    @property
    def target_tokens(self) -> int:
        """Predicted tokens, padding not counted."""
        return int(np.count_nonzero(self.target[:, 1:]))


def plan_epoch(
    corpus: Encoded, *, epoch: int, seed: int, batch_tokens: int, batch_size: int | None = None
) -> list[np.ndarray]:
    """The batches of one epoch, each an array of sentence numbers, in training order.

    Sentences are sorted by length with ties in random order, cut where B x max(S, T) would exceed
    `batch_tokens` (or at `batch_size` sentences when that is given), and the batches are shuffled.
    """
    rng = np.random.default_rng([seed, epoch])
    lengths = np.maximum(corpus.source_lengths, corpus.target_lengths)
    order = np.lexsort((rng.random(len(corpus)), corpus.source_lengths, corpus.target_lengths, lengths))
    if batch_size is not None:
        batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    else:
        batches = _cut_by_tokens(order, lengths, batch_tokens)
    return [batches[index] for index in rng.permutation(len(batches))]


def _cut_by_tokens(order: np.ndarray, lengths: np.ndarray, batch_tokens: int) -> list[np.ndarray]:
    ascending = lengths[order]  # so the last sentence of a batch is its longest
    batches, start = [], 0
    while start < len(order):
        most = max(1, batch_tokens // int(ascending[start]))
        cells = np.arange(1, most + 1)[: len(order) - start] * ascending[start : start + most]
        size = max(1, int(np.searchsorted(cells, batch_tokens, side="right")))
        batches.append(order[start : start + size])
        start += size
    return batches


def collate(corpus: Encoded, members: np.ndarray) -> Batch:
    """Pad the sentences numbered `members` into one batch."""
    return Batch(
        _pad(corpus.source, corpus.source_ends, members),
        _pad(corpus.target, corpus.target_ends, members),
    )


def _pad(flat: np.ndarray, ends: np.ndarray, members: np.ndarray) -> np.ndarray:
    stops = ends[members]
    starts = np.where(members > 0, ends[members - 1], 0)
    lengths = stops - starts
    positions = np.arange(lengths.max())
    inside = positions < lengths[:, None]
    return np.where(inside, flat[np.where(inside, starts[:, None] + positions, 0)], PAD).astype(np.int32)


def in_order(corpus: Encoded, batch_tokens: int) -> Iterator[Batch]:
    """All sentences from short to long, for evaluation."""
    for members in plan_epoch(corpus, epoch=0, seed=0, batch_tokens=batch_tokens):
        yield collate(corpus, members)
