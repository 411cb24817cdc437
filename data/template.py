"""A template: two patterns, a table for each slot, and how pairs are drawn from it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from string import Formatter

from data import english, spanish
from data.terms import Scene, Term, Verb

Pair = tuple[str, str]


def distinct(*slots: str) -> Callable[[Scene], bool]:
    """Condition: these slots hold different terms."""
    return lambda scene: len({scene[slot].english([], scene) if not isinstance(scene[slot], Verb) else scene[slot].en
                              for slot in slots}) == len(slots)


class Template:
    """`Template(name, english, spanish, where=condition, slot=table, ...)`; patterns as in templates_people.py."""

    def __init__(self, name: str, english: str, spanish: str, where: Callable[[Scene], bool] | None = None,
                 **tables: Sequence[Term]) -> None:
        self.name, self.english, self.spanish = name, english, spanish
        self.where, self.tables = where, tables

    def pair(self, scene: Scene) -> Pair:
        """The sentence pair for one choice of terms."""
        return (english.sentence(_render(self.english, scene, "english")),
                spanish.sentence(_render(self.spanish, scene, "spanish")))

    def draws(self, limit: int) -> Iterator[Pair]:
        """Up to `limit` random pairs, the same in every run and Python version (only `random()` promises that)."""
        generator = random.Random(self.name)
        for _ in range(limit):
            scene: Scene = {slot: table[int(generator.random() * len(table))] for slot, table in self.tables.items()}
            if self.where is None or self.where(scene):
                yield self.pair(scene)


def _render(pattern: str, scene: Scene, language: str) -> str:
    """The pattern with every field written by its term; a field that is no slot is a verb."""
    parts = []
    for literal, field, form, _ in Formatter().parse(pattern):
        parts.append(literal)
        if field:
            term = scene.get(field) or Verb(field, field)
            parts.append(getattr(term, language)((form or "").split(), scene))
    return "".join(parts)
