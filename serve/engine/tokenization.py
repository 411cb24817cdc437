"""The text side of a predictor, the same for every engine: clean-up and tokens going in, one line coming out."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import sentencepiece
from numpy.typing import ArrayLike

from container import text as text_rules
from container import vocabulary
from container.artifact import Artifact, Manifest
from serve.engine.alignment import Links, links
from serve.engine.interface import Source, TextRules, rules_for
from serve.web.parameters import Options

UNLIKE = "The text is unlike those that the model learnt from (another language?): do not trust the translation."
WORDS = 2048  # in one call of the tokenizer
SENTENCE = 64  # words
PLACEHOLDERS = "".join(vocabulary.PLACEHOLDERS)


class Texts:
    """The tokenizer of a model, and the clean-up and the tag of each of its directions."""

    def __init__(self, artifact: Artifact) -> None:
        self.tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(artifact.tokenizer))
        self._manifests = {each.target_lang: each for each in artifact.manifest.directions}
        self._tag = len(artifact.manifest.source_tokens_prefix)  # tokens; as many in each direction
        self._room = max(1, artifact.manifest.decoding.max_source_length - self._tag - 1)  # 1 for the end of sentence
        self.rules = tuple(self._rules(each) for each in artifact.manifest.directions)

    def _rules(self, manifest: Manifest) -> TextRules:
        return TextRules(
            manifest.clean_up.non_breaking_prefixes or text_rules.default_prefixes(manifest.source_lang),
            manifest.placeholders,
            self._room,
            self._sizes,
            manifest.decoding,
            manifest.calibration,
            manifest.source_lang,
            manifest.target_lang,
        )

    def prepare(self, texts: Sequence[str], target_lang: str | None = None) -> list[Source]:
        """See `Predictor.prepare`."""
        manifest = self._manifests[rules_for(self.rules, target_lang).target_lang]
        return [self._prepare(text, manifest) for text in texts]

    def target_pieces(self, text: str) -> list[str]:
        """The tokens of a text in the target language; none of an empty one."""
        return self.tokenizer.encode(text, out_type=str)

    def line(self, tokens: Sequence[str]) -> str:
        """The text of target tokens: one line, whatever the model wrote."""
        return _one_line(self.tokenizer.decode(list(tokens)))

    def links(self, source: Source, tokens: Sequence[str], attention: ArrayLike) -> Links:
        """Which words belong together; attention: a row for each of `tokens`, a column for each of the source."""
        rows = np.asarray(attention, dtype=float)[: len(tokens)].reshape(len(tokens), -1)
        # attention to the language tag is to no word
        return links(source.tokens[self._tag :], tokens, rows[:, self._tag : len(source.tokens)])

    def warning(self, source: Source, length: int, options: Options) -> str | None:
        """What is doubtful about a translation of `length` tokens, if anything is."""
        if source.warning is None and length >= options.max_length:
            return f"The translation was stopped at max_length, {options.max_length} tokens."
        return source.warning

    def _sizes(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text (a word, a sentence), few at a time: while the tokenizer works, no other thread does.

        For a list the tokenizer starts a thread, even for one: the words of a usual sentence are done before.
        """
        longest = self.rules[0].longest  # that of each direction
        shortened = [text[:longest] for text in texts]
        if len(texts) <= SENTENCE:
            return [len(self.tokenizer.encode(text)) for text in shortened]
        groups = (shortened[start : start + WORDS] for start in range(0, len(texts), WORDS))
        return [len(pieces) for group in groups for pieces in self.tokenizer.encode(group)]

    def _prepare(self, text: str, manifest: Manifest) -> Source:
        clean_up = manifest.clean_up  # `normalise` has been done; it would take the placeholders out
        clean = text_rules.drop_dots(text, clean_up.non_breaking_prefixes) if clean_up.clean_dots else text
        if not clean:
            return Source(())
        pieces = self.tokenizer.encode(clean, out_type=str)
        if not pieces:  # of a joiner alone, say, the tokenizer leaves nothing
            return Source(())
        warning = None
        if 2 * sum(_is_unlearnt(piece) for piece in pieces) > len(pieces):
            warning = "Most of the text is in characters that the model has not learnt: do not trust the translation."
        elif manifest.calibration and manifest.calibration.is_unlike(text, len(pieces)):
            warning = UNLIKE
        if len(pieces) > self._room:
            warning = f"A word of the text has too many tokens; only the first {self._room} were translated."
        return Source((*manifest.source_tokens_prefix, *pieces[: self._room]), warning)


def _is_unlearnt(piece: str) -> bool:
    """Whether a piece is one byte of a character that was not in the training text."""
    return piece.startswith("<0x")


def _one_line(text: str) -> str:
    """`normalise`, which keeps placeholders: a byte-fallback piece must not break the one line of an answer."""
    if text.isprintable():  # no placeholder is, and hardly anything else that a model writes is not
        return text_rules.normalise(text)
    words = ("".join(map(_normal, re.split(f"([{PLACEHOLDERS}])", word))) for word in text.split())
    return " ".join(word for word in words if word)


def _normal(part: str) -> str:
    return part if part and part in PLACEHOLDERS else text_rules.normalise(part)
