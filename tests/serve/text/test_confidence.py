"""How sure the endpoint is of a translation, and what it says of a text that is unlike the corpus."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from container.artifact import Calibration, Decoding
from container.errors import UserError
from serve.engine.batching import Batcher, Decoder
from serve.engine.interface import Translation
from serve.engine.loading import load
from serve.engine.tokenization import UNLIKE
from serve.text.parameters import Parameters
from serve.text.pipeline import stream, translate
from serve.text.records import Record
from tests.serve.server import Server
from tests.serve.tiny_model import write_tiny_model

CALIBRATION = Calibration(good_chrf=60, intercept=2.0, slope=0.5, sentences=100, characters_a_token=1.5)
Ask = Callable[..., Translation]


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    write_tiny_model(folder / "model", Decoding(beam_size=2, length_penalty=0.7, max_target_length=8), CALIBRATION)
    return folder


@pytest.fixture
def ask(calibrated: Path) -> Iterator[Ask]:
    predictor = load(calibrated / "model")
    batcher = Batcher(predictor, 1, 256, 100)

    def answer(text: str, **parameters: Any) -> Translation:
        record = Record(text, Parameters(return_confidence=True, **parameters))
        return translate([record], predictor.rules, Decoder(batcher))[0]

    yield answer
    batcher.close()
    predictor.close()


def test_confidence_is_the_curve_at_the_mean_log_probability(ask: Ask) -> None:
    best = ask("the dog", return_token_scores=True, length_penalty=1.7).hypotheses[0]
    assert best.tokens == len(best.token_scores)
    total = best.score * (best.tokens + 1) ** 1.7
    assert best.confidence == pytest.approx(1 / (1 + math.exp(-(2 + 0.5 * total / (best.tokens + 1)))))


def test_confidence_of_a_text_is_the_mean_of_its_sentences(ask: Ask) -> None:
    parts = [ask(text).hypotheses[0] for text in ("I see the dog.", "Hello!")]
    whole = ask("I see the dog. Hello!").hypotheses[0]
    tokens = sum(part.tokens for part in parts)
    assert whole.confidence == pytest.approx(sum((part.confidence or 0) * part.tokens for part in parts) / tokens, 1e-3)
    assert ask("").hypotheses[0].confidence == 1


def test_confidence_is_answered_where_it_is_asked_for(start: Callable[..., Server], calibrated: Path) -> None:
    server = start(calibrated)
    server.wait_until_ready()
    body = {"instances": ["the dog", {"text": "the dog", "return_confidence": True, "num_hypotheses": 2}]}
    plain, asked = server.invoke(body).json()["predictions"]
    assert "confidence" not in plain
    assert 0 < asked["confidence"] == asked["hypotheses"][0]["confidence"] < 1


def test_a_model_without_calibration_says_so(server: Server, base: Path) -> None:
    response = server.invoke({"inputs": "the dog", "parameters": {"return_confidence": True}})
    assert response.status_code == 400
    assert "no calibration" in response.json()["error"]["message"]
    predictor = load(base / "model")
    batcher = Batcher(predictor, 1, 256, 100)
    with pytest.raises(UserError, match="no calibration"):
        next(stream([Record("the dog", Parameters(return_confidence=True))], predictor.rules, batcher))
    batcher.close()


def test_a_text_unlike_the_corpus_is_told(ask: Ask) -> None:
    assert UNLIKE in str(ask("wgrhb tnhls dkcmt ywbnl bgdst").warning)
    assert UNLIKE not in str(ask("I see the big red house now").warning)
    assert UNLIKE not in str(ask("wgrhb tnhls").warning)  # too short to tell
