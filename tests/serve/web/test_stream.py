"""Sentences that arrive while the rest is still being translated, through the real nginx."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import requests

from container.errors import UserError
from serve.engine.interface import Hypothesis, Translation
from serve.engine.loading import load
from serve.models import LoadedModel
from serve.settings import Settings
from serve.web.answers import write_stream
from serve.web.routes import create_app
from tests.serve.gate import HELD, Gate
from tests.serve.server import DEADLINE, Server, wait_for

Start = Callable[..., Server]


def streamed(server: Server, body: object) -> requests.Response:
    return requests.post(f"{server.url}/invocations", json=body, stream=True, timeout=DEADLINE)


def test_a_line_a_sentence_and_done(server: Server) -> None:
    texts = ["I see the dog. Hello!", "", "the cat\n\nthe big red house"]
    response = streamed(server, {"instances": texts, "parameters": {"stream": True}})
    assert response.headers["Content-Type"] == "application/jsonlines"
    assert response.headers["Transfer-Encoding"] == "chunked"
    lines = [json.loads(line) for line in response.iter_lines()]
    assert [line.get("index") for line in lines] == [0, 1, 2, 3, None]
    assert lines[-1] == {"done": True}
    sentences = ["I see the dog.", "Hello!", "the cat", "the big red house"]
    expected = [entry["translation"] for entry in server.invoke({"instances": sentences}).json()["predictions"]]
    assert [line["translation"] for line in lines[:-1]] == expected


def test_the_first_arrives_while_the_last_is_not_decoded_and_the_slot_is_free_again(start: Start, gate: Gate) -> None:
    server = start(NMT_MAX_REQUESTS="1", **gate.environment)
    server.wait_until_ready()
    text = f"I see the dog. {HELD} " + "I see the dog. " * 98
    with gate.shut():
        lines = streamed(server, {"inputs": text, "parameters": {"stream": True}}).iter_lines()
        assert json.loads(next(lines))["index"] == 0
        assert server.invoke(["Hello!"]).status_code == 503  # the only slot is held: the rest is not translated
    assert len([*lines]) == 100
    wait_for(lambda: server.invoke(["Hello!"]).status_code == 200)


def test_nginx_is_told_not_to_gather_lines(base: Path) -> None:
    model = LoadedModel(partial(load, base / "model"), Settings())
    model.wait_until_loaded()
    client = create_app(model).test_client()
    streaming = client.post("/invocations", json={"inputs": "Hello!", "parameters": {"stream": True}})
    assert streaming.headers["X-Accel-Buffering"] == "no"  # nginx keeps this header to itself
    assert "X-Accel-Buffering" not in client.post("/invocations", json=["Hello!"]).headers
    streaming.close()
    model.close()


def test_a_client_that_hangs_up_frees_its_slot(start: Start, gate: Gate) -> None:
    server = start(NMT_MAX_REQUESTS="1", **gate.environment)
    server.wait_until_ready()
    text = f"I see the dog. {HELD} " + "I see the dog. " * 50_000
    with gate.shut():
        response = streamed(server, {"inputs": text, "parameters": {"stream": True}})
        next(response.iter_lines())
        response.close()
    wait_for(lambda: server.invoke(["Hello!"]).status_code == 200)
    assert server.accepted() < 25_000, "the rest was translated for nobody"


def test_what_can_be_refused_has_its_own_status(server: Server) -> None:
    response = streamed(server, {"inputs": 3, "parameters": {"stream": True}})
    assert response.status_code == 400


def test_a_failure_on_the_way_is_the_last_line() -> None:
    def failing() -> object:
        yield Translation((Hypothesis("uno", 0.0),))
        raise UserError("Something is wrong.")

    lines = [json.loads(line) for line in write_stream(failing())]  # type: ignore[arg-type]
    assert lines == [
        {"index": 0, "translation": "uno"},
        {"error": {"code": "bad_request", "message": "Something is wrong."}},
    ]
