"""From text to tokens and back, the same for every engine: clean-up and tokens going in, one line coming out."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import sentencepiece
from numpy.typing import ArrayLike

from container import vocabulary
from container.artifact import Artifact, Manifest
from container.text import default_prefixes, drop_dots, normalise
from serve.engine.alignment import Links, align_words
from serve.engine.interface import PLAIN, Options, Source, TextRules
from serve.engine.names import learn_names

UNLEARNT = "Most of the text is in characters that the model has not learnt: do not trust the translation."
UNLIKE = "The text is unlike those that the model learnt from (another language?): do not trust the translation."
WORDS_A_CALL = 2048  # of the tokenizer
# A manifest says what training took at most, not what is usual. With the shipped model, long sentences lose 3 chrF2 if
# they are cut at a quarter, 25 tokens, and 20 if they are not; plain ones gain 1.
LONGER_THAN_USUAL = 4
KNOWN_CHARACTERS = 20_000  # at most, that are remembered
USUAL_WORDS = 64  # of a sentence
# Typographic marks, and what a model reads in their place where it has not learnt them.
REWRITES = {"’": "'", "‘": "'", "ʼ": "'", "‚": "'", "“": '"', "”": '"', "„": '"'}
PLACEHOLDERS = "".join(vocabulary.PLACEHOLDERS)


class Tokenization:
    """The tokenizer of a model, and the clean-up and the language tag of each of its directions."""

    def __init__(self, artifact: Artifact) -> None:
        manifest = artifact.manifest
        self.tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(artifact.tokenizer))
        self._manifests: dict[str | None, Manifest] = {each.target_lang: each for each in manifest.directions}
        self._manifests[None] = manifest.directions[0]
        self._tag_tokens = len(manifest.source_tokens_prefix)  # as many in each direction
        # The end of the sentence takes one token.
        self._max_tokens = max(1, manifest.decoding.max_source_length - self._tag_tokens - 1)
        self._known: dict[str, bool] = {}
        self._plain = frozenset(each for each in PLAIN if self._is_known(each))
        self._rewrites = {
            ord(mark): usual for mark, usual in REWRITES.items() if not self._is_known(mark) and self._is_known(usual)
        }
        self._is_name = learn_names(self._score)
        self.rules = tuple(self._rules(each) for each in manifest.directions)

    def _rules(self, manifest: Manifest) -> TextRules:
        return TextRules(
            prefixes=manifest.clean_up.non_breaking_prefixes or default_prefixes(manifest.source_lang),
            placeholders=manifest.placeholders,
            max_tokens=self._max_tokens,
            usual_tokens=max(1, manifest.decoding.max_source_length // LONGER_THAN_USUAL),
            count_tokens=self._count_tokens,
            decoding=manifest.decoding,
            calibration=manifest.calibration,
            source_lang=manifest.source_lang,
            target_lang=manifest.target_lang,
            is_known=self._is_known,
            is_name=self._is_name,
            plain=self._plain,
            rewrites=self._rewrites,
        )

    def _is_known(self, character: str) -> bool:
        """Whether the tokenizer has a piece for a character: its bytes do not count."""
        known = self._known.get(character)
        if known is None:
            pieces = self.tokenizer.encode(character)
            known = not any(self.tokenizer.is_byte(piece) or self.tokenizer.is_unknown(piece) for piece in pieces)
            if len(self._known) < KNOWN_CHARACTERS:
                self._known[character] = known
        return known

    def _score(self, piece: str) -> float | None:
        """The log probability of a piece of the vocabulary; None where there is no such piece."""
        index = self.tokenizer.piece_to_id(piece)
        return None if index == self.tokenizer.unk_id() else float(self.tokenizer.get_score(index))

    def prepare(self, texts: Sequence[str], target_lang: str | None = None) -> list[Source]:
        """Do what `Predictor.prepare` promises."""
        manifest = self._manifests[target_lang]
        return [self._prepare(text, manifest) for text in texts]

    def encode_target(self, text: str) -> list[str]:
        """The tokens of a text in the target language; none of an empty text."""
        return self.tokenizer.encode(text, out_type=str)

    def decode(self, tokens: Sequence[str]) -> str:
        """The text of target tokens: one line, whatever the model wrote."""
        return _to_one_line(self.tokenizer.decode(list(tokens)))

    def align(self, source: Source, tokens: Sequence[str], attention: ArrayLike) -> Links:
        """Link the words of a source and of its translation; attention: [T, S] or more, for `tokens` and the source."""
        rows = np.asarray(attention, dtype=float)[: len(tokens)].reshape(len(tokens), -1)
        tag = self._tag_tokens  # no word
        return align_words(source.tokens[tag:], tokens, rows[:, tag : len(source.tokens)])

    def find_warning(self, source: Source, length: int, options: Options) -> str | None:
        """What is doubtful about a translation of `length` tokens, if anything is."""
        if source.warning is None and length >= options.max_length:
            return f"The translation was stopped at max_length, {options.max_length} tokens."
        return source.warning

    def _count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text (a word, a sentence), few at a time: while the tokenizer works, no other thread does.

        For a list the tokenizer starts a thread, even for one text: the words of a usual sentence are done before.
        """
        longest = self.rules[0].max_characters  # the same in each direction
        shortened = [text[:longest] for text in texts]
        if len(texts) <= USUAL_WORDS:
            return [len(self.tokenizer.encode(text)) for text in shortened]
        groups = (shortened[start : start + WORDS_A_CALL] for start in range(0, len(texts), WORDS_A_CALL))
        return [len(pieces) for group in groups for pieces in self.tokenizer.encode(group)]

    def _prepare(self, text: str, manifest: Manifest) -> Source:
        clean_up = manifest.clean_up  # `normalise` was done before; now it would take the placeholders out
        clean = drop_dots(text, clean_up.non_breaking_prefixes) if clean_up.clean_dots else text
        if not clean:
            return Source(())
        pieces = self.tokenizer.encode(clean, out_type=str)
        if not pieces:  # of a joiner alone, say, the tokenizer leaves nothing
            return Source(())
        warning = None
        if 2 * sum(_is_unlearnt(piece) for piece in pieces) > len(pieces):
            warning = UNLEARNT
        elif manifest.calibration and manifest.calibration.is_unlike(text, len(pieces)):
            warning = UNLIKE
        if len(pieces) > self._max_tokens:
            warning = f"A word of the text has too many tokens; only the first {self._max_tokens} were translated."
        return Source((*manifest.source_tokens_prefix, *pieces[: self._max_tokens]), warning)


def _is_unlearnt(piece: str) -> bool:
    """Whether a piece is one byte of a character that was not in the training text."""
    return piece.startswith("<0x")


def _to_one_line(text: str) -> str:
    """`normalise` the text but keep placeholders: a byte-fallback piece must not break the one line of an answer."""
    if text.isprintable():  # a placeholder is not printable, and hardly anything else that a model writes is not
        return normalise(text)
    words = ("".join(map(_normalise_part, re.split(f"([{PLACEHOLDERS}])", word))) for word in text.split())
    return " ".join(word for word in words if word)


def _normalise_part(part: str) -> str:
    return part if part and part in PLACEHOLDERS else normalise(part)
