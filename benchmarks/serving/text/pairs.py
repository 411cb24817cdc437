"""Sentence pairs, their altered copies, and draws that depend on nothing but the sentence."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A sentence and its reference translation."""

    source: str
    reference: str


@dataclass(frozen=True)
class Altered:
    """An altered text, what its translation is compared with, and the pairs that it was made from, in order.

    carried: what was put into the source and must stand in the translation.
    """

    source: str
    reference: str
    parts: tuple[Pair, ...]
    carried: tuple[str, ...] = ()


def read_pairs(corpus: Path) -> list[Pair]:
    """The pairs of a TSV file (source, TAB, reference; further columns are ignored), shuffled in a fixed order.

    Each source stands once, with its first reference. `ValueError` names the line that has no two texts.
    """
    pairs: dict[str, str] = {}
    for number, line in enumerate(corpus.read_text(encoding="utf-8-sig").splitlines(), start=1):
        columns = [column.strip() for column in line.split("\t")]
        if not line.strip():
            continue
        if len(columns) < 2 or not all(columns[:2]):
            raise ValueError(f"{corpus}, line {number}, has no two texts: write source, TAB, reference.")
        pairs.setdefault(columns[0], columns[1])
    found = [Pair(*texts) for texts in pairs.items()]
    return sorted(found, key=lambda pair: _digest("order", pair.source))


def draw(purpose: str, text: str) -> random.Random:
    """A random generator that is the same in every run for the same purpose and text."""
    return random.Random(_digest(purpose, text))


def _digest(purpose: str, text: str) -> bytes:
    return hashlib.sha256(f"{purpose}\0{text}".encode()).digest()
