"""The engine that serves by default: CTranslate2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import ctranslate2

from container.artifact import Artifact, longest_translation
from serve.engine.interface import Hypothesis, Options, Predictor, Source, Translation
from serve.engine.processor import in_background
from serve.engine.tokenization import Tokenization

COMPUTE_TYPES = {"cpu": "default", "cuda": "float16"}  # default: the number format of the export


class CTranslate2Predictor(Predictor):
    """CTranslate2, with one copy of the weights. Not fork-safe (OpenNMT/CTranslate2 issue 539).

    On "cpu" it computes in the number format of the export (int8 unless training was told otherwise), `threads`
    batches side by side; on "cuda" in float16, one batch at a time, because larger batches fill a GPU.
    """

    ahead = 1

    def __init__(self, artifact: Artifact, threads: int, device: str = "cpu") -> None:
        self.threads = threads if device == "cpu" else 1
        self._tokenization = Tokenization(artifact)
        self.rules = self._tokenization.rules
        # intra_threads=1: sentences side by side use the cores, one matrix product does not.
        self._translator = in_background(
            partial(
                ctranslate2.Translator,
                str(artifact.ctranslate2),
                device=device,
                compute_type=COMPUTE_TYPES[device],
                inter_threads=self.threads,
                intra_threads=1,
            )
        )

    def prepare(self, texts: Sequence[str], target_lang: str | None = None) -> list[Source]:
        return self._tokenization.prepare(texts, target_lang)

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        tokens = [list(source.tokens) for source in sources]
        prefix = self._tokenization.encode_target(options.prefix)
        bounds = [longest_translation(len(each)) + len(prefix) for each in tokens]
        options = replace(options, max_length=min(options.max_length, max(bounds))) if bounds else options
        results = self._translator.translate_batch(
            tokens,
            target_prefix=[prefix] * len(sources) if prefix else None,
            beam_size=options.beam_size,
            num_hypotheses=options.num_hypotheses,
            length_penalty=options.length_penalty,
            max_decoding_length=options.max_length,
            max_input_length=0,  # `prepare` has cut the source, and tells so
            # With a beam, CTranslate2 4.8 gives some sentences of a batch another one's attention: one at a time then.
            max_batch_size=1 if options.return_alignment else 0,
            return_scores=True,
            return_attention=options.return_alignment,
            return_alternatives=options.alternatives,
        )
        log_probs: list[list[float]] = [[]] * len(results)
        if options.return_token_scores:
            scored = self._translator.score_batch(tokens, [result.hypotheses[0] for result in results])
            log_probs = [each.log_probs for each in scored]
        together = zip(sources, results, log_probs, strict=True)
        translations = [self._translation(*each, options) for each in together]
        return self._score_whole(tokens, results, translations, options) if options.alternatives else translations

    def _score_whole(
        self,
        sources: Sequence[list[str]],
        results: Sequence[ctranslate2.TranslationResult],
        translations: Sequence[Translation],
        options: Options,
    ) -> list[Translation]:
        """The translations with whole scores: CTranslate2 scores alternatives without prefix and length penalty."""
        pairs = [(source, each) for source, result in zip(sources, results, strict=True) for each in result.hypotheses]
        scored = iter(self._translator.score_batch(*map(list, zip(*pairs, strict=True))))

        def score() -> float:
            log_probs = next(scored).log_probs[: options.max_length]  # a hypothesis cut there has no end of sentence
            return float(sum(log_probs)) / len(log_probs) ** options.length_penalty

        return [
            replace(each, hypotheses=tuple(replace(one, score=score()) for one in each.hypotheses))
            for each in translations
        ]

    def _translation(
        self, source: Source, result: ctranslate2.TranslationResult, log_probs: Sequence[float], options: Options
    ) -> Translation:
        found = result.hypotheses  # each access converts them from C++ again
        hypotheses = tuple(
            Hypothesis(
                self._tokenization.decode(tokens),
                score,
                len(tokens),
                self._tokenization.align(source, tokens, result.attention[rank]) if options.return_alignment else (),
                # the end of the sentence has a score of its own, and no piece
                tuple(zip(tokens, log_probs, strict=False)) if rank == 0 else (),
            )
            for rank, (tokens, score) in enumerate(zip(found, result.scores, strict=True))
        )
        return Translation(hypotheses, self._tokenization.find_warning(source, len(found[0]), options))

    def close(self) -> None:
        self._translator.unload_model()
