"""The last stages: parity gate, scores, and the model directory."""

from __future__ import annotations

import io
import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from container.artifact import open_artifact
from container.errors import AlgorithmError
from container.paths import Paths
from container.vocabulary import PLACEHOLDERS
from train.corpus.prepare import Prepared
from train.export.ctranslate2 import PARITY_TOLERANCE, export_ctranslate2
from train.export.parity import Reference, ctranslate2_parity, make_reference
from train.job import publish as stage
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.job.publish import publish
from train.training.trainer import Fitted


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


@pytest.fixture(scope="module")
def short(prepared: Prepared) -> Prepared:
    """The same with 20 sentences to test on."""
    return replace(prepared, corpus=replace(prepared.corpus, test=prepared.corpus.test[:20]))


def exported(prepared: Prepared, fitted: Fitted, folder: Path, **changes: float) -> Path:
    """A float32 export, after adding `changes` to one element of the weights of these names."""
    weights = {name: array.copy() for name, array in fitted.weights.items()}
    for name, change in changes.items():
        index = prepared.tokenizer.eos_id() * fitted.config.d_model if name == "embedding" else 0
        weights[name].flat[index] += change
    export_ctranslate2(weights, fitted.config, prepared.tokenizer, folder, quantization="float32")
    return folder


@pytest.fixture(scope="module")
def reference(prepared: Prepared, fitted: Fitted, hp: Hyperparameters) -> Reference:
    return make_reference(prepared, fitted, hp)


def test_the_export_of_a_trained_model_agrees_with_keras(
    prepared: Prepared, fitted: Fitted, reference: Reference, tmp_path: Path
) -> None:
    folder = exported(prepared, fitted, tmp_path)
    assert 0 < ctranslate2_parity(reference, prepared.tokenizer, folder) < PARITY_TOLERANCE / 5


@pytest.mark.parametrize(
    "name",
    ["embedding", "encoder_0/ffn/inner/kernel", "encoder_0/self_attention/output/kernel", "decoder_0/ffn_norm/gamma"],
)
def test_the_gate_fails_when_one_weight_of_the_export_is_changed(
    name: str, prepared: Prepared, fitted: Fitted, reference: Reference, tmp_path: Path
) -> None:
    with pytest.raises(AlgorithmError, match="so nothing was published"):
        ctranslate2_parity(reference, prepared.tokenizer, exported(prepared, fitted, tmp_path, **{name: 0.05}))


def test_a_model_that_fails_the_gate_leaves_the_older_one_as_it_was(
    short: Prepared, fitted: Fitted, hp: Hyperparameters, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.model.mkdir()
    (paths.model / "manifest.json").write_text("the older one")

    def damaged(weights, config, tokenizer, folder, *, quantization):  # type: ignore[no-untyped-def]
        exported(short, fitted, folder, embedding=0.5)

    monkeypatch.setattr(stage, "export_ctranslate2", damaged)
    with pytest.raises(AlgorithmError):
        publish(short, fitted, hp, paths, Progress(hp, io.StringIO()), threading.Event())
    assert [(entry.name, entry.read_text()) for entry in paths.model.iterdir()] == [("manifest.json", "the older one")]


def test_the_model_directory_is_whole_and_says_what_it_is(
    short: Prepared, fitted: Fitted, hp: Hyperparameters, paths: Paths
) -> None:
    said = io.StringIO()
    progress = Progress(hp, said)
    publish(short, fitted, hp, paths, progress, threading.Event())

    artifact = open_artifact(paths.model, with_weights=True)  # every digest is checked
    on_disk = {str(file.relative_to(paths.model)) for file in paths.model.rglob("*") if file.is_file()}
    assert on_disk == {*artifact.manifest.files, "manifest.json"}
    assert {"tokenizer.model", "weights.safetensors", "ctranslate2/model.bin", "ctranslate2/config.json"} < on_disk
    assert not (paths.model / ".staging").exists()

    manifest = artifact.manifest
    assert (manifest.source_lang, manifest.target_lang, manifest.placeholders) == ("en", "es", PLACEHOLDERS)
    assert manifest.hyperparameters == hp.model_dump(mode="json")
    assert manifest.corpus["fingerprint"] == short.corpus.fingerprint
    assert (manifest.corpus["train_pairs"], manifest.corpus["test_pairs"]) == (len(short.corpus.train), 20)
    assert manifest.clean_up.non_breaking_prefixes == short.prefixes.source
    assert (manifest.training["updates"], manifest.training["epochs"]) == (fitted.cursor.step, 1)
    assert manifest.training["parity"] < PARITY_TOLERANCE
    assert not manifest.training["stopped_early"]
    assert set(manifest.scores) == {"bleu", "chrf", "bleu_multi", "chrf_multi", "bleu_lost_by_quantization"}
    assert re.search(r"int8 .* BLEU .*on 20 test sentences", said.getvalue())

    report = json.loads((paths.output_data / "metrics.json").read_text())
    assert report["history"] == progress.history
    assert report["scores"]["bleu"] == manifest.scores["bleu"].model_dump()


def test_the_published_weights_are_the_float32_averages(
    short: Prepared, fitted: Fitted, hp: Hyperparameters, paths: Paths
) -> None:
    stop = threading.Event()
    stop.set()
    artifact = publish(short, fitted, hp, paths, Progress(hp, io.StringIO()), stop)
    weights = load_file(artifact.weights)
    assert weights.keys() == fitted.weights.keys()
    assert all(np.array_equal(weights[name], fitted.weights[name]) for name in weights)
    assert artifact.manifest.training["stopped_early"]


def test_without_a_test_part_nothing_is_scored(
    prepared: Prepared, fitted: Fitted, hp: Hyperparameters, paths: Paths
) -> None:
    said = io.StringIO()
    untested = replace(prepared, corpus=replace(prepared.corpus, test=[]))
    artifact = publish(untested, fitted, hp, paths, Progress(hp, said), threading.Event())
    assert artifact.manifest.scores == {}
    assert "there is no test part, so nothing is scored" in said.getvalue()
