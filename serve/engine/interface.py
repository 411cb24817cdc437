"""What every engine does: the protocol `Predictor`, and the types that go in and come out.

Translating has two steps, because batches are made between them: `prepare` cleans and tokenises each text (the same
for every engine, see `serve.engine.tokenization`), `decode` translates sentences that share their options.
An engine knows nothing of HTTP, of a request's parameters and of masked spans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from container.artifact import Calibration, Decoding
from serve.engine.alignment import Links

WARM_UP = "Hello."
PLAIN = frozenset(each for each in map(chr, range(32, 0x530)) if each.isalpha() or each in " ,.!?'\"-")
CHARACTERS_PER_TOKEN = 2  # that nearly every sentence reaches
LONGEST_PIECE = 16  # characters; SentencePiece's own default


@dataclass(frozen=True)
class Options:
    """How the engine is to decode; sentences with an equal `search` may share a batch.

    alternatives: hypotheses that differ from the first token behind the prefix on, in the place of a beam's best.
    """

    beam_size: int
    num_hypotheses: int
    length_penalty: float
    max_length: int
    prefix: str = ""
    return_alignment: bool = False
    return_token_scores: bool = False
    alternatives: bool = False

    @property
    def search(self) -> Options:
        """What the search depends on. It does not depend on how many hypotheses are wanted, where more cost nothing."""
        return self if self.alternatives or self.return_alignment else replace(self, num_hypotheses=1)


def default_options(decoding: Decoding) -> Options:
    """The model's own decoding options, for one hypothesis."""
    return Options(decoding.beam_size, 1, decoding.length_penalty, decoding.max_target_length)


@dataclass(frozen=True)
class Source:
    """One text ready for the engine: S tokens, the language tag first; no tokens where the text is empty."""

    tokens: tuple[str, ...]
    warning: str | None = None


@dataclass(frozen=True)
class Hypothesis:
    """One translation; score = sum of log-probabilities / length ** length_penalty, as in CTranslate2.

    tokens: its length. alignment and token_scores (piece, log-probability): empty unless asked for.
    confidence: only where it is asked for and the model has a calibration.
    """

    text: str
    score: float
    tokens: int = 0
    alignment: Links = ()
    token_scores: tuple[tuple[str, float], ...] = ()
    confidence: float | None = None


@dataclass(frozen=True)
class Alternative:
    """Another word at a place of a translation, and the whole translation that it leads to."""

    word: str
    text: str
    score: float


@dataclass(frozen=True)
class Translation:
    """The translation of one text: hypotheses, best first, and a warning where the text is doubtful."""

    hypotheses: tuple[Hypothesis, ...]
    warning: str | None = None
    alternatives: tuple[Alternative, ...] = ()

    def best(self, count: int) -> Translation:
        """The same translation with at most `count` hypotheses."""
        return self if len(self.hypotheses) <= count else replace(self, hypotheses=self.hypotheses[:count])


EMPTY = Translation((Hypothesis("", 0.0, confidence=1.0),))  # of an empty text; confidence 1, for log 1 is 0


@dataclass(frozen=True)
class TextRules:
    """What must be known of one direction of a model to cut texts for it and to ask the engine for translations.

    prefixes: non-breaking prefixes of the source language. placeholders: symbols that the model carries over.
    max_tokens: of one sentence. usual_tokens: of the sentences that training has seen enough of.
    count_tokens: counts the tokens of each of some texts.
    decoding: the model's defaults. calibration: how its scores become a confidence.
    is_known: whether the tokenizer has a piece for a character (without it, all letters and usual marks are known).
    is_name: whether a word is mostly written with a capital. plain: characters that need no look at a text.
    rewrites: typographic marks that the model does not know, and what it reads in their place (`str.translate`).
    """

    prefixes: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    max_tokens: int = 256
    usual_tokens: int = 256
    count_tokens: Callable[[Sequence[str]], list[int]] = lambda texts: [len(text.split()) for text in texts]
    decoding: Decoding = field(default_factory=Decoding)
    calibration: Calibration | None = None
    source_lang: str = ""
    target_lang: str = ""
    is_known: Callable[[str], bool] | None = None
    is_name: Callable[[str], bool] | None = None
    plain: frozenset[str] = PLAIN
    rewrites: Mapping[int, str] = field(default_factory=dict)

    @property
    def part_tokens(self) -> int:
        """Of a part of a sentence, at most, that is decoded as a whole."""
        return min(self.max_tokens, self.usual_tokens)

    def surely_fits(self, sentence: str) -> bool:
        """Whether a sentence certainly has at most `max_tokens`, and most probably `part_tokens`, without counting.

        An ASCII character is at most one token, and the space before the first word is one more.
        """
        return len(sentence) < min(self.max_tokens, CHARACTERS_PER_TOKEN * self.part_tokens) and sentence.isascii()

    @property
    def max_characters(self) -> int:
        """A single word with so many characters certainly has more than `max_tokens` tokens."""
        return self.max_tokens * LONGEST_PIECE + 1


class Predictor(Protocol):
    """An engine with its model. Safe to call from several threads at once.

    rules: of each of the model's directions, the default direction first. threads: batches that it decodes side by
    side. ahead: further batches that the engine queues itself, so that it has work while Python still makes the words
    of its last batch.
    """

    rules: tuple[TextRules, ...]
    threads: int
    ahead: int = 0

    def prepare(self, texts: Sequence[str], target_lang: str | None = None) -> list[Source]:
        """Clean and tokenise sentences, normalised but for placeholders; as many sources as texts, in order.

        target_lang: the `target_lang` of one of the `rules`; by default that of the first.
        """

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        """Translate non-empty sources together; as many translations as sources, in order."""

    def close(self) -> None:
        """Free the memory of the weights; the predictor cannot be used afterwards."""

    def translate(
        self, texts: Sequence[str], options: Options | None = None, target_lang: str | None = None
    ) -> list[Translation]:
        """`prepare` and `decode` in one, without batching; an empty text stays empty.

        options: by default the model's own.
        """
        sources = self.prepare(texts, target_lang)
        options = options or default_options(self.rules[0].decoding)
        decoded = iter(self.decode([source for source in sources if source.tokens], options))
        return [next(decoded) if source.tokens else EMPTY for source in sources]
