"""What the chief does after training: export, parity gate, scores, the model directory, the report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from container.artifact import open_artifact
from container.errors import AlgorithmError
from container.vocabulary import PLACEHOLDERS
from tests.train.contexts import make_job
from train.__main__ import finish_job
from train.backends.backend import Backend
from train.corpus.prepare import Prepared
from train.evaluation import decode
from train.export import model_directory
from train.export.ctranslate2 import export_ctranslate2
from train.export.parity import PARITY_TOLERANCE
from train.job.context import JobContext
from train.job.hyperparameters import Hyperparameters
from train.model.trained import TrainedModel

Finish = Callable[..., None]


@pytest.fixture(scope="module")
def short(prepared: Prepared) -> Prepared:
    """The same with 20 sentences to test on."""
    return replace(prepared, corpus=replace(prepared.corpus, test=prepared.corpus.test[:20]))


@pytest.fixture
def job(hp: Hyperparameters, tmp_path: Path) -> JobContext:
    return make_job(hp, tmp_path)


@pytest.fixture
def finish(trained: TrainedModel, backend: Backend) -> Finish:
    def run(job: JobContext, prepared: Prepared, **changes: object) -> None:
        finish_job(job, prepared, replace(trained, **changes), backend)  # type: ignore[arg-type]

    return run


def test_a_model_that_fails_the_gate_leaves_the_older_one_as_it_was(
    short: Prepared, finish: Finish, job: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.paths.model.mkdir(parents=True)
    (job.paths.model / "manifest.json").write_text("the older one")

    def damage(weights, config, tokenizer, folder, *, quantization):  # type: ignore[no-untyped-def]
        damaged = {name: array.copy() for name, array in weights.items()}
        damaged["embedding"].flat[tokenizer.eos_id() * config.d_model] += 0.5
        export_ctranslate2(damaged, config, tokenizer, folder, quantization=quantization)

    monkeypatch.setattr(model_directory, "export_ctranslate2", damage)
    with pytest.raises(AlgorithmError):
        finish(job, short)
    kept = [(entry.name, entry.read_text()) for entry in job.paths.model.iterdir()]
    assert kept == [("manifest.json", "the older one")]


def test_the_model_directory_is_whole_and_says_what_it_is(
    short: Prepared, trained: TrainedModel, finish: Finish, job: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(job, short)
    model, hp = job.paths.model, job.hyperparameters
    artifact = open_artifact(model, with_weights=True)  # every digest is checked
    on_disk = {str(file.relative_to(model)) for file in model.rglob("*") if file.is_file()}
    assert on_disk == {*artifact.manifest.files, "manifest.json"}
    assert {"tokenizer.model", "weights.safetensors", "ctranslate2/model.bin", "ctranslate2/config.json"} < on_disk
    assert not (model / ".staging").exists()

    manifest = artifact.manifest
    assert (manifest.source_lang, manifest.target_lang, manifest.placeholders) == ("en", "es", PLACEHOLDERS)
    assert manifest.hyperparameters == hp.model_dump(mode="json")
    assert manifest.decoding == decode.decoding_of(hp)
    assert manifest.corpus["fingerprint"] == short.corpus.fingerprint
    assert (manifest.corpus["train_pairs"], manifest.corpus["test_pairs"]) == (len(short.corpus.train), 20)
    assert manifest.clean_up.non_breaking_prefixes == short.prefixes.source
    assert (manifest.training["updates"], manifest.training["epochs"]) == (trained.cursor.step, 1)
    assert manifest.training["parity"] < PARITY_TOLERANCE
    assert not manifest.training["stopped_early"]
    assert set(manifest.scores) == {"bleu", "chrf", "bleu_multi", "chrf_multi", "bleu_lost_by_quantization"}
    assert re.search(r"int8 .* BLEU .*on 20 test sentences", capsys.readouterr().out)

    report = json.loads((job.paths.output_data / "metrics.json").read_text())
    assert report["history"] == job.progress.history
    assert report["scores"]["bleu"] == manifest.scores["bleu"].model_dump()


def test_the_published_weights_are_the_float32_averages(
    short: Prepared, trained: TrainedModel, finish: Finish, hp: Hyperparameters, tmp_path: Path
) -> None:
    job = make_job(hp, tmp_path, stop=True)
    finish(job, short, stopped_early=True)
    artifact = open_artifact(job.paths.model)
    weights = load_file(artifact.weights)
    assert weights.keys() == trained.weights.keys()
    assert all(np.array_equal(weights[name], trained.weights[name]) for name in weights)
    assert artifact.manifest.training["stopped_early"]


def test_without_a_test_part_nothing_is_scored(
    prepared: Prepared, finish: Finish, job: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(job, replace(prepared, corpus=replace(prepared.corpus, test=[])))
    assert open_artifact(job.paths.model).manifest.scores == {}
    assert "there is no test part, so nothing is scored" in capsys.readouterr().out
