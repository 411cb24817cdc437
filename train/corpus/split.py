"""Stage 1. From pairs in channels to three leak-proof parts: train, validation, test.

A random split of real corpora leaks: in the Tatoeba English-Spanish file 21 % of randomly chosen test
sources stand in the training part too, with another translation. So pairs that share a sentence on
either side are tied into one connected component, and components, not pairs, go to a part.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from container.errors import ChannelError
from container.vocabulary import PLACEHOLDERS
from train.corpus.formats import Pair
from train.corpus.pair_file import PairFile, line_of

CORPUS_VERSION = 2  # of cleaning and split: the same input makes the same parts only under an equal version
PLACEHOLDER_SHARE = 0.02  # of the training pairs get a copy in which a shared word is a placeholder


@dataclass(frozen=True)
class Corpus:
    """The three parts, and what was left out on the way (reason -> number of pairs).

    The training part of a corpus that does not fit into memory stands on disk (`train.corpus.pair_file`).
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
            for lines in part.blocks() if isinstance(part, PairFile) else map(line_of, part):
                digest.update(lines)
        return digest.hexdigest()


def clean_pairs(
    pairs: Iterable[tuple[str, str]], clean_source: Callable[[str], str], clean_target: Callable[[str], str]
) -> tuple[list[Pair], dict[str, int]]:
    """Clean both sides and drop what teaches nothing: pairs with an empty side, and exact repeats."""
    kept: dict[Pair, None] = {}
    dropped = {"empty": 0, "repeated": 0}
    for source, target in pairs:
        pair = Pair(clean_source(source), clean_target(target))
        if not pair.source or not pair.target:
            dropped["empty"] += 1
        elif pair in kept:
            dropped["repeated"] += 1
        else:
            kept[pair] = None
    return list(kept), dropped


def sample(pairs: list[Pair], size: int, seed: int) -> list[Pair]:
    """`size` pairs chosen at random, in their original order; all of them when `size` is 0 or too large."""
    chosen = sample_numbers(len(pairs), size, seed)
    return pairs if len(chosen) == len(pairs) else [pairs[index] for index in chosen]


def sample_numbers(count: int, size: int, seed: int) -> Sequence[int]:
    """`size` of the numbers below `count`, sorted; all of them when `size` is 0 or too large."""
    if size == 0 or size >= count:
        return range(count)
    return sorted(random.Random(seed).sample(range(count), size))


_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")  # the complement of str.isalnum, in one pass


def sentence_key(text: str) -> str:
    """What makes two sentences "the same" for the split: letters and digits, without case."""
    return _NO_LETTER_OR_DIGIT.sub("", text.casefold()) or text


