"""From clean pairs to three leak-proof parts: train, validation, test.

A random split of real corpora leaks: in the Tatoeba English-Spanish file 21 % of randomly chosen test sources stand in
the training part too, with another translation. So pairs that share a sentence on either side are tied into one
connected component, and components, not pairs, go to a part.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np

from container.errors import ChannelError
from train.corpus.cleaning import CleanPairs
from train.corpus.pairs import Pair, PairFile
from train.job.hyperparameters import Hyperparameters

CORPUS_VERSION = 2  # of cleaning and split: the same input makes the same parts only under an equal version


class Part(IntEnum):
    """Where a pair goes. TIED: nowhere, for it shares a sentence with a channel that is held out."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2
    TIED = 3


@dataclass(frozen=True)
class Corpus:
    """The three parts, and what was left out on the way (reason -> number of pairs).

    A job's training part is a `PairFile` in its scratch folder.
    """

    train: Sequence[Pair]
    validation: list[Pair]
    test: list[Pair]
    dropped: dict[str, int] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the three parts: two runs with equal fingerprints saw the same pairs in the same parts."""
        digest = hashlib.sha256()
        for name, part in (("train", self.train), ("validation", self.validation), ("test", self.test)):
            digest.update(f"#{name} {len(part)}\n".encode())
            for line in part.lines() if isinstance(part, PairFile) else (pair.line for pair in part):
                digest.update(line)
        return digest.hexdigest()


def split(training: CleanPairs, held_out: Mapping[Part, CleanPairs], hp: Hyperparameters, folder: Path) -> Corpus:
    """Split by connected component, so that no sentence stands in two parts. The parts are written into `folder`.

    `held_out` has the validation and the test channel where the job has them. Such a channel is taken as it is, and
    training pairs that are tied to it are dropped. A part without a channel is cut off from the training pairs.
    `ChannelError` when nothing is left to train on.
    """
    rows = sample_rows(len(training.pairs), hp.nsamples, hp.seed)
    sources = np.concatenate([*(channel.source_keys for channel in held_out.values()), training.source_keys[rows]])
    targets = np.concatenate([*(channel.target_keys for channel in held_out.values()), training.target_keys[rows]])
    component, given = connect(sources, targets), len(sources) - len(rows)
    wanted = {Part.TEST: hp.test_fraction, Part.VALIDATION: hp.validation_fraction}
    fractions = {part: fraction for part, fraction in wanted.items() if part not in held_out}
    part_of = choose_parts(component[given:], sources[given:], fractions, reserved=component[:given])
    if Part.TRAIN not in part_of:
        raise ChannelError(
            f"The training channel has {len(rows)} usable pairs, too few to set a test part aside and still train: "
            "give more pairs, or channels `validation` and `test` of their own."
        )

    def cut(part: Part) -> PairFile:
        kept = np.zeros(len(training.pairs), dtype=bool)
        kept[rows[part_of == part]] = True
        return training.pairs.select(kept, folder / f"{part.name.lower()}.pairs")

    held = {part: list(channel.pairs) for part, channel in held_out.items()}
    if Part.VALIDATION in held and Part.TEST in held:
        held[Part.VALIDATION] = without_shared(held_out[Part.VALIDATION], held_out[Part.TEST])
    tied = np.count_nonzero(part_of == Part.TIED) + given - sum(map(len, held.values()))
    held |= {part: list(cut(part)) for part in fractions}
    dropped = {**training.dropped, "tied_to_held_out": int(tied)}
    return Corpus(cut(Part.TRAIN), held[Part.VALIDATION], held[Part.TEST], dropped)


def without_shared(pairs: CleanPairs, others: CleanPairs) -> list[Pair]:
    """The `pairs` that share no sentence with the `others`."""
    shared = np.isin(pairs.source_keys, others.source_keys) | np.isin(pairs.target_keys, others.target_keys)
    return [pair for pair, is_shared in zip(pairs.pairs, shared, strict=True) if not is_shared]


def sample_rows(count: int, size: int, seed: int) -> np.ndarray:
    """`size` of the numbers below `count`, sorted (int64); all of them when `size` is 0 or too large."""
    if size == 0 or size >= count:
        return np.arange(count)
    return np.array(sorted(random.Random(seed).sample(range(count), size)), dtype=np.int64)


def connect(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The connected component of each of N pairs, given by the keys of their sentences (uint64 [N] each side).

    Pairs with an equal key on either side share one; its number is that of its first pair (int32 [N]).
    Each round, a pair takes the smallest number among its neighbours, its old root takes that number too, and then
    every pair jumps to its root. Real corpora need a handful of rounds. Source: Zhang, Azad and Hu 2020, "FastSV: a
    distributed-memory connected component algorithm with fast convergence" (arXiv:1910.05971).
    """
    sides = [np.unique(keys, return_inverse=True)[1].astype(np.int32) for keys in (source, target)]
    root = np.arange(len(source), dtype=np.int32)
    while True:
        smallest = root
        for group in sides:
            smallest = smallest_in_group(smallest, group)[group]
        if np.array_equal(smallest, root):
            return root
        hooked = root.copy()
        np.minimum.at(hooked, root, smallest)
        np.minimum(hooked, smallest, out=hooked)
        root = _jump(hooked)


def smallest_in_group(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The smallest of the `values` (unsigned or int [N]) of each group; `group` numbers them from 0 (int32 [N])."""
    smallest = np.full(int(group.max(initial=-1)) + 1, np.iinfo(values.dtype).max, dtype=values.dtype)
    np.minimum.at(smallest, group, values)
    return smallest


def _jump(parent: np.ndarray) -> np.ndarray:
    """Every element's root: parents of parents, until nothing changes."""
    while not np.array_equal(grandparent := parent[parent], parent):
        parent = grandparent
    return parent


def choose_parts(
    component: np.ndarray, source_keys: np.ndarray, fractions: Mapping[Part, float], reserved: np.ndarray
) -> np.ndarray:
    """The part of each of N training pairs (int8 [N]), given its component (int32 [N]) and source key (uint64 [N]).

    Components that are `reserved` (int32) are tied. From the others, each part of `fractions` in turn cuts off its
    share of their pairs. They stand in the order of the smallest hash among their source keys: the choice depends on
    the text alone and hardly moves when the corpus grows.
    """
    part_of = np.full(max(component.max(initial=-1), reserved.max(initial=-1)) + 1, Part.TRAIN, dtype=np.int8)
    part_of[reserved] = Part.TIED
    sizes = np.bincount(component, minlength=len(part_of))
    sizes[reserved] = 0
    rank = smallest_in_group(source_keys, component)
    ranked = np.flatnonzero(sizes)
    ranked = ranked[np.argsort(rank[ranked], kind="stable")]
    total = sizes.sum()
    for part, fraction in fractions.items():
        left = ranked[part_of[ranked] == Part.TRAIN]
        part_of[cut_off(left, sizes[left], math.ceil(fraction * total))] = part
    return part_of[component]


def cut_off(ranked: np.ndarray, sizes: np.ndarray, wanted: int) -> list[int]:
    """The first of the `ranked` components, of these `sizes` in pairs, that together hold `wanted` pairs.

    A component larger than the part itself (thousands of ways to say "Yes.") is passed over: it stays in training.
    """
    chosen: list[int] = []
    taken = 0
    for component, size in zip(ranked, sizes, strict=True):
        if taken >= wanted:
            break
        if size <= max(1, wanted - taken):
            taken += int(size)
            chosen.append(component)
    return chosen
