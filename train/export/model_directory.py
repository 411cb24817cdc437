"""The export stage: everything that the model directory holds, in a folder that is not published yet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.numpy import save

from container import artifact
from container.artifact import Manifest, OneDirection
from container.vocabulary import PLACEHOLDERS
from train.backends.backend import Backend
from train.corpus.prepare import Prepared
from train.evaluation.decode import decoding_of
from train.export.ctranslate2 import export_ctranslate2
from train.export.parity import Reference, check_ctranslate2, check_saved_model, make_reference
from train.job.context import JobContext
from train.model.trained import TrainedModel


@dataclass(frozen=True)
class ExportedModel:
    """An export that has passed the parity gate.

    ctranslate2: the folder of the model that is published. float32: the folder of the same model, not quantised.
    parity: the largest difference to the trained model, in log-probability of a token.
    """

    ctranslate2: Path
    float32: Path
    parity: float


def export_model(
    job: JobContext, prepared: Prepared, trained: TrainedModel, backend: Backend, folder: Path
) -> ExportedModel:
    """Write every file of the model directory but the manifest to `folder`.

    `AlgorithmError` when an export does not agree with the trained model.
    """
    hp, tokenizer = job.hyperparameters, prepared.tokenizer
    exported = folder / artifact.CTRANSLATE2
    float32 = job.scratch / "float32"
    export_ctranslate2(trained.weights, trained.config, tokenizer, float32, quantization="float32")
    reference = make_reference(hp, prepared, trained, backend.make_evaluator(trained.config))
    parity = check_ctranslate2(reference, tokenizer, float32)
    job.progress.say(f"the export agrees with the Keras model within {parity:.1e} in log-probability a token")
    export_ctranslate2(trained.weights, trained.config, tokenizer, exported, quantization=hp.quantization)
    if hp.saved_model:
        _export_saved_model(job, trained, reference, folder / artifact.SAVED_MODEL)
    shutil.copyfile(prepared.tokenizer_path, folder / artifact.TOKENIZER)
    shape = json.dumps(asdict(trained.config))
    (folder / artifact.WEIGHTS).write_bytes(save(trained.weights, metadata={"config": shape}))
    return ExportedModel(exported, float32, parity)


def _export_saved_model(job: JobContext, trained: TrainedModel, reference: Reference, folder: Path) -> None:
    from train.export.saved_model import export_saved_model  # TensorFlow, which PyTorch's image lacks

    export_saved_model(trained.weights, trained.config, folder)
    tokens, search = check_saved_model(reference, job.hyperparameters, folder)
    job.progress.say(
        f"the SavedModel agrees with the Keras model within {tokens:.1e} in log-probability a token, "
        f"its search with itself within {search:.1e} in score"
    )


def make_manifest(
    job: JobContext, prepared: Prepared, trained: TrainedModel, parity: float, directions: Sequence[OneDirection]
) -> Manifest:
    """The manifest of a model that was exported and evaluated. `directions`: from source to target first."""
    hp, corpus = job.hyperparameters, prepared.corpus
    forward, *back = directions
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
            "updates": trained.cursor.step,
            "epochs": trained.cursor.epoch,
            "seconds": round(trained.cursor.seconds, 1),
            "precision": trained.config.precision,
            "stopped_early": trained.stopped_early,
            "parity": parity,
        },
        **dict(forward),
    )
