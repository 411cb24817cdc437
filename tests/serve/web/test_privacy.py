"""What a client sent stays out of the log, also when the server fails on it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from serve.engine.loading import load
from serve.models import LoadedModel
from serve.settings import Settings
from serve.web.logs import JsonLines, log
from serve.web.routes import create_app

SECRET = "the secret walrus"


@pytest.fixture
def client(base: Path) -> Iterator[FlaskClient]:
    """An application whose engine fails with a message that quotes the text, and so does its cause."""
    model = LoadedModel(partial(load, base / "model"), Settings())
    model.wait_until_loaded()

    def broken(texts: list[str], target_lang: str | None = None) -> None:
        try:
            raise ValueError(f"no place for {texts[0]}")
        except ValueError as error:
            raise KeyError(texts[0]) from error

    model._batcher._predictor.prepare = broken  # type: ignore[union-attr,method-assign,assignment]
    yield create_app(model).test_client()
    model.close()


@pytest.fixture
def logged() -> Iterator[logging.StreamHandler[io.StringIO]]:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JsonLines())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)


def test_a_500_logs_where_it_happened_and_not_what_was_sent(
    client: FlaskClient, logged: logging.StreamHandler[io.StringIO]
) -> None:
    answer = client.post("/invocations", json=[SECRET], headers={"X-Request-Id": "r1"})
    assert answer.status_code == 500
    assert "walrus" not in answer.text
    failure, request = (json.loads(line) for line in logged.stream.getvalue().splitlines())
    assert failure["request_id"] == request["request_id"] == "r1"
    assert "KeyError" in failure["traceback"] and "ValueError" in failure["traceback"]
    assert "batching.py" in failure["traceback"]
    assert "walrus" not in logged.stream.getvalue()


def test_the_message_is_logged_on_request(client: FlaskClient, logged: logging.StreamHandler[io.StringIO]) -> None:
    logged.setFormatter(JsonLines(log_text=True))
    client.post("/invocations", json=[SECRET])
    assert "walrus" in logged.stream.getvalue()
