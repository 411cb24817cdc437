"""Stages 8 and 9 together: parity gate, scores on the test part, and the model directory, written atomically."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors.numpy import save

from container import artifact
from container.artifact import Manifest, OneDirection, write_atomically
from container.paths import Paths
from container.vocabulary import PLACEHOLDERS
from train.corpus.directions import directions
from train.corpus.prepare import Prepared, copy_tokenizer
from train.evaluation.evaluate import Exported, decoding_of, measure
from train.export.ctranslate2 import export_ctranslate2
from train.export.parity import Reference, ctranslate2_parity, make_reference, saved_model_parity
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.report.page import FinishedJob, write_report
from train.training.trainer import Fitted


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
        exported = Exported(folder / artifact.CTRANSLATE2, float32, prepared, hp, progress, stop)
        ways = [measure(exported, direction) for direction in directions(hp)]
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
    from train.export.saved_model import export_saved_model  # for those who ask for it

    export_saved_model(fitted.weights, fitted.config, folder)
    tokens, search = saved_model_parity(reference, hp, folder)
    progress.say(
        f"the SavedModel agrees with the Keras model within {tokens:.1e} in log-probability a token, "
        f"its search with itself within {search:.1e} in score"
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
        decoding=decoding_of(hp),
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
