"""From raw pairs to clean ones: both sides cleaned, pairs with an empty side and repeats dropped.

The text goes to a file at once. What is decided about a pair later (is it a repeat, which sentences does it share) is
decided by the hashes of `train.corpus.sentence_keys`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from train.corpus.pairs import Pair, PairFile, edges_of
from train.corpus.sentence_keys import hash_texts, sentence_key
from train.corpus.workers import BLOCK, Workers

Cleaners = tuple[Callable[[str], str], Callable[[str], str]]  # of sources and of targets
Sides = tuple[str, str]  # a pair as a plain tuple, which travels to another process in half the time
FACTS = np.dtype([("length", np.int64), ("line", np.uint64), ("source", np.uint64), ("target", np.uint64)])
"""Of a pair: the bytes of its line, and the hashes of that line and of the two sides' sentence keys."""


@dataclass(frozen=True)
class CleanPairs:
    """N different pairs, hashes of their sentence keys (uint64 [N] each side), and the number of pairs that were
    dropped, by reason."""

    pairs: PairFile
    source_keys: np.ndarray
    target_keys: np.ndarray
    dropped: dict[str, int]


class CleanBlock(NamedTuple):
    """Some pairs with two sides as lines of a file, their `FACTS`, and how many more had an empty side."""

    lines: bytes
    facts: np.ndarray
    empty: int


def clean_pairs(records: Iterable[Pair], cleaners: Cleaners, path: Path, workers: Workers) -> CleanPairs:
    """Clean both sides, and drop pairs with an empty side and exact repeats. The rest is written to `path` in order."""
    facts, empty = [np.empty(0, FACTS)], 0
    work = partial(clean_block, cleaners=cleaners)
    with path.open("wb") as out:
        for block in workers.map(work, _blocks(records)):
            out.write(block.lines)
            facts.append(block.facts)
            empty += block.empty
    return _drop_repeats(path, np.concatenate(facts), empty)


def _blocks(records: Iterable[Pair]) -> Iterator[list[Sides]]:
    remaining = iter(records)
    while block := [(source, target) for source, target in islice(remaining, BLOCK)]:
        yield block


def clean_block(block: list[Sides], *, cleaners: Cleaners) -> CleanBlock:
    clean_source, clean_target = cleaners
    both = (Pair(clean_source(source), clean_target(target)) for source, target in block)
    pairs = [pair for pair in both if pair.source and pair.target]
    lines = [pair.line for pair in pairs]
    facts = np.empty(len(pairs), FACTS)
    facts["length"] = [len(line) for line in lines]
    facts["line"] = hash_texts(lines)
    facts["source"] = hash_texts(sentence_key(pair.source).encode() for pair in pairs)
    facts["target"] = hash_texts(sentence_key(pair.target).encode() for pair in pairs)
    return CleanBlock(b"".join(lines), facts, len(block) - len(pairs))


def _drop_repeats(path: Path, facts: np.ndarray, empty: int) -> CleanPairs:
    first = np.zeros(len(facts), dtype=bool)
    first[np.unique(facts["line"], return_index=True)[1]] = True
    repeated = int(np.count_nonzero(~first))
    pairs = PairFile(path, edges_of(facts["length"]))
    if repeated:
        pairs = pairs.select(first, path.with_suffix(".distinct"))
        path.unlink()
    return CleanPairs(pairs, facts["source"][first], facts["target"][first], {"empty": empty, "repeated": repeated})
