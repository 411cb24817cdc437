"""Publishing: the finished model directory in `/opt/ml/model`, and the job's metrics in `/opt/ml/output/data`."""

from __future__ import annotations

import json
from pathlib import Path

from container import artifact
from container.artifact import Artifact, Manifest, write_atomically
from train.job.context import JobContext


def publish(job: JobContext, folder: Path, manifest: Manifest) -> Artifact:
    """Move the files in `folder` into the model directory, the manifest last; then write `metrics.json`.

    folder: made by `container.artifact.staging`. The model directory holds an older model or the whole new one at
    every moment, whatever happens.
    """
    published = artifact.publish(folder, job.paths.model, manifest)
    metrics = {"history": job.progress.history, "scores": manifest.model_dump(mode="json")["scores"]}
    if manifest.reverse:
        metrics["reverse_scores"] = manifest.reverse.model_dump(mode="json")["scores"]
    job.paths.output_data.mkdir(parents=True, exist_ok=True)
    write_atomically(job.paths.output_data / "metrics.json", json.dumps(metrics, indent=1).encode())
    return published
