"""From texts to translations: one protocol, and the engine that serves by default, CTranslate2.

Kept apart in two steps, because batches are made between them: `prepare` cleans and tokenises each text,
`decode` translates sentences that share their options.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import ctranslate2
import numpy as np
import sentencepiece

from container import text as text_rules
from container.artifact import Artifact, Decoding, open_artifact
from serve.alignment import Links, links
from serve.machine import available_cpus
from serve.parameters import Options, Parameters

WARM_UP = "Hello."
WORDS = 2048
LONGEST_PIECE = 16  # characters; SentencePiece's own default
PLACEHOLDERS = "".join(text_rules.PLACEHOLDERS)


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


@dataclass(frozen=True)
class Translation:
    """What became of one text: hypotheses, best first, and a warning where the text is doubtful."""

    hypotheses: tuple[Hypothesis, ...]
    warning: str | None = None


EMPTY = Translation((Hypothesis("", 0.0),))  # an empty text stays empty, and surely so: log 1 = 0


@dataclass(frozen=True)
class TextRules:
    """What must be known of a model to cut texts for it.

    prefixes: non-breaking ones of the source language. placeholders: symbols that it carries over.
    room: tokens of a sentence. sizes: counts the tokens of each of some words.
    """

    prefixes: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    room: int = 256
    sizes: Callable[[Sequence[str]], list[int]] = lambda words: [1 for _ in words]
    decoding: Decoding = field(default_factory=Decoding)

    @property
    def longest(self) -> int:
        """Characters after which a single word has surely more tokens than there is room."""
        return self.room * LONGEST_PIECE + 1


class Predictor(Protocol):
    """An engine with its model. Safe to call from several threads at once."""

    decoding: Decoding
    rules: TextRules

    def prepare(self, texts: Sequence[str]) -> list[Source]:
        """Clean and tokenise sentences, normalised but for placeholders; as many sources as texts, in order."""

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        """Translate non-empty sources together; as many translations as sources, in order."""

    def translate(self, texts: Sequence[str], parameters: Parameters) -> list[Translation]:
        """`prepare` and `decode` in one, without batching; an empty text stays empty."""


class CTranslate2Predictor:
    """CTranslate2 on CPU: one copy of the weights, `threads` sentences or batches decoded side by side.

    It keeps the number format of the export (int8 unless training was told otherwise). Not fork-safe
    (OpenNMT/CTranslate2 issue 539): create it in the process that uses it.
    """

    def __init__(self, artifact: Artifact, threads: int) -> None:
        manifest = artifact.manifest
        self.decoding = manifest.decoding
        self.threads = threads
        self._prefix = manifest.source_tokens_prefix
        self._clean_up = manifest.clean_up
        self._tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(artifact.tokenizer))
        self._room = max(1, self.decoding.max_source_length - len(self._prefix) - 1)  # 1 for the end of sentence
        self.rules = TextRules(
            manifest.clean_up.non_breaking_prefixes or text_rules.default_prefixes(manifest.source_lang),
            manifest.placeholders,
            self._room,
            self._sizes,
            self.decoding,
        )
        # intra_threads=1: the cores are used by sentences side by side, not by one matrix product.
        self._translator = ctranslate2.Translator(
            str(artifact.ctranslate2), device="cpu", inter_threads=threads, intra_threads=1
        )

    def prepare(self, texts: Sequence[str]) -> list[Source]:
        return [self._prepare(text) for text in texts]

    def _sizes(self, words: Sequence[str]) -> list[int]:
        """Tokens of each word, few at a time: while the tokenizer works, no other thread does."""
        shortened = [word[: self.rules.longest] for word in words]
        groups = (shortened[start : start + WORDS] for start in range(0, len(words), WORDS))
        return [len(pieces) for group in groups for pieces in self._tokenizer.encode(group)]

    def _prepare(self, text: str) -> Source:
        clean_up = self._clean_up  # `normalise` has been done; it would take the placeholders out
        clean = text_rules.drop_dots(text, clean_up.non_breaking_prefixes) if clean_up.clean_dots else text
        if not clean:
            return Source(())
        pieces = self._tokenizer.encode(clean, out_type=str)
        warning = None
        if 2 * sum(_is_unlearnt(piece) for piece in pieces) > len(pieces):
            warning = "Most of the text is in characters that the model has not learnt: do not trust the translation."
        if len(pieces) > self._room:
            warning = f"A word of the text has too many tokens; only the first {self._room} were translated."
        return Source((*self._prefix, *pieces[: self._room]), warning)

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        tokens = [list(source.tokens) for source in sources]
        prefix = self._tokenizer.encode(options.prefix, out_type=str)
        results = self._translator.translate_batch(
            tokens,
            target_prefix=[prefix] * len(sources) if prefix else None,
            beam_size=options.beam_size,
            num_hypotheses=options.num_hypotheses,
            length_penalty=options.length_penalty,
            max_decoding_length=options.max_length,
            max_input_length=0,  # cut in `prepare`, where the caller is told
            # With a beam, CTranslate2 4.8 gives some sentences of a batch another one's attention: one at a time then.
            max_batch_size=1 if options.return_alignment else 0,
            return_scores=True,
            return_attention=options.return_alignment,
        )
        log_probs: list[list[float]] = [[]] * len(results)
        if options.return_token_scores:
            scored = self._translator.score_batch(tokens, [result.hypotheses[0] for result in results])
            log_probs = [each.log_probs for each in scored]
        together = zip(sources, results, log_probs, strict=True)
        return [self._translation(*each, options) for each in together]

    def _translation(
        self, source: Source, result: ctranslate2.TranslationResult, log_probs: Sequence[float], options: Options
    ) -> Translation:
        best = result.hypotheses[0]
        hypotheses = tuple(
            Hypothesis(
                _one_line(self._tokenizer.decode(tokens)),
                score,
                len(tokens),
                self._links(source, tokens, result.attention[rank]) if options.return_alignment else (),
                # the end of the sentence has a score of its own, and no piece
                tuple(zip(tokens, log_probs, strict=False)) if rank == 0 else (),
            )
            for rank, (tokens, score) in enumerate(zip(result.hypotheses, result.scores, strict=True))
        )
        warning = source.warning
        if warning is None and len(best) >= options.max_length:
            warning = f"The translation was stopped at max_length, {options.max_length} tokens."
        return Translation(hypotheses, warning)

    def _links(self, source: Source, tokens: Sequence[str], attention: Sequence[Sequence[float]]) -> Links:
        tag = len(self._prefix)  # attention to the language tag is to no word
        rows = np.array(attention, dtype=float).reshape(len(tokens), -1)
        return links(source.tokens[tag:], tokens, rows[:, tag : len(source.tokens)])

    def translate(self, texts: Sequence[str], parameters: Parameters) -> list[Translation]:
        sources = self.prepare(texts)
        decoded = iter(self.decode([s for s in sources if s.tokens], parameters.options(self.decoding)))
        return [next(decoded) if source.tokens else EMPTY for source in sources]

    def close(self) -> None:
        """Give the memory of the weights back; the predictor is of no use afterwards."""
        self._translator.unload_model()


def _is_unlearnt(piece: str) -> bool:
    """Whether a piece is one byte of a character that was not in the training text."""
    return piece.startswith("<0x")


def _one_line(text: str) -> str:
    """`normalise`, which keeps placeholders: a byte-fallback piece must not break the one line of an answer."""
    words = ("".join(map(_normal, re.split(f"([{PLACEHOLDERS}])", word))) for word in text.split())
    return " ".join(word for word in words if word)


def _normal(part: str) -> str:
    return part if part and part in PLACEHOLDERS else text_rules.normalise(part)


def load(folder: Path) -> CTranslate2Predictor:
    """Open, check and load the model in `folder` and decode one sentence to its end: ready when it returns."""
    predictor = CTranslate2Predictor(open_artifact(folder), available_cpus())
    predictor.translate([WARM_UP], Parameters())
    return predictor
