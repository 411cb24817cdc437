"""The compatibility promise: a model directory of format 1 opens and is served, by this release and every later one.

The directory is in the repository as the first release wrote it, see tests/fixtures/README.md. When this test
fails, the reader has to change, not the fixture.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from container.artifact import MANIFEST, WEIGHTS, open_artifact
from tests.serve.server import Server

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
