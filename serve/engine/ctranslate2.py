"""The engine that serves by default: CTranslate2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import ctranslate2

from container.artifact import Artifact
from serve.engine.interface import Hypothesis, Predictor, Source, Translation
from serve.engine.tokenization import Texts
from serve.machine import in_background
from serve.web.parameters import Options

COMPUTE_TYPES = {"cpu": "default", "cuda": "float16"}  # default: that of the export


class CTranslate2Predictor(Predictor):
    """CTranslate2, with one copy of the weights. Not fork-safe (OpenNMT/CTranslate2 issue 539).

    On "cpu" in the number format of the export (int8 unless training was told otherwise), `threads` batches
    side by side; on "cuda" in float16, one batch at a time: a GPU is filled by larger batches.
    """

    ahead = 1

    def __init__(self, artifact: Artifact, threads: int, device: str = "cpu") -> None:
        self.decoding = artifact.manifest.decoding
        self.threads = threads if device == "cpu" else 1
        self._texts = Texts(artifact)
        self.rules = self._texts.rules
        # intra_threads=1: the cores are used by sentences side by side, not by one matrix product.
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
        return self._texts.prepare(texts, target_lang)

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        tokens = [list(source.tokens) for source in sources]
        prefix = self._texts.target_pieces(options.prefix)
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
            return_alternatives=options.alternatives,
        )
        log_probs: list[list[float]] = [[]] * len(results)
        if options.return_token_scores:
            scored = self._translator.score_batch(tokens, [result.hypotheses[0] for result in results])
            log_probs = [each.log_probs for each in scored]
        together = zip(sources, results, log_probs, strict=True)
        translations = [self._translation(*each, options) for each in together]
        return self._scored_whole(tokens, results, translations, options) if options.alternatives else translations

    def _scored_whole(
        self,
        sources: Sequence[list[str]],
        results: Sequence[ctranslate2.TranslationResult],
        translations: Sequence[Translation],
        options: Options,
    ) -> list[Translation]:
        """With the scores of whole translations: CTranslate2 gives alternatives without the prefix and the length."""
        pairs = [(source, each) for source, result in zip(sources, results, strict=True) for each in result.hypotheses]
        scored = iter(self._translator.score_batch(*map(list, zip(*pairs, strict=True))))

        def score() -> float:
            log_probs = next(scored).log_probs[: options.max_length]  # who stopped there wrote no end of sentence
            return float(sum(log_probs)) / len(log_probs) ** options.length_penalty

        return [
            replace(each, hypotheses=tuple(replace(one, score=score()) for one in each.hypotheses))
            for each in translations
        ]

    def _translation(
        self, source: Source, result: ctranslate2.TranslationResult, log_probs: Sequence[float], options: Options
    ) -> Translation:
        found = result.hypotheses  # made from C++ anew each time it is asked for
        hypotheses = tuple(
            Hypothesis(
                self._texts.line(tokens),
                score,
                len(tokens),
                self._texts.links(source, tokens, result.attention[rank]) if options.return_alignment else (),
                # the end of the sentence has a score of its own, and no piece
                tuple(zip(tokens, log_probs, strict=False)) if rank == 0 else (),
            )
            for rank, (tokens, score) in enumerate(zip(found, result.scores, strict=True))
        )
        return Translation(hypotheses, self._texts.warning(source, len(found[0]), options))

    def close(self) -> None:
        self._translator.unload_model()
