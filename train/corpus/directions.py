"""The directions that a model is trained in: from source to target, and with `direction=both` also back.

A model of both directions is trained on each pair both ways. The first token of each of its sources is the tag of the
language to write (`container.vocabulary.language_tag`). A model of one direction reads its sources without a tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from container.vocabulary import language_tag
from train.corpus.pairs import Pair
from train.job.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class Direction:
    """tag: tokens in front of every source. backwards: the model reads the corpus's targets and writes its sources."""

    tag: tuple[str, ...] = ()
    backwards: bool = False

    @property
    def suffix(self) -> str:
        """The end of the names of this direction's metrics."""
        return "_reverse" if self.backwards else ""

    @property
    def aside(self) -> str:
        """The end of a sentence in the log that is about this direction."""
        return ", the way back" if self.backwards else ""

    def of(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """The corpus's pairs with the side that this direction reads as their source."""
        return [Pair(pair.target, pair.source) for pair in pairs] if self.backwards else pairs


FORWARD = Direction()


def directions(hp: Hyperparameters) -> tuple[Direction, ...]:
    """The directions of the job; the first is from source to target."""
    if hp.direction == "forward":
        return (FORWARD,)
    return (Direction((language_tag(hp.target_lang),)), Direction((language_tag(hp.source_lang),), backwards=True))
