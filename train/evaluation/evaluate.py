"""Stage 8's other half: the exported model, each of its directions scored and calibrated on what training never saw."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from container.artifact import Calibration, CleanUp, Decoding, OneDirection, Score
from train.corpus.directions import Direction
from train.corpus.pairs import Pair
from train.corpus.prepare import Prepared
from train.evaluation.calibration import calibrate, error_on, judge
from train.evaluation.scores import ReferenceSet, make_reference_set, score, translate
from train.evaluation.statistics import Translations
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress

TEST_SOURCES = 2000  # a 95 % interval of about +-1 BLEU
COMPARED_SOURCES = 500  # translated again in float32, for what quantisation costs
HURRIED_SOURCES = 100  # when the job was told to stop, there are seconds left


@dataclass(frozen=True)
class Exported:
    """The exported model and the job that it came from.

    model: the folder of the export as it is published. float32: the folder of the same, not quantised.
    stop: once it is set there are seconds left, and fewer sentences are translated from then on.
    """

    model: Path
    float32: Path
    prepared: Prepared
    hp: Hyperparameters
    progress: Progress
    stop: threading.Event

    def test_set(self, direction: Direction, pairs: Sequence[Pair], most: int = TEST_SOURCES) -> ReferenceSet:
        return make_reference_set(direction.of(pairs), HURRIED_SOURCES if self.stop.is_set() else most)


def measure(exported: Exported, direction: Direction) -> tuple[OneDirection, Translations | None]:
    """One direction with its scores and its calibration; and its translations of the test part, if there is one."""
    scores, translations = _scores(exported, direction)
    calibration, error = learn_confidence(exported, direction)
    prefixes = exported.prepared.prefixes
    clean_up = CleanUp(
        clean_dots=exported.hp.clean_dots,
        non_breaking_prefixes=prefixes.target if direction.backwards else prefixes.source,
    )
    return OneDirection(
        source_tokens_prefix=direction.tag, clean_up=clean_up, calibration=calibration, scores={**scores, **error}
    ), translations


def _scores(exported: Exported, direction: Direction) -> tuple[dict[str, Score], Translations | None]:
    hp, progress, test = exported.hp, exported.progress, exported.prepared.corpus.test
    if not test:
        progress.say(f"there is no test part, so nothing is scored{direction.aside}")
        return {}, None
    translations = _translations(exported, direction, exported.model, exported.test_set(direction, test))
    scores = score(translations.hypotheses, translations.test_set)
    progress.metrics(**{f"test_{name}{direction.suffix}": scores[name].value for name in ("bleu", "chrf")})
    if hp.quantization != "float32" and not exported.stop.is_set():
        few = exported.test_set(direction, test, COMPARED_SOURCES)
        unquantized, quantized = (
            score(_translations(exported, direction, folder, few).hypotheses, few)["bleu"].value
            for folder in (exported.float32, exported.model)
        )
        lost = unquantized - quantized
        progress.say(
            f"{hp.quantization} against float32: {round(-lost, 2) + 0:+.2f} BLEU on {len(few.sources)} test sentences"
            f"{direction.aside}"
        )
        scores["bleu_lost_by_quantization"] = Score(value=round(lost, 2), signature=scores["bleu"].signature)
    return scores, translations


def _translations(exported: Exported, direction: Direction, folder: Path, sentences: ReferenceSet) -> Translations:
    began = time.monotonic()
    hypotheses = translate(
        folder,
        exported.prepared.tokenizer,
        sentences.sources,
        beam_size=exported.hp.beam_size,
        length_penalty=exported.hp.length_penalty,
        max_length=exported.hp.max_len + 1,
        threads=os.cpu_count() or 1,
        prefix=direction.tag,
    )
    return Translations(sentences, hypotheses, time.monotonic() - began)


def learn_confidence(exported: Exported, direction: Direction) -> tuple[Calibration | None, dict[str, Score]]:
    """What a confidence is made of, and its error on the test part where there is one."""
    corpus, tokenizer, decoding = exported.prepared.corpus, exported.prepared.tokenizer, decoding_of(exported.hp)
    validation = exported.test_set(direction, corpus.validation)
    calibration = calibrate(exported.model, tokenizer, validation, decoding, direction.tag)
    if calibration is None:
        why = "the validation part is too small, or all good or all bad"
        exported.progress.say(f"{why}: no confidence can be learnt from it{direction.aside}")
        return None, {}
    if not corpus.test:
        return calibration, {}
    test = exported.test_set(direction, corpus.test)
    error = error_on(calibration, judge(exported.model, tokenizer, test, decoding, direction.tag))
    exported.progress.metrics(**{f"calibration_error{direction.suffix}": error.value})
    return calibration, {"calibration_error": error}


def decoding_of(hp: Hyperparameters) -> Decoding:
    """How the model is to be decoded, unless a request says otherwise."""
    return Decoding(
        beam_size=hp.beam_size,
        length_penalty=hp.length_penalty,
        max_source_length=hp.max_len,
        max_target_length=2 * hp.max_len,
    )
