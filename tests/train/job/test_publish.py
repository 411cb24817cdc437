"""Publishing: the staged folder becomes the model directory, and the metrics stand beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from container.artifact import CleanUp, Manifest, OneDirection, Score, read_manifest, staging
from tests.train.contexts import make_job
from train.job.context import JobContext
from train.job.hyperparameters import parse
from train.job.publish import publish

SCORES = {"bleu": Score(value=12.5, signature="forward")}
BACK = {"bleu": Score(value=7.5, signature="back")}


@pytest.fixture
def job(tmp_path: Path) -> JobContext:
    job = make_job(parse({}), tmp_path)
    job.progress.metrics(step=1, train_loss=2.5)
    return job


def publish_one(job: JobContext, reverse: OneDirection | None = None) -> None:
    with staging(job.paths.model) as folder:
        (folder / "tokenizer.model").write_text("tokens")
        publish(job, folder, Manifest(source_lang="en", target_lang="es", scores=SCORES, reverse=reverse))


def test_the_staged_files_become_the_model_directory(job: JobContext) -> None:
    publish_one(job)
    assert sorted(path.name for path in job.paths.model.iterdir()) == ["manifest.json", "tokenizer.model"]
    assert read_manifest(job.paths.model).files.keys() == {"tokenizer.model"}


def test_history_and_scores_are_output_data(job: JobContext) -> None:
    publish_one(job)
    metrics = json.loads((job.paths.output_data / "metrics.json").read_text())
    assert metrics == {
        "history": [{"step": 1, "train_loss": 2.5}],
        "scores": {"bleu": {"value": 12.5, "signature": "forward"}},
    }


def test_the_way_back_has_scores_of_its_own(job: JobContext) -> None:
    publish_one(job, OneDirection(source_tokens_prefix=("<2en>",), clean_up=CleanUp(), scores=BACK))
    metrics = json.loads((job.paths.output_data / "metrics.json").read_text())
    assert metrics["reverse_scores"] == {"bleu": {"value": 7.5, "signature": "back"}}
