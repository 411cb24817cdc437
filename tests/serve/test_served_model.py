"""The model that a real training job wrote, served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from container.artifact import open_artifact
from serve.engine.ctranslate2 import CTranslate2Predictor
from tests.serve.server import Server

TEXTS = ["I am tired.", "", "Where is my house?"]


def test_what_train_wrote_is_served_as_the_engine_translates_it(start: Callable[..., Server], toy_model: Path) -> None:
    server = start(toy_model.parent)
    server.wait_until_ready()
    answer = server.invoke({"instances": TEXTS, "parameters": {"return_scores": True}})
    predictor = CTranslate2Predictor(open_artifact(toy_model), threads=1)
    # One by one, because the tiny differences of other batch sizes must not change what is answered.
    alone = [predictor.translate([text])[0].hypotheses[0] for text in TEXTS]
    predictions = answer.json()["predictions"]
    assert [entry["translation"] for entry in predictions] == [best.text for best in alone]
    for entry, best in zip(predictions, alone, strict=True):
        assert abs(entry["score"] - best.score) < 1e-3


def test_no_tensorflow_is_loaded_to_serve(start: Callable[..., Server], toy_model: Path) -> None:
    server = start(toy_model.parent)
    server.wait_until_ready()
    for pid in server.children().values():
        assert "tensorflow" not in Path(f"/proc/{pid}/maps").read_text()