def components(pairs: Sequence[Pair]) -> list[int]:
    """The connected component of each pair; pairs with an equal sentence on either side share one.

    Union-find over pair numbers. A component's number is that of its first pair.
    """
    parent = list(range(len(pairs)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    first_with: dict[tuple[str, str], int] = {}
    for index, pair in enumerate(pairs):
        for side, text in (("source", pair.source), ("target", pair.target)):
            other = first_with.setdefault((side, sentence_key(text)), index)
            a, b = root(index), root(other)
            parent[max(a, b)] = min(a, b)
    return [root(index) for index in range(len(pairs))]


def split(
    pairs: list[Pair],
    *,
    validation_fraction: float,
    test_fraction: float,
    validation: list[Pair] | None = None,
    test: list[Pair] | None = None,
) -> Corpus:
    """Split by connected component, so that no sentence stands in two parts.

    A part that has a channel of its own is taken as it is; training pairs that are tied to it are
    dropped. The others are cut off in the order of a hash of the component's smallest sentence: the
    choice depends on the text alone and hardly moves when the corpus grows.
    """
    given_test, given_validation = test or [], validation or []
    everything = [*given_test, *given_validation, *pairs]
    component_of = components(everything)
    part_of: dict[int, str] = {}
    for index in range(len(given_test) + len(given_validation)):
        part_of.setdefault(component_of[index], "test" if index < len(given_test) else "validation")
    reserved = set(part_of)

    members = _members(everything, component_of, but=reserved)
    ranked = sorted(members, key=lambda component: _rank(members[component]))
    total = sum(len(group) for group in members.values())
    for part, wanted in (
        ("test", 0 if test is not None else math.ceil(test_fraction * total)),
        ("validation", 0 if validation is not None else math.ceil(validation_fraction * total)),
    ):
        sizes = ((component, len(members[component])) for component in ranked if component not in part_of)
        part_of |= dict.fromkeys(cut_off(sizes, wanted), part)

    parts: dict[str, list[Pair]] = {
        "train": [],
        "validation": list(given_validation),
        "test": list(given_test),
    }
    tied = 0
    offset = len(given_test) + len(given_validation)
    for component, pair in zip(component_of[offset:], pairs, strict=True):
        if component in reserved:
            tied += 1
        else:
            parts[part_of.get(component, "train")].append(pair)
    if test is not None and validation is not None:
        parts["validation"], crossing = without_shared(parts["validation"], parts["test"])
        tied += crossing
    if not parts["train"]:
        raise too_few(len(pairs))
    return Corpus(parts["train"], parts["validation"], parts["test"], {"tied_to_held_out": tied})


def _members(pairs: Sequence[Pair], component_of: Sequence[int], but: Collection[int]) -> dict[int, list[Pair]]:
    """The pairs of each component, some components left out."""
    members: dict[int, list[Pair]] = {}
    for component, pair in zip(component_of, pairs, strict=True):
        if component not in but:
            members.setdefault(component, []).append(pair)
    return members


def cut_off(ranked: Iterable[tuple[int, int]], wanted: int) -> Iterator[int]:
    """The first components of `ranked` (number, pairs) that together hold `wanted` pairs.

    A component larger than the part itself (thousands of ways to say "Yes.") is passed over: it stays in training.
    """
    taken = 0
    for component, size in ranked:
        if taken >= wanted:
            return
        if size <= max(1, wanted - taken):
            taken += size
            yield component


def too_few(pairs: int) -> ChannelError:
    return ChannelError(
        f"The training channel has {pairs} usable pairs, too few to set a test part aside and still train: "
        "give more pairs, or channels `validation` and `test` of their own."
    )


def without_shared(pairs: Sequence[Pair], others: Sequence[Pair]) -> tuple[list[Pair], int]:
    """`pairs` without those that share a sentence with `others`, and how many these were."""
    sources = {sentence_key(pair.source) for pair in others}
    targets = {sentence_key(pair.target) for pair in others}
    kept = [p for p in pairs if sentence_key(p.source) not in sources and sentence_key(p.target) not in targets]
    return kept, len(pairs) - len(kept)


def _rank(group: Sequence[Pair]) -> bytes:
    smallest = min(sentence_key(pair.source) for pair in group)
    return hashlib.blake2b(smallest.encode(), digest_size=8).digest()


def with_placeholders(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The pairs, then their `placeholder_copies`."""
    return [*pairs, *placeholder_copies(pairs, seed)]


def placeholder_copies(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """Copies of a few of the pairs, in which a word that both sides share is a placeholder symbol.

    This teaches the model to carry a placeholder over unchanged, which is what glossaries and
    untouched spans (numbers, URLs, tags) stand on at serving.
    """
    rng = random.Random(seed)
    copies: list[Pair] = []
    limit = math.ceil(PLACEHOLDER_SHARE * len(pairs))
    for pair in pairs:
        if len(copies) == limit:
            break
        if rng.random() >= PLACEHOLDER_SHARE * 4:  # about a quarter of real pairs share a word
            continue
        target_words = set(_words(pair.target))
        shared = [word for word in _words(pair.source) if word in target_words and len(word) > 1]
        if shared:
            word, symbol = rng.choice(shared), rng.choice(PLACEHOLDERS)
            if pair.source.count(word) == pair.target.count(word) == 1:
                copies.append(Pair(pair.source.replace(word, symbol), pair.target.replace(word, symbol)))
    return copies


def _words(text: str) -> list[str]:
    return [word.strip(".,;:!?¿¡\"'()«»") for word in text.split()]
