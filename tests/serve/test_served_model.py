"""Model directories, served: one that a real training job wrote, and one of the first format.

The second is the compatibility promise: this release and every later one serves a directory of format 1. It is in the
repository as the first release wrote it, see tests/fixtures/README.md. When its tests fail, the reader has to change,
not the fixture.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from container.artifact import MANIFEST, WEIGHTS, open_artifact
from serve.engine.ctranslate2 import CTranslate2Predictor
from serve.text.warnings import cut_loop
from tests.serve.server import Server

TEXTS = ["I am tired.", "", "Where is my house?"]


def test_what_train_wrote_is_served_as_the_engine_translates_it(start: Callable[..., Server], toy_model: Path) -> None:
    server = start(toy_model.parent)
    server.wait_until_ready()
    answer = server.invoke({"instances": TEXTS, "parameters": {"return_scores": True}})
    predictor = CTranslate2Predictor(open_artifact(toy_model), threads=1)
    # The server writes once what the model repeats.
    # One by one, because the tiny differences of other batch sizes must not change what is answered.
    alone = [predictor.translate([text])[0].hypotheses[0] for text in TEXTS]
    predictions = answer.json()["predictions"]
    assert [entry["translation"] for entry in predictions] == [cut_loop(best.text) for best in alone]
    for entry, best in zip(predictions, alone, strict=True):
        assert abs(entry["score"] - best.score) < 1e-3


def test_no_tensorflow_is_loaded_to_serve(start: Callable[..., Server], toy_model: Path) -> None:
    server = start(toy_model.parent)
    server.wait_until_ready()
    for pid in server.children().values():
        assert "tensorflow" not in Path(f"/proc/{pid}/maps").read_text()


# ---- the first format --------------------------------------------------------------------------------

# The model knows these pairs by heart, so that no rounding of another CPU changes an answer.
KNOWN = {
    "Give me your hand.": "Dame la mano.",
    "How do I get to the factory by taxi?": "¿Cómo llego a la fábrica en taxi?",
    "Our boss has already done the homework.": "Nuestro jefe ya ha hecho los deberes.",
    "The neighbors always get up early.": "Los vecinos siempre se levantan temprano.",
    "They are very busy today.": "Ellos están muy ocupados hoy.",
}


@pytest.fixture
def first(repo: Path) -> Path:
    return repo / "tests" / "fixtures" / "model-format-1"


def test_it_is_of_the_first_format_and_whole(first: Path) -> None:
    assert json.loads((first / MANIFEST).read_text())["format_version"] == 1
    manifest = open_artifact(first).manifest
    assert (manifest.source_lang, manifest.target_lang) == ("en", "es")
    assert {str(file.relative_to(first)) for file in first.rglob("*") if file.is_file()} == (
        {*manifest.files, MANIFEST} - {WEIGHTS}
    )


def test_it_is_served(first: Path, tmp_path: Path, start: Callable[..., Server]) -> None:
    shutil.copytree(first, tmp_path / "ml" / "model")
    server = start(tmp_path / "ml")
    server.wait_until_ready()
    answer = server.invoke({"instances": list(KNOWN)}).json()
    assert [prediction["translation"] for prediction in answer["predictions"]] == list(KNOWN.values())
