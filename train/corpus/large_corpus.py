"""Stage 1 for corpora that do not fit into memory: the same parts, with 40 bytes of memory a pair.

All cores clean, the text goes to disk, and what decides about a pair (is it a repeat, which component is it
of, how does the component rank) is decided by 64-bit hashes in numpy arrays. The result is that of
`corpus.clean_pairs`, `sample` and `split`, pair for pair, unless two of N sentences have equal hashes:
the odds of that are N²/2^65, one in 400,000 for ten million.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np

from train.corpus.components import connected, smallest_members
from train.corpus.formats import Pair
from train.corpus.pair_file import PairFile, line_of
from train.corpus.split import Corpus, cut_off, sample_numbers, sentence_key, too_few, without_shared
from train.corpus.workers import Workers

BLOCK = 20_000  # pairs a task
RANKS_AT_ONCE = 1 << 16
TRAIN, VALIDATION, TEST, TIED = range(4)

Clean = Callable[[str], str]


@dataclass(frozen=True)
class Keys:
    """What tells N pairs apart, uint64 [N] each: hashes of the whole pair and of the two sides' sentence keys.

    `opening` is the source key's first eight bytes as a big-endian number: it sorts as the keys do.
    """

    pair: np.ndarray
    source: np.ndarray
    target: np.ndarray
    opening: np.ndarray

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Keys:
        sources = [sentence_key(pair.source).encode() for pair in pairs]
        return cls(
            _hashes(map(line_of, pairs)),
            _hashes(sources),
            _hashes(sentence_key(pair.target).encode() for pair in pairs),
            _numbers(source[:8].ljust(8, b"\0") for source in sources),
        )

    @classmethod
    def joined(cls, several: Sequence[Keys]) -> Keys:
        return cls(*(np.concatenate([getattr(keys, name) for keys in several]) for name in cls.__dataclass_fields__))

    def __getitem__(self, chosen: np.ndarray) -> Keys:
        return Keys(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def _hashes(texts: Iterable[bytes]) -> np.ndarray:
    return _numbers(blake2b(text, digest_size=8).digest() for text in texts)


def _numbers(eights: Iterable[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(eights), dtype=">u8").astype(np.uint64)


# Cleaning


@dataclass(frozen=True)
class Block:
    """One task: raw sides of some pairs, and how to clean them."""

    sides: Sequence[tuple[str, str]]
    clean_source: Clean
    clean_target: Clean


@dataclass(frozen=True)
class CleanedBlock:
    """Its result: the pairs with two sides as lines of a `PairFile`, their lengths in bytes, and their keys."""

    lines: bytes
    lengths: np.ndarray
    keys: Keys
    empty: int


def clean_block(block: Block) -> CleanedBlock:
    both = (Pair(block.clean_source(source), block.clean_target(target)) for source, target in block.sides)
    pairs = [pair for pair in both if pair.source and pair.target]
    lines = [line_of(pair) for pair in pairs]
    lengths = np.array([len(line) for line in lines], dtype=np.int64)
    return CleanedBlock(b"".join(lines), lengths, Keys.of(pairs), len(block.sides) - len(pairs))


def clean_to_disk(
    records: Iterable[Pair], clean_source: Clean, clean_target: Clean, workers: Workers, path: Path
) -> tuple[PairFile, Keys, dict[str, int]]:
    """`corpus.clean_pairs`, but for the repeats: all cleaned pairs with two sides, their keys, what was dropped."""
    empty, lengths, keys = 0, [], []
    with path.open("wb") as out:
        for cleaned in workers.map(clean_block, _blocks(records, clean_source, clean_target)):
            out.write(cleaned.lines)
            lengths.append(cleaned.lengths)
            keys.append(cleaned.keys)
            empty += cleaned.empty
    return PairFile(path, np.cumsum(np.concatenate(lengths))), Keys.joined(keys), {"empty": empty}


def _blocks(records: Iterable[Pair], clean_source: Clean, clean_target: Clean) -> Iterator[Block]:
    remaining = iter(records)
    while sides := [
        (source, target) for source, target in islice(remaining, BLOCK)
    ]:  # plain tuples travel in half the time
        yield Block(sides, clean_source, clean_target)


def first_of_equals(hashes: np.ndarray) -> np.ndarray:
    """Which of N pairs (uint64 [N] hashes) are the first of their kind, bool [N]."""
    order = np.argsort(hashes, kind="stable")
    first = np.ones(len(hashes), dtype=bool)
    first[order[1:]] = hashes[order[1:]] != hashes[order[:-1]]
    return first


# The split


def split_on_disk(
    cleaned: PairFile,
    keys: Keys,
    path: Path,
    *,
    nsamples: int,
    seed: int,
    validation_fraction: float,
    test_fraction: float,
    validation: Sequence[Pair] | None = None,
    test: Sequence[Pair] | None = None,
) -> Corpus:
    """Drop repeats, `corpus.sample`, `corpus.split`. The training part is written to `path`; the others are lists."""
    first = np.flatnonzero(first_of_equals(keys.pair))
    repeated = len(cleaned) - len(first)
    numbers = first[np.asarray(sample_numbers(len(first), nsamples, seed))]
    given = [*(test or []), *(validation or [])]
    everything = Keys.joined([Keys.of(given), keys[numbers]])
    component = connected(everything.source, everything.target)

    reserved = np.zeros(len(component), dtype=bool)  # components that a held-out channel has a pair of
    reserved[component[: len(given)]] = True
    own = component[len(given) :]
    part = np.where(reserved[own], TIED, TRAIN).astype(np.int8)
    free = np.flatnonzero(part == TRAIN)
    ranked, sizes = _ranked(own[free], everything[len(given) + free], lambda index: cleaned[int(numbers[free[index]])])
    part_of = np.full(len(component), TRAIN, dtype=np.int8)
    for name, wanted in (
        (TEST, 0 if test is not None else math.ceil(test_fraction * len(free))),
        (VALIDATION, 0 if validation is not None else math.ceil(validation_fraction * len(free))),
    ):
        unused = part_of[ranked] == TRAIN
        part_of[list(cut_off(_in_pieces(ranked[unused], sizes[unused]), wanted))] = name
    part[free] = part_of[own[free]]

    parts = {TEST: list(test or []), VALIDATION: list(validation or [])}
    for name, pairs in parts.items():
        pairs += (cleaned[int(number)] for number in numbers[part == name])
    tied = int(np.count_nonzero(part == TIED))
    if test is not None and validation is not None:
        parts[VALIDATION], crossing = without_shared(parts[VALIDATION], parts[TEST])
        tied += crossing
    if not np.any(part == TRAIN):
        raise too_few(len(numbers))
    kept = np.zeros(len(cleaned), dtype=bool)
    kept[numbers[part == TRAIN]] = True
    dropped = {"repeated": repeated, "tied_to_held_out": tied}
    return Corpus(cleaned.only(kept, path), parts[VALIDATION], parts[TEST], dropped)


def _ranked(component: np.ndarray, keys: Keys, pair: Callable[[np.intp], Pair]) -> tuple[np.ndarray, np.ndarray]:
    """The components of N pairs in the order in which `corpus.split` cuts them off, and the pairs of each.

    `pair(i)` reads pair i: asked for only where the texts must tell which source key is a component's smallest.
    """
    candidates, doubtful = smallest_members(component, keys.opening, keys.source)
    smallest: dict[int, str] = {}
    for index in np.flatnonzero(doubtful):
        key = sentence_key(pair(index).source)
        smallest[int(component[index])] = min(key, smallest.get(int(component[index]), key))
    rank = np.zeros(int(component.max(initial=-1)) + 1, dtype=np.uint64)
    rank[component[candidates]] = keys.source[candidates]
    if smallest:
        rank[list(smallest)] = _hashes(key.encode() for key in smallest.values())
    numbers, sizes = np.unique(component, return_counts=True)
    order = np.argsort(rank[numbers], kind="stable")
    return numbers[order], sizes[order]


def _in_pieces(numbers: np.ndarray, sizes: np.ndarray) -> Iterator[tuple[int, int]]:
    """`zip` of two arrays as Python's own numbers, a few at a time: most are never looked at."""
    for start in range(0, len(numbers), RANKS_AT_ONCE):
        few = slice(start, start + RANKS_AT_ONCE)
        yield from zip(numbers[few].tolist(), sizes[few].tolist(), strict=True)
