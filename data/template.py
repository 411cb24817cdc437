"""A template: two patterns, a table for each slot, and how pairs are drawn from it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from string import Formatter

from data import english, spanish
from data.terms import Scene, Term, Verb, subject_of

Pair = tuple[str, str]


def distinct(*slots: str) -> Callable[[Scene], bool]:
    """Condition: these slots hold different terms."""
    return lambda scene: len({scene[slot] for slot in slots}) == len(slots)


def apart(scene: Scene) -> bool:
    """Condition: the subjects `s` and `p` do not overlap, as I and we do."""
    subject, other = subject_of(["s"], scene), subject_of(["p"], scene)
    return subject != other and not {subject.person, other.person} <= {0, 3}


class Template:
    """A name, two patterns (explained in templates_actions.py), a condition and a table for each slot."""

    def __init__(
        self,
        name: str,
        english: str,
        spanish: str,
        where: Callable[[Scene], bool] = lambda scene: True,
        **tables: Sequence[Term],
    ) -> None:
        self.name, self.english, self.spanish = name, english, spanish
        self.where, self.tables = where, tables

    def pair(self, scene: Scene) -> Pair:
        """The sentence pair for one choice of terms."""
        return (
            english.sentence(_render(self.english, scene, "english")),
            spanish.sentence(_render(self.spanish, scene, "spanish")),
        )

    def draws(self, limit: int) -> Iterator[Pair]:
        """Up to `limit` random pairs, the same in every Python version: only `random()` promises that."""
        generator = random.Random(self.name)
        for _ in range(limit):
            scene: Scene = {slot: table[int(generator.random() * len(table))] for slot, table in self.tables.items()}
            if self.where(scene):
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
