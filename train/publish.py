"""Stages 8 and 9 together: parity gate, scores on the test part, and the model directory, written atomically."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors.numpy import save

from container import artifact
from container.artifact import Calibration, CleanUp, Decoding, Manifest, OneDirection, Score, write_atomically
from container.hyperparameters import Hyperparameters
from container.paths import Paths
from container.text import PLACEHOLDERS
from train.analysis import Translations
from train.calibration import calibrate, error_on, judge
from train.direction import Direction, directions
from train.evaluate import TestSet, make_test_set, score, translate
from train.export import export_ctranslate2
from train.fit import Fitted
from train.parity import Reference, ctranslate2_parity, make_reference, saved_model_parity
from train.prepare import Prepared, copy_tokenizer
from train.progress import Progress
from train.records import Pair
from train.report import FinishedJob, write_report

TEST_SOURCES = 2000  # a 95 % interval of about +-1 BLEU
COMPARED_SOURCES = 500  # translated again in float32, for what quantisation costs
HURRIED_SOURCES = 100  # when the job was told to stop, there are seconds left


def publish(
    prepared: Prepared,
    fitted: Fitted,
    hp: Hyperparameters,
    paths: Paths,
    progress: Progress,
    stop: threading.Event,
) -> artifact.Artifact:
    """Export, check, score and write `/opt/ml/model`; then the metrics and the report in `/opt/ml/output/data`.

    Once `stop` is set there are seconds left: from then on, fewer sentences are scored and the report is short.
    """
    stopped_early = stop.is_set()  # during training; later it only shortens what is left
    with artifact.staging(paths.model) as folder, tempfile.TemporaryDirectory() as scratch:
        float32 = Path(scratch)
        export_ctranslate2(fitted.weights, fitted.config, prepared.tokenizer, float32, quantization="float32")
        reference = make_reference(prepared, fitted, hp)
        parity = ctranslate2_parity(reference, prepared.tokenizer, float32)
        progress.say(f"the export agrees with the Keras model within {parity:.1e} in log-probability a token")
        export_ctranslate2(
            fitted.weights,
            fitted.config,
            prepared.tokenizer,
            folder / artifact.CTRANSLATE2,
            quantization=hp.quantization,
        )
        if hp.saved_model:
            _export_saved_model(fitted, hp, reference, folder / artifact.SAVED_MODEL, progress)
        copy_tokenizer(prepared, folder / artifact.TOKENIZER)
        (folder / artifact.WEIGHTS).write_bytes(
            save(fitted.weights, metadata={"config": json.dumps(asdict(fitted.config))})
        )
        model = folder / artifact.CTRANSLATE2
        ways = [_measured(direction, prepared, hp, model, float32, progress, stop) for direction in directions(hp)]
        manifest = _manifest(prepared, fitted, hp, [way for way, _ in ways], parity, stopped=stopped_early)
        published = artifact.publish(folder, paths.model, manifest)
    paths.output_data.mkdir(parents=True, exist_ok=True)
    metrics = {"history": progress.history, "scores": manifest.model_dump(mode="json")["scores"]}
    if manifest.reverse:
        metrics["reverse_scores"] = manifest.reverse.model_dump(mode="json")["scores"]
    write_atomically(paths.output_data / "metrics.json", json.dumps(metrics, indent=1).encode())
    job = FinishedJob(published, prepared, hp, progress.history, *(translations for _, translations in ways))
    progress.say(f"the report stands in {write_report(paths.output_data, job, hurried=stop.is_set())}")
    return published


def _export_saved_model(
    fitted: Fitted, hp: Hyperparameters, reference: Reference, folder: Path, progress: Progress
) -> None:
    from train.saved_model import export_saved_model  # for those who ask for it

    export_saved_model(fitted.weights, fitted.config, folder)
    tokens, search = saved_model_parity(reference, hp, folder)
    progress.say(
        f"the SavedModel agrees with the Keras model within {tokens:.1e} in log-probability a token, "
        f"its search with itself within {search:.1e} in score"
    )


def _measured(
    direction: Direction,
    prepared: Prepared,
    hp: Hyperparameters,
    model: Path,
    float32: Path,
    progress: Progress,
    stop: threading.Event,
) -> tuple[OneDirection, Translations | None]:
    """One direction of the exports in `model` and `float32`, scored; its translations of the test part, if any."""
    scores, translations = _scores(direction, prepared, hp, model, float32, progress, stop)
    calibration, error = _calibration(direction, prepared, hp, model, progress, stop)
    prefixes = prepared.prefixes.target if direction.backwards else prepared.prefixes.source
    clean_up = CleanUp(clean_dots=hp.clean_dots, non_breaking_prefixes=prefixes)
    return OneDirection(
        source_tokens_prefix=direction.tag, clean_up=clean_up, calibration=calibration, scores={**scores, **error}
    ), translations


def _scores(
    direction: Direction,
    prepared: Prepared,
    hp: Hyperparameters,
    model: Path,
    float32: Path,
    progress: Progress,
    stop: threading.Event,
) -> tuple[dict[str, Score], Translations | None]:
    test = direction.of(prepared.corpus.test)
    test_set = make_test_set(test, HURRIED_SOURCES if stop.is_set() else TEST_SOURCES)
    if not test_set.sources:
        progress.say(f"there is no test part, so nothing is scored{direction.aside}")
        return {}, None

    def translations_of(folder: Path, sentences: TestSet) -> Translations:
        began = time.monotonic()
        hypotheses = translate(
            folder,
            prepared.tokenizer,
            sentences.sources,
            beam_size=hp.beam_size,
            length_penalty=hp.length_penalty,
            max_length=hp.max_len + 1,
            threads=os.cpu_count() or 1,
            prefix=direction.tag,
        )
        return Translations(sentences, hypotheses, time.monotonic() - began)

    def bleu_of(folder: Path, sentences: TestSet) -> float:
        return score(translations_of(folder, sentences).hypotheses, sentences)["bleu"].value

    translations = translations_of(model, test_set)
    scores = score(translations.hypotheses, test_set)
    progress.metrics(**{f"test_{name}{direction.suffix}": scores[name].value for name in ("bleu", "chrf")})
    if hp.quantization != "float32" and not stop.is_set():
        few = make_test_set(test, COMPARED_SOURCES)
        lost = bleu_of(float32, few) - bleu_of(model, few)
        progress.say(
            f"{hp.quantization} against float32: {round(-lost, 2) + 0:+.2f} BLEU on {len(few.sources)} test sentences"
            f"{direction.aside}"
        )
        scores["bleu_lost_by_quantization"] = Score(value=round(lost, 2), signature=scores["bleu"].signature)
    return scores, translations


def _calibration(
    direction: Direction,
    prepared: Prepared,
    hp: Hyperparameters,
    model: Path,
    progress: Progress,
    stop: threading.Event,
) -> tuple[Calibration | None, dict[str, Score]]:
    """What a confidence is made of, and its error on the test part where there is one."""

    def part(pairs: Sequence[Pair]) -> TestSet:
        return make_test_set(direction.of(pairs), HURRIED_SOURCES if stop.is_set() else TEST_SOURCES)

    corpus, decoding = prepared.corpus, _decoding(hp)
    calibration = calibrate(model, prepared.tokenizer, part(corpus.validation), decoding, direction.tag)
    if calibration is None:
        why = "the validation part is too small, or all good or all bad"
        progress.say(f"{why}: no confidence can be learnt from it{direction.aside}")
        return None, {}
    if not corpus.test:
        return calibration, {}
    error = error_on(calibration, judge(model, prepared.tokenizer, part(corpus.test), decoding, direction.tag))
    progress.metrics(**{f"calibration_error{direction.suffix}": error.value})
    return calibration, {"calibration_error": error}


def _decoding(hp: Hyperparameters) -> Decoding:
    return Decoding(
        beam_size=hp.beam_size,
        length_penalty=hp.length_penalty,
        max_source_length=hp.max_len,
        max_target_length=2 * hp.max_len,
    )


def _manifest(
    prepared: Prepared,
    fitted: Fitted,
    hp: Hyperparameters,
    ways: Sequence[OneDirection],
    parity: float,
    *,
    stopped: bool,
) -> Manifest:
    corpus = prepared.corpus
    forward, *back = ways
    return Manifest(
        source_lang=hp.source_lang,
        target_lang=hp.target_lang,
        placeholders=PLACEHOLDERS,
        decoding=_decoding(hp),
        hyperparameters=hp.model_dump(mode="json"),
        corpus={
            "fingerprint": corpus.fingerprint,
            "train_pairs": len(corpus.train),
            "validation_pairs": len(corpus.validation),
            "test_pairs": len(corpus.test),
            "left_out": corpus.dropped,
        },
        reverse=back[0] if back else None,
        training={
            "updates": fitted.cursor.step,
            "epochs": fitted.cursor.epoch,
            "seconds": round(fitted.cursor.seconds, 1),
            "precision": fitted.config.precision,
            "stopped_early": stopped,
            "parity": parity,
        },
        **dict(forward),
    )
