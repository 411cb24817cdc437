"""The stage after export: each direction of the exported model is scored and calibrated on what training never saw."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from container.artifact import Calibration, CleanUp, OneDirection, Score
from train.corpus.directions import Direction, directions
from train.corpus.pairs import Pair
from train.corpus.prepare import Prepared
from train.evaluation.calibration import calibrate, judge, measure_error
from train.evaluation.decode import Hypothesis, decoding_of, translate
from train.evaluation.scores import ReferenceSet, make_reference_set, score
from train.evaluation.statistics import Translations
from train.job.context import JobContext

TEST_SOURCES = 2000  # a 95 % interval of about +-1 BLEU
COMPARED_SOURCES = 500  # translated in float32 as well, for what quantisation costs
HURRIED_SOURCES = 100  # when the job was told to stop, there are seconds left


@dataclass(frozen=True)
class EvaluatedDirection:
    """What the manifest says of one direction, and the direction's translations of the test part, if there is one."""

    manifest: OneDirection
    translations: Translations | None


def evaluate_model(job: JobContext, prepared: Prepared, model: Path, float32: Path) -> list[EvaluatedDirection]:
    """Evaluate every direction of an exported model, from source to target first.

    model: the folder of the CTranslate2 model that is published. float32: the folder of the same, not quantised.
    Once `job.stop` is set there are seconds left, and fewer sentences are translated from then on.
    """
    return [_Evaluation(job, prepared, model, direction).run(float32) for direction in directions(job.hyperparameters)]


@dataclass(frozen=True)
class _Evaluation:
    """One direction of the model in the folder `model`."""

    job: JobContext
    prepared: Prepared
    model: Path
    direction: Direction

    def run(self, float32: Path) -> EvaluatedDirection:
        corpus, prefixes = self.prepared.corpus, self.prepared.prefixes
        scores: dict[str, Score] = {}
        translations = None
        test, hypotheses = self._choose(corpus.test), list[Hypothesis]()
        if test.sources:
            began = time.monotonic()
            hypotheses = self._translate(self.model, test)
            translations = Translations(test, [each.text for each in hypotheses], time.monotonic() - began)
            scores = self._score(translations, float32)
        else:
            self.job.progress.say(f"there is no test part, so nothing is scored{self.direction.aside}")
        calibration = self._calibrate()
        if calibration and hypotheses:
            error = measure_error(calibration, judge(hypotheses, test))
            self.job.progress.metrics(**{f"calibration_error{self.direction.suffix}": error.value})
            scores["calibration_error"] = error
        clean_up = CleanUp(
            clean_dots=self.job.hyperparameters.clean_dots,
            non_breaking_prefixes=prefixes.target if self.direction.backwards else prefixes.source,
        )
        manifest = OneDirection(
            source_tokens_prefix=self.direction.tag, clean_up=clean_up, calibration=calibration, scores=scores
        )
        return EvaluatedDirection(manifest, translations)

    def _choose(self, pairs: Sequence[Pair], most: int = TEST_SOURCES) -> ReferenceSet:
        most = HURRIED_SOURCES if self.job.stop.is_set() else most
        return make_reference_set(self.direction.of(pairs), most)

    def _translate(self, model: Path, sentences: ReferenceSet) -> list[Hypothesis]:
        decoding = decoding_of(self.job.hyperparameters)
        return translate(model, self.prepared.tokenizer, sentences.sources, decoding, self.direction.tag)

    def _score(self, translations: Translations, float32: Path) -> dict[str, Score]:
        hp, progress, direction = self.job.hyperparameters, self.job.progress, self.direction
        scores = score(translations.hypotheses, translations.test_set)
        progress.metrics(**{f"test_{name}{direction.suffix}": scores[name].value for name in ("bleu", "chrf")})
        if hp.quantization == "float32" or self.job.stop.is_set():
            return scores
        few = self._choose(self.prepared.corpus.test, COMPARED_SOURCES)  # they are among those of `translations`
        quantized = dict(zip(translations.test_set.sources, translations.hypotheses, strict=True))
        exact, rounded = (
            score(hypotheses, few)["bleu"].value
            for hypotheses in (
                [each.text for each in self._translate(float32, few)],
                [quantized[source] for source in few.sources],
            )
        )
        lost = exact - rounded
        progress.say(
            f"{hp.quantization} against float32: {round(-lost, 2) + 0:+.2f} BLEU on {len(few.sources)} test sentences"
            f"{direction.aside}"
        )
        scores["bleu_lost_by_quantization"] = Score(value=round(lost, 2), signature=scores["bleu"].signature)
        return scores

    def _calibrate(self) -> Calibration | None:
        validation = self._choose(self.prepared.corpus.validation)
        calibration = calibrate(self.prepared.tokenizer, validation, self._translate(self.model, validation))
        if calibration is None:
            why = "the validation part is too small, or all good or all bad"
            self.job.progress.say(f"{why}: no confidence can be learnt from it{self.direction.aside}")
        return calibration
