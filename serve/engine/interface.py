"""From texts to translations: the protocol that every engine follows, and what goes in and comes out.

Kept apart in two steps, because batches are made between them: `prepare` cleans and tokenises each text
(the same for every engine, see `serve.engine.tokenization`), `decode` translates sentences that share their options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from container.artifact import Calibration, Decoding
from container.errors import UserError
from serve.engine.alignment import Links
from serve.web.parameters import Options, Parameters, shown

WARM_UP = "Hello."
LONGEST_PIECE = 16  # characters; SentencePiece's own default


@dataclass(frozen=True)
class Source:
    """One text ready for the engine: S tokens, the language tag first; none when the text is empty."""

    tokens: tuple[str, ...]
    warning: str | None = None


@dataclass(frozen=True)
class Hypothesis:
    """One translation; score = sum of log-probabilities / length ** length_penalty, as in CTranslate2.

    tokens: its length. alignment and token_scores (piece, log-probability): empty unless asked for.
    """

    text: str
    score: float
    tokens: int = 0
    alignment: Links = ()
    token_scores: tuple[tuple[str, float], ...] = ()
    confidence: float | None = None  # where it is asked for, of a model that has a calibration


@dataclass(frozen=True)
class Alternative:
    """Another word at a place of a translation, and the whole translation that it leads to."""

    word: str
    text: str
    score: float


@dataclass(frozen=True)
class Translation:
    """What became of one text: hypotheses, best first, and a warning where the text is doubtful."""

    hypotheses: tuple[Hypothesis, ...]
    warning: str | None = None
    alternatives: tuple[Alternative, ...] = ()

    def best(self, hypotheses: int) -> Translation:
        """With at most so many hypotheses."""
        return self if len(self.hypotheses) <= hypotheses else replace(self, hypotheses=self.hypotheses[:hypotheses])


EMPTY = Translation((Hypothesis("", 0.0, confidence=1.0),))  # an empty text stays empty, and surely so: log 1 = 0


@dataclass(frozen=True)
class TextRules:
    """What must be known of one direction of a model to cut texts for it.

    prefixes: non-breaking ones of the source language. placeholders: symbols that it carries over.
    room: tokens of a sentence. sizes: counts the tokens of each of some texts. calibration: what its scores are worth.
    """

    prefixes: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    room: int = 256
    sizes: Callable[[Sequence[str]], list[int]] = lambda texts: [len(text.split()) for text in texts]
    decoding: Decoding = field(default_factory=Decoding)
    calibration: Calibration | None = None
    source_lang: str = ""
    target_lang: str = ""

    def has_room(self, sentence: str) -> bool:
        """Whether a sentence has room for sure, without counting: an ASCII character is one token at most."""
        return len(sentence) < self.room and sentence.isascii()  # and the space before the first word is one more

    @property
    def longest(self) -> int:
        """Characters after which a single word has surely more tokens than there is room."""
        return self.room * LONGEST_PIECE + 1


def rules_for(rules: Sequence[TextRules], target_lang: str | None) -> TextRules:
    """Those of the direction that writes `target_lang`, by default the first; `UserError` where there is none."""
    for each in rules:
        if target_lang in (None, each.target_lang):
            return each
    ways = " and ".join(f"from {each.source_lang} to {each.target_lang}" for each in rules)
    wanted = " or ".join(repr(each.target_lang) for each in rules)
    raise UserError(
        f"`target_lang` is {shown(target_lang)} but this model translates {ways}: ask for {wanted}, or leave it out."
    )


class Predictor(Protocol):
    """An engine with its model. Safe to call from several threads at once.

    rules: of each of its directions, the default one first. threads: batches that it decodes side by side.
    ahead: batches that it queues itself, beyond them, so that it has work while Python is still at the words of its
    last batch.
    """

    decoding: Decoding
    rules: tuple[TextRules, ...]
    threads: int
    ahead: int = 0

    def prepare(self, texts: Sequence[str], target_lang: str | None = None) -> list[Source]:
        """Clean and tokenise sentences, normalised but for placeholders; as many sources as texts, in order.

        target_lang: the language to write, by default that of the model's first direction; raises like `rules_for`.
        """

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        """Translate non-empty sources together; as many translations as sources, in order."""

    def close(self) -> None:
        """Give the memory of the weights back; the predictor is of no use afterwards."""

    def translate(self, texts: Sequence[str], parameters: Parameters) -> list[Translation]:
        """`prepare` and `decode` in one, without batching; an empty text stays empty."""
        sources = self.prepare(texts, parameters.target_lang)
        decoded = iter(self.decode([s for s in sources if s.tokens], parameters.options(self.decoding)))
        return [next(decoded) if source.tokens else EMPTY for source in sources]
