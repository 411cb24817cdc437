"""Stage 1. From pairs in channels to three leak-proof parts: train, validation, test.

A random split of real corpora leaks: in the Tatoeba English-Spanish file 21 % of randomly chosen test
sources stand in the training part too, with another translation. So pairs that share a sentence on
either side are tied into one connected component, and components, not pairs, go to a part.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from container.errors import ChannelError
from container.text import PLACEHOLDERS
from train.records import Pair

PLACEHOLDER_SHARE = 0.02  # of the training pairs get a copy in which a shared word is a placeholder


@dataclass(frozen=True)
class Corpus:
    """The three parts, and what was left out on the way (reason -> number of pairs)."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """sha256 over the three parts: two runs with equal fingerprints saw the same pairs in the same parts."""
        digest = hashlib.sha256()
        for name, part in (("train", self.train), ("validation", self.validation), ("test", self.test)):
            digest.update(f"#{name} {len(part)}\n".encode())
            for pair in part:
                digest.update(f"{pair.source}\t{pair.target}\n".encode())
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
    if size == 0 or size >= len(pairs):
        return pairs
    chosen = sorted(random.Random(seed).sample(range(len(pairs)), size))
    return [pairs[index] for index in chosen]


def sentence_key(text: str) -> str:
    """What makes two sentences "the same" for the split: letters and digits, without case."""
    return "".join(character for character in text.casefold() if character.isalnum()) or text


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

    members: dict[int, list[Pair]] = {}
    for component, pair in zip(component_of, everything, strict=True):
        if component not in reserved:
            members.setdefault(component, []).append(pair)
    ranked = sorted(members, key=lambda component: _rank(members[component]))
    total = sum(len(group) for group in members.values())
    for part, wanted in (
        ("test", 0 if test is not None else math.ceil(test_fraction * total)),
        ("validation", 0 if validation is not None else math.ceil(validation_fraction * total)),
    ):
        taken = 0
        for component in ranked:
            if taken >= wanted:
                break
            # A component larger than the part itself (thousands of ways to say "Yes.") stays in training.
            if component not in part_of and len(members[component]) <= max(1, wanted - taken):
                part_of[component] = part
                taken += len(members[component])

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
        parts["validation"], crossing = _without_shared(parts["validation"], parts["test"])
        tied += crossing
    if not parts["train"]:
        raise ChannelError(
            f"The training channel has {len(pairs)} usable pairs, too few to set a test part aside and still train: "
            "give more pairs, or channels `validation` and `test` of their own."
        )
    return Corpus(parts["train"], parts["validation"], parts["test"], {"tied_to_held_out": tied})


def _without_shared(pairs: list[Pair], others: list[Pair]) -> tuple[list[Pair], int]:
    sources = {sentence_key(pair.source) for pair in others}
    targets = {sentence_key(pair.target) for pair in others}
    kept = [p for p in pairs if sentence_key(p.source) not in sources and sentence_key(p.target) not in targets]
    return kept, len(pairs) - len(kept)


def _rank(group: Sequence[Pair]) -> bytes:
    smallest = min(sentence_key(pair.source) for pair in group)
    return hashlib.blake2b(smallest.encode(), digest_size=8).digest()


def with_placeholders(pairs: list[Pair], seed: int) -> list[Pair]:
    """The pairs, then copies of a few in which a word that both sides share is a placeholder symbol.

    This teaches the model to carry a placeholder over unchanged, which is what glossaries and
    untouched spans (numbers, URLs, tags) stand on at serving.
    """
    rng = random.Random(seed)
    copies = []
    for pair in pairs:
        if rng.random() >= PLACEHOLDER_SHARE * 4:  # about a quarter of real pairs share a word
            continue
        target_words = set(_words(pair.target))
        shared = [word for word in _words(pair.source) if word in target_words and len(word) > 1]
        if shared:
            word, symbol = rng.choice(shared), rng.choice(PLACEHOLDERS)
            if pair.source.count(word) == pair.target.count(word) == 1:
                copies.append(Pair(pair.source.replace(word, symbol), pair.target.replace(word, symbol)))
    limit = math.ceil(PLACEHOLDER_SHARE * len(pairs))
    return [*pairs, *copies[:limit]]


def _words(text: str) -> list[str]:
    return [word.strip(".,;:!?¿¡\"'()«»") for word in text.split()]
