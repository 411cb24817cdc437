"""Malformed records of a batch: a 400 that names the record, or by option an error in its place."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.serve.server import Server

LINES = '"Hello!"\n{"text": 3}\n\n{"txt": "a"}\nno JSON\n{"text": "the dog", "beam_size": 99}\n"the dog"\n'


@pytest.fixture
def lenient(start: Callable[..., Server]) -> Server:
    server = start(NMT_RECORD_ERRORS="1")
    server.wait_until_ready()
    return server


def test_by_default_the_record_is_named_and_nothing_is_translated(server: Server) -> None:
    response = server.invoke(LINES, "application/jsonlines")
    assert response.status_code == 400
    assert "line 2" in response.json()["error"]["message"]


def test_one_line_out_for_each_line_in_with_errors_in_their_places(lenient: Server) -> None:
    response = lenient.invoke(LINES, "application/jsonlines")
    assert response.status_code == 200
    assert response.text.count("\n") == LINES.count("\n")
    entries = [json.loads(line) for line in response.text.splitlines()]
    assert ["error" in entry for entry in entries] == [False, True, False, True, True, True, False]
    assert [set(entry) for entry in entries if "error" in entry] == [{"error"}] * 4
    assert entries[1]["error"]["code"] == "bad_request" and "line 2" in entries[1]["error"]["message"]
    assert "Line 5" in entries[4]["error"]["message"]
    assert "beam_size" in entries[5]["error"]["message"]
    assert entries[6] == json.loads(lenient.invoke('"the dog"\n', "application/jsonlines").text)
    assert lenient.invoke(LINES, "application/jsonlines", Accept="text/plain").text.split("\n")[1:6] == [""] * 5

    instances = lenient.invoke({"instances": ["the dog", 3, {"text": "the dog"}]}).json()["predictions"]
    assert ["error" in entry for entry in instances] == [False, True, False]
    assert instances[0] == instances[2] == entries[6]


def test_a_body_or_stream_that_cannot_be_read_is_still_a_400(lenient: Server) -> None:
    assert lenient.invoke("", "application/jsonlines").status_code == 400
    assert lenient.invoke('{"instances": [', "application/json").status_code == 400
    assert lenient.invoke({"instances": [3, "a"], "parameters": {"stream": True}}).status_code == 400
    assert lenient.invoke({"instances": ["a"], "parameters": {"beam": 1}}).status_code == 400
