"""From sentence pairs to token ids, once for all epochs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import sentencepiece

from train.corpus.directions import FORWARD, Direction
from train.corpus.pairs import Pair
from train.corpus.workers import BLOCK, Workers


@dataclass(frozen=True)
class Encoded:
    """Token ids of N pairs, one flat array a side. `source` ends in EOS; `target` has BOS in front and EOS behind.

    Sentence i is `source[source_ends[i-1]:source_ends[i]]`, likewise `target`. The ids are of an integer type that the
    V pieces fit into.
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


class Sentences(NamedTuple):
    """Token ids of some sentences in one flat array, and how many each has (int64)."""

    ids: np.ndarray
    lengths: np.ndarray


Block = tuple[Sequence[Pair], Direction]


def encode(
    pairs: Sequence[Pair],
    tokenizer: sentencepiece.SentencePieceProcessor,
    max_len: int,
    directions: Sequence[Direction] = (FORWARD,),
    *,
    copies: Sequence[Pair] = (),
    workers: Workers | None = None,
    folder: Path | None = None,
) -> tuple[Encoded, int]:
    """Tokenise all pairs and `copies` in the first direction, then all in the next.

    Pairs with a side of more than `max_len` tokens, the tag not counted, are left out; returns how many were. The ids
    are written to nameless files in `folder` (the system's temporary one when not given) and mapped into memory.
    """
    blocks: Iterator[Block] = (
        (part[first : first + BLOCK], direction)
        for direction in directions
        for part in (pairs, copies)
        for first in range(0, len(part), BLOCK)
    )
    work = partial(encode_block, tokenizer=tokenizer, max_len=max_len)
    dtype = _id_type(tokenizer)
    source_lengths, target_lengths = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as target:
        for sources, targets in (workers or Workers()).map(work, blocks):
            source.write(sources.ids.data)
            target.write(targets.ids.data)
            source_lengths.append(sources.lengths)
            target_lengths.append(targets.lengths)
        encoded = Encoded(
            _mapped(source, dtype),
            np.cumsum(np.concatenate(source_lengths)),
            _mapped(target, dtype),
            np.cumsum(np.concatenate(target_lengths)),
        )
    return encoded, len(pairs) + len(copies) - len(encoded) // len(directions)


def encode_block(
    block: Block, *, tokenizer: sentencepiece.SentencePieceProcessor, max_len: int
) -> tuple[Sentences, Sentences]:
    """Both sides of the pairs that are not too long, as the block's direction reads and writes them."""
    pairs, direction = block
    pairs = direction.of(list(pairs))
    sources = tokenizer.encode([pair.source for pair in pairs], add_eos=True)
    targets = tokenizer.encode([pair.target for pair in pairs], add_bos=True, add_eos=True)
    kept = [
        (source, target)
        for source, target in zip(sources, targets, strict=True)
        if len(source) - 1 <= max_len and len(target) - 2 <= max_len
    ]
    front = [tokenizer.piece_to_id(piece) for piece in direction.tag]
    dtype = _id_type(tokenizer)
    return _flatten([[*front, *source] for source, _ in kept], dtype), _flatten([target for _, target in kept], dtype)


def _id_type(tokenizer: sentencepiece.SentencePieceProcessor) -> type[np.integer]:
    return np.uint16 if tokenizer.get_piece_size() <= 1 << 16 else np.int32


def _flatten(sentences: list[list[int]], dtype: type[np.integer]) -> Sentences:
    lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
    return Sentences(np.fromiter(chain.from_iterable(sentences), dtype=dtype, count=int(lengths.sum())), lengths)


def _mapped(file: BinaryIO, dtype: type[np.integer]) -> np.ndarray:
    """What was written to `file`, which may be closed then: the mapping keeps it until the array goes."""
    file.flush()
    return np.asarray(np.memmap(file, dtype, "r")) if file.tell() else np.empty(0, dtype)
