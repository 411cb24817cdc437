"""The directions that a model is trained in: from source to target, or with `direction=both` the way back as well.

A model of both directions is trained on each pair both ways. The first token of every source is the tag of the language
to write (`container.vocabulary.language_tag`); a model of one direction reads its sources without a tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from container.vocabulary import language_tag
from train.corpus.formats import Pair
from train.job.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class Direction:
    """tag: tokens in front of every source. backwards: the corpus's targets are read and its sources written."""

    tag: tuple[str, ...] = ()
    backwards: bool = False

    @property
    def suffix(self) -> str:
        """Behind the names of this direction's metrics."""
        return "_reverse" if self.backwards else ""

    @property
    def aside(self) -> str:
        """Behind a sentence in the log that is about this direction."""
        return ", the way back" if self.backwards else ""

    def of(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """The corpus's pairs as this direction reads and writes them."""
        return [Pair(pair.target, pair.source) for pair in pairs] if self.backwards else pairs


FORWARD = Direction()


def directions(hp: Hyperparameters) -> tuple[Direction, ...]:
    """Those of the job, from source to target first."""
    if hp.direction == "forward":
        return (FORWARD,)
    return (Direction((language_tag(hp.target_lang),)), Direction((language_tag(hp.source_lang),), backwards=True))
