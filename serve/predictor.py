"""From texts to translations: one protocol, and the engine that serves by default, CTranslate2.

Kept apart in two steps, because batches are made between them: `prepare` cleans and tokenises each text,
`decode` translates sentences that share their options.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import ctranslate2
import sentencepiece

from container import text as text_rules
from container.artifact import Artifact, Decoding, open_artifact
from container.paths import Paths
from serve.machine import available_cpus
from serve.parameters import Options, Parameters

WARM_UP = "Hello."


@dataclass(frozen=True)
class Source:
    """One text ready for the engine: S tokens, the language tag first; none when the text is empty."""

    tokens: tuple[str, ...]
    warning: str | None = None


@dataclass(frozen=True)
class Hypothesis:
    """One translation; score = sum of log-probabilities / length ** length_penalty, as in CTranslate2."""

    text: str
    score: float


@dataclass(frozen=True)
class Translation:
    """What became of one text: hypotheses, best first, and a warning where the text is doubtful."""

    hypotheses: tuple[Hypothesis, ...]
    warning: str | None = None


EMPTY = Translation((Hypothesis("", 0.0),))  # an empty text stays empty, and surely so: log 1 = 0


class Predictor(Protocol):
    """An engine with its model. Safe to call from several threads at once."""

    decoding: Decoding

    def prepare(self, texts: Sequence[str]) -> list[Source]:
        """Clean and tokenise; as many sources as texts, in order."""

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
        # intra_threads=1: the cores are used by sentences side by side, not by one matrix product.
        self._translator = ctranslate2.Translator(
            str(artifact.ctranslate2), device="cpu", inter_threads=threads, intra_threads=1
        )

    def prepare(self, texts: Sequence[str]) -> list[Source]:
        return [self._prepare(text) for text in texts]

    def _prepare(self, text: str) -> Source:
        clean = text_rules.clean(
            text, clean_dots=self._clean_up.clean_dots, prefixes=self._clean_up.non_breaking_prefixes
        )
        if not clean:
            return Source(())
        pieces = self._tokenizer.encode(clean, out_type=str)
        room = max(1, self.decoding.max_source_length - len(self._prefix) - 1)  # 1 for the end of sentence
        warning = None
        if len(pieces) > room:
            warning = f"The text has {len(pieces)} tokens; only the first {room} were translated."
        return Source((*self._prefix, *pieces[:room]), warning)

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        results = self._translator.translate_batch(
            [list(source.tokens) for source in sources],
            beam_size=options.beam_size,
            num_hypotheses=options.num_hypotheses,
            length_penalty=options.length_penalty,
            max_decoding_length=options.max_length,
            max_input_length=0,  # cut in `prepare`, where the caller is told
            return_scores=True,
        )
        return [self._translation(*pair, options) for pair in zip(sources, results, strict=True)]

    def _translation(self, source: Source, result: ctranslate2.TranslationResult, options: Options) -> Translation:
        # The same rules as for input: a byte-fallback piece must not break the one line of an answer.
        hypotheses = tuple(
            Hypothesis(text_rules.normalise(self._tokenizer.decode(tokens)), score)
            for tokens, score in zip(result.hypotheses, result.scores, strict=True)
        )
        warning = source.warning
        if warning is None and len(result.hypotheses[0]) >= options.max_length:
            warning = f"The translation was stopped at max_length, {options.max_length} tokens."
        return Translation(hypotheses, warning)

    def translate(self, texts: Sequence[str], parameters: Parameters) -> list[Translation]:
        sources = self.prepare(texts)
        decoded = iter(self.decode([s for s in sources if s.tokens], parameters.options(self.decoding)))
        return [next(decoded) if source.tokens else EMPTY for source in sources]


def load(paths: Paths) -> CTranslate2Predictor:
    """Open, check and load the model of `paths` and decode one sentence to its end: ready when it returns."""
    predictor = CTranslate2Predictor(open_artifact(paths.model), available_cpus())
    predictor.translate([WARM_UP], Parameters())
    return predictor
