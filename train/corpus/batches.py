"""Stage 3. Sentence pairs as token ids, in batches of equal work.

B sentences a batch, S source and T target tokens a sentence. Batches are counted in tokens and made of
sentences of nearly equal length: padding the Tatoeba corpus to one length would waste three quarters of
the arithmetic. An epoch's batches are a pure function of (seed, epoch), so a resumed run sees the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path

import numpy as np
import sentencepiece

from container.vocabulary import PAD
from train.corpus.directions import FORWARD, Direction
from train.corpus.formats import Pair
from train.corpus.pair_file import PairFile, Span
from train.corpus.tokenizer import load_tokenizer
from train.corpus.workers import Workers

PAIRS_A_TASK = 20_000


@dataclass(frozen=True)
class Encoded:
    """Token ids of N pairs, one flat array a side. `source` ends in EOS; `target` has BOS in front and EOS behind.

    Sentence i is `source[source_ends[i-1]:source_ends[i]]`, likewise `target`. The ids are int32 in memory, or of a
    type that V fits into and mapped from a file.
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


def encode(
    pairs: Sequence[Pair],
    tokenizer: sentencepiece.SentencePieceProcessor,
    max_len: int,
    directions: Sequence[Direction] = (FORWARD,),
) -> tuple[Encoded, int]:
    """Tokenise once: all pairs in the first direction, then all in the next.

    Pairs with a side of more than `max_len` tokens, the tag not counted, are left out; returns how many were.
    """
    sources: list[list[int]] = []
    targets: list[list[int]] = []
    for direction in directions:
        read, written = _ids(direction.of(pairs), direction.tag, tokenizer, max_len)
        sources += read
        targets += written
    source, source_lengths = _flatten(sources)
    target, target_lengths = _flatten(targets)
    encoded = Encoded(source, np.cumsum(source_lengths), target, np.cumsum(target_lengths))
    return encoded, len(pairs) - len(encoded) // len(directions)


def _ids(
    pairs: Sequence[Pair], tag: Sequence[str], tokenizer: sentencepiece.SentencePieceProcessor, max_len: int
) -> tuple[list[list[int]], list[list[int]]]:
    """The ids of each side of the pairs that are not too long, the tag's in front of the source."""
    sources = tokenizer.encode([pair.source for pair in pairs], add_eos=True)
    targets = tokenizer.encode([pair.target for pair in pairs], add_bos=True, add_eos=True)
    kept = [
        (source, target)
        for source, target in zip(sources, targets, strict=True)
        if len(source) - 1 <= max_len and len(target) - 2 <= max_len
    ]
    front = [tokenizer.piece_to_id(piece) for piece in tag]
    return [[*front, *source] if front else source for source, _ in kept], [target for _, target in kept]


@dataclass(frozen=True)
class EncodedSpan:
    """Token ids of a part of a file, as `Encoded` has them, with lengths instead of ends."""

    source: np.ndarray
    source_lengths: np.ndarray
    target: np.ndarray
    target_lengths: np.ndarray
    too_long: int


def encode_files(
    files: Sequence[PairFile],
    tokenizer: Path,
    max_len: int,
    workers: Workers,
    folder: Path,
    directions: Sequence[Direction] = (FORWARD,),
) -> tuple[Encoded, int]:
    """`encode` for pairs on disk: all cores tokenise, and the ids lie in files in `folder`, mapped into memory."""
    spans = ((span, direction) for direction in directions for file in files for span in file.spans(PAIRS_A_TASK))
    paths = {side: folder / f"{side}.ids" for side in ("source", "target")}
    source_lengths, target_lengths, too_long = [], [], 0
    with paths["source"].open("wb") as source, paths["target"].open("wb") as target:
        for encoded in workers.map(partial(_encode_span, tokenizer=tokenizer, max_len=max_len), spans):
            encoded.source.tofile(source)
            encoded.target.tofile(target)
            source_lengths.append(encoded.source_lengths)
            target_lengths.append(encoded.target_lengths)
            too_long += encoded.too_long
            ids = encoded.source.dtype
    maps = {
        side: np.memmap(path, ids, "r") if path.stat().st_size else np.empty(0, ids) for side, path in paths.items()
    }
    ends = [np.cumsum(np.concatenate(lengths), dtype=np.int64) for lengths in (source_lengths, target_lengths)]
    encoded_files = Encoded(np.asarray(maps["source"]), ends[0], np.asarray(maps["target"]), ends[1])
    return encoded_files, too_long // len(directions)


def _encode_span(task: tuple[Span, Direction], *, tokenizer: Path, max_len: int) -> EncodedSpan:
    span, direction = task
    processor = _loaded(tokenizer)
    ids = np.uint16 if processor.get_piece_size() <= 1 << 16 else np.int32
    pairs = direction.of(span.pairs())
    source, target = _ids(pairs, direction.tag, processor, max_len)
    return EncodedSpan(*_flatten(source, ids), *_flatten(target, ids), len(pairs) - len(source))


_loaded = lru_cache(maxsize=1)(load_tokenizer)  # once in each worker


def _flatten(sentences: list[list[int]], dtype: type[np.integer] = np.int32) -> tuple[np.ndarray, np.ndarray]:
    """All sentences in one array, and their lengths (int64)."""
    lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
    return np.fromiter(chain.from_iterable(sentences), dtype=dtype, count=int(lengths.sum())), lengths


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
