"""Loading, ready, broken: what /ping and /invocations answer in each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from flask.testing import FlaskClient

from container.artifact import Decoding
from container.errors import ArtifactError
from serve.engine.interface import Predictor
from serve.engine.loading import load
from serve.models import LoadedModel
from serve.settings import Settings
from serve.web.routes import create_app
from tests.serve.tiny_model import write_tiny_model

SECONDS = 60.0


class Loading:
    """A model that loads when it is let to."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.go = threading.Event()
        self.failure: BaseException | None = None
        self.failed = threading.Event()
        self.model = LoadedModel(self._load, Settings(), self._on_failure)
        self.client: FlaskClient = create_app(self.model).test_client()

    def _load(self) -> Predictor:
        assert self.go.wait(SECONDS)
        return load(self.base / "model")

    def _on_failure(self, error: BaseException) -> None:
        self.failure = error
        self.failed.set()

    def finish(self) -> None:
        """Let it load and wait until it has."""
        self.go.set()
        self.model._loader.shutdown(wait=True)


@pytest.fixture
def loading(base: Path) -> Iterator[Loading]:
    started = Loading(base)
    yield started
    started.go.set()
    started.model.close()


def test_503_while_loading_200_when_a_sentence_was_decoded(loading: Loading) -> None:
    for method, route in (("GET", "/ping"), ("POST", "/ping"), ("POST", "/invocations")):
        answer = loading.client.open(route, method=method, json=["Hello!"])
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert "loading" in answer.get_json()["error"]["message"]
    loading.finish()
    assert loading.client.get("/ping").status_code == 200
    assert loading.client.post("/invocations", json=["Hello!"]).status_code == 200


def test_a_bad_request_is_told_so_even_while_loading(loading: Loading) -> None:
    assert loading.client.post("/invocations", data=b"", content_type="application/json").status_code == 400


def test_a_model_that_cannot_be_loaded_keeps_ping_at_503(tmp_path: Path) -> None:
    started = Loading(tmp_path)
    started.finish()
    assert started.failed.wait(SECONDS)
    assert isinstance(started.failure, ArtifactError)
    assert started.client.get("/ping").status_code == 503


def test_our_own_bug_is_a_500_without_its_text(loading: Loading, caplog: pytest.LogCaptureFixture) -> None:
    loading.finish()

    def broken(*_: object) -> None:
        raise KeyError("a secret of ours")

    loading.model._batcher._predictor.prepare = broken  # type: ignore[union-attr,method-assign,assignment]
    answer = loading.client.post("/invocations", json=["Hello!"])
    assert answer.status_code == 500
    assert answer.get_json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text


def test_a_broken_engine_turns_ping_to_503(loading: Loading) -> None:
    loading.finish()

    def broken(*_: object) -> None:
        raise RuntimeError("no memory for the engine")

    loading.model._batcher._predictor.decode = broken  # type: ignore[union-attr,method-assign,assignment]
    assert loading.client.post("/invocations", json=["Hello!"]).status_code == 500
    loading.model._batcher.close()  # type: ignore[union-attr]  # the check on the warm-up sentence has run
    answer = loading.client.get("/ping")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "unavailable")


def test_a_model_that_loads_but_cannot_decode_is_not_ready(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model", Decoding(max_target_length=0))  # the engine refuses it at the first word
    started = Loading(tmp_path)
    started.finish()
    assert started.failed.wait(SECONDS)
    assert started.client.get("/ping").status_code == 503


def test_what_fails_behind_the_model_is_no_endless_loading() -> None:
    """A predictor that no queue can be made for: the process must end, not answer 503 for ever."""
    failed = threading.Event()
    model = LoadedModel(lambda: cast(Predictor, object()), Settings(), lambda error: failed.set())
    assert failed.wait(SECONDS)
    with pytest.raises(ArtifactError):
        model.check()
