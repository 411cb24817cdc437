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
from container.artifact import CleanUp, Decoding, Manifest, Score, write_atomically
from container.hyperparameters import Hyperparameters
from container.paths import Paths
from container.text import PLACEHOLDERS
from train.analysis import Translations
from train.calibration import calibrate, error_on, judge
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
        test_set = make_test_set(prepared.corpus.test, HURRIED_SOURCES if stop.is_set() else TEST_SOURCES)
        scores, translations = _scores(prepared, hp, folder / artifact.CTRANSLATE2, float32, test_set, progress, stop)
        manifest = _manifest(prepared, fitted, hp, scores, parity, stopped=stopped_early)
        calibrated = _calibrated(manifest, prepared, folder / artifact.CTRANSLATE2, progress, stop)
        published = artifact.publish(folder, paths.model, calibrated)
    paths.output_data.mkdir(parents=True, exist_ok=True)
    metrics = {"history": progress.history, "scores": calibrated.model_dump(mode="json")["scores"]}
    write_atomically(paths.output_data / "metrics.json", json.dumps(metrics, indent=1).encode())
    job = FinishedJob(published, prepared, hp, progress.history, translations)
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


def _scores(
    prepared: Prepared,
    hp: Hyperparameters,
    model: Path,
    float32: Path,
    test_set: TestSet,
    progress: Progress,
    stop: threading.Event,
) -> tuple[dict[str, Score], Translations | None]:
    if not test_set.sources:
        progress.say("there is no test part, so nothing is scored")
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
        )
        return Translations(sentences, hypotheses, time.monotonic() - began)

    def bleu_of(folder: Path, sentences: TestSet) -> float:
        return score(translations_of(folder, sentences).hypotheses, sentences)["bleu"].value

    translations = translations_of(model, test_set)
    scores = score(translations.hypotheses, test_set)
    progress.metrics(test_bleu=scores["bleu"].value, test_chrf=scores["chrf"].value)
    if hp.quantization != "float32" and not stop.is_set():
        few = make_test_set(prepared.corpus.test, COMPARED_SOURCES)
        lost = bleu_of(float32, few) - bleu_of(model, few)
        progress.say(
            f"{hp.quantization} against float32: {round(-lost, 2) + 0:+.2f} BLEU on {len(few.sources)} test sentences"
        )
        scores["bleu_lost_by_quantization"] = Score(value=round(lost, 2), signature=scores["bleu"].signature)
    return scores, translations


def _calibrated(
    manifest: Manifest, prepared: Prepared, model: Path, progress: Progress, stop: threading.Event
) -> Manifest:
    """The manifest with what a confidence is made of, and its error on the test part where there is one."""

    def part(pairs: Sequence[Pair]) -> TestSet:
        return make_test_set(pairs, HURRIED_SOURCES if stop.is_set() else TEST_SOURCES)

    calibration = calibrate(model, prepared.tokenizer, part(prepared.corpus.validation), manifest.decoding)
    if calibration is None:
        progress.say("the validation part is too small, or all good or all bad: no confidence can be learnt from it")
        return manifest
    scores = dict(manifest.scores)
    if prepared.corpus.test:
        judged = judge(model, prepared.tokenizer, part(prepared.corpus.test), manifest.decoding)
        scores["calibration_error"] = error_on(calibration, judged)
        progress.metrics(calibration_error=scores["calibration_error"].value)
    return manifest.model_copy(update={"calibration": calibration, "scores": scores})


def _manifest(
    prepared: Prepared,
    fitted: Fitted,
    hp: Hyperparameters,
    scores: dict[str, Score],
    parity: float,
    *,
    stopped: bool,
) -> Manifest:
    corpus = prepared.corpus
    return Manifest(
        source_lang=hp.source_lang,
        target_lang=hp.target_lang,
        placeholders=PLACEHOLDERS,
        decoding=Decoding(
            beam_size=hp.beam_size,
            length_penalty=hp.length_penalty,
            max_source_length=hp.max_len,
            max_target_length=2 * hp.max_len,
        ),
        clean_up=CleanUp(clean_dots=hp.clean_dots, non_breaking_prefixes=prepared.prefixes.source),
        hyperparameters=hp.model_dump(mode="json"),
        corpus={
            "fingerprint": corpus.fingerprint,
            "train_pairs": len(corpus.train),
            "validation_pairs": len(corpus.validation),
            "test_pairs": len(corpus.test),
            "left_out": corpus.dropped,
        },
        scores=scores,
        training={
            "updates": fitted.cursor.step,
            "epochs": fitted.cursor.epoch,
            "seconds": round(fitted.cursor.seconds, 1),
            "precision": fitted.config.precision,
            "stopped_early": stopped,
            "parity": parity,
        },
    )
