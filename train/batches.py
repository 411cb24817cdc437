"""Stage 3. Sentence pairs as token ids, in batches of equal work.

B sentences a batch, S source and T target tokens a sentence. Batches are counted in tokens and made of
sentences of nearly equal length: padding the Tatoeba corpus to one length would waste three quarters of
the arithmetic. An epoch's batches are a pure function of (seed, epoch), so a resumed run sees the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sentencepiece

from train.records import Pair
from train.tokenizer import PAD


@dataclass(frozen=True)
class Encoded:
    """Token ids of N pairs, one flat array a side. `source` ends in EOS; `target` has BOS in front and EOS behind.

    Sentence i is `source[source_ends[i-1]:source_ends[i]]` (int32), likewise `target`.
    """

    source: np.ndarray
    source_ends: np.ndarray
    target: np.ndarray
    target_ends: np.ndarray

    def __len__(self) -> int:
        return len(self.source_ends)

    @property
    def source_lengths(self) -> np.ndarray:
        return np.diff(self.source_ends, prepend=0)

    @property
    def target_lengths(self) -> np.ndarray:
        """Tokens the decoder predicts for each pair: the words and EOS, not BOS."""
        return np.diff(self.target_ends, prepend=0) - 1


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


def encode(pairs: Sequence[Pair], tokenizer: sentencepiece.SentencePieceProcessor, max_len: int) -> tuple[Encoded, int]:
    """Tokenise once. Pairs with a side of more than `max_len` tokens are left out; returns how many were."""
    sources = tokenizer.encode([pair.source for pair in pairs], add_eos=True)
    targets = tokenizer.encode([pair.target for pair in pairs], add_bos=True, add_eos=True)
    kept = [
        (source, target)
        for source, target in zip(sources, targets, strict=True)
        if len(source) - 1 <= max_len and len(target) - 2 <= max_len
    ]
    source, source_ends = _flatten([pair[0] for pair in kept])
    target, target_ends = _flatten([pair[1] for pair in kept])
    return Encoded(source, source_ends, target, target_ends), len(pairs) - len(kept)


def _flatten(sentences: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    ends = np.cumsum([len(sentence) for sentence in sentences], dtype=np.int64)
    flat = np.fromiter((token for sentence in sentences for token in sentence), dtype=np.int32)
    return flat, ends


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
    batches, start = [], 0
    for end in range(1, len(order) + 1):
        # `order` goes from short to long: the last sentence is the longest of the batch
        if end == len(order) or (end + 1 - start) * lengths[order[end]] > batch_tokens:
            batches.append(order[start:end])
            start = end
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
