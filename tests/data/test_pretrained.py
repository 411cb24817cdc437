"""The model that comes with the repository: whole, small, and served with real translations."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.artifact import open_artifact
from tests.serve.server import start_server

MAX_BYTES = 12_000_000

# Sentences of which the model is sure, so that int8 products of another CPU change nothing.
KNOWN = {
    "Where is the station?": "¿Dónde está la estación?",
    "We want to eat fish.": "Queremos comer pescado.",
    "She doesn't speak Spanish.": "Ella no habla español.",
    "I bought three books yesterday.": "Ayer compré tres libros.",
}


@pytest.fixture
def pretrained(repo: Path) -> Path:
    return repo / "data" / "pretrained"


def test_it_is_whole_small_and_says_how_good_it_is(pretrained: Path) -> None:
    manifest = open_artifact(pretrained / "model").manifest
    assert manifest.scores["bleu"].value >= 45
    assert manifest.calibration is not None
    assert sum(file.stat().st_size for file in pretrained.rglob("*") if file.is_file()) <= MAX_BYTES


def test_its_log_and_its_manifest_tell_the_same_score(pretrained: Path) -> None:
    manifest = open_artifact(pretrained / "model").manifest
    bleu, chrf = (manifest.scores[name].value for name in ("bleu", "chrf"))
    assert f"test_bleu={bleu}; test_chrf={chrf};" in (pretrained / "training.log").read_text()


def test_it_is_served_with_alignment_and_confidence(pretrained: Path, tmp_path: Path) -> None:
    server = start_server(pretrained, tmp_path / "serve.log")
    try:
        server.wait_until_ready()
        wish = {"return_confidence": True, "return_alignment": True}
        answer = server.invoke({"instances": list(KNOWN), "parameters": wish}).json()["predictions"]
    finally:
        server.stop()
    assert [one["translation"] for one in answer] == list(KNOWN.values())
    assert all(one["confidence"] > 0.5 for one in answer)
    # Where | is | the | station? -> ¿Dónde | está | la | estación?
    assert answer[0]["alignment"] == [[0, 0], [1, 1], [2, 2], [3, 3]]
