"""Whatever is sent, the answer is a translation or a refusal: never a 5xx, never a dead worker."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.text.parameters import Parameters
from serve.web.formats import FORMATS
from tests.serve.server import Server

# For each of the five tests, so that 10,000 bodies are sent in all. Fewer by hand: NMT_TEST_BODIES=100
MANY = settings(
    max_examples=int(os.environ.get("NMT_TEST_BODIES", "2000")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXT = st.text(max_size=60) | st.sampled_from(["See http://a.b/c 25 <b>", "I see the dog. Hello!", "\ue000", "\ud800"])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from([*Parameters.model_fields, "text", "beam"])
PLAUSIBLE = st.booleans() | st.integers(0, 17) | st.floats(0, 5) | TEXT | st.dictionaries(TEXT, TEXT, max_size=3)
GIVEN = st.dictionaries(NAMES, PLAUSIBLE | VALUE, max_size=3)
INSTANCE = TEXT | VALUE | st.builds(lambda text, given: {**given, "text": text}, TEXT, GIVEN)
DOCUMENT = VALUE | st.fixed_dictionaries(
    {}, optional={"instances": st.lists(INSTANCE, max_size=3), "inputs": INSTANCE, "parameters": GIVEN}
)


def assert_answered(server: Server, body: bytes, content_type: str, **headers: str) -> None:
    worker = server.children()["gunicorn worker"]
    response = server.invoke(body, content_type, **headers)
    assert response.status_code < 500, response.text
    if response.status_code != 200:
        assert set(response.json()["error"]) == {"code", "message"}
    assert server.children()["gunicorn worker"] == worker


@MANY
@given(st.binary(max_size=200), st.sampled_from(list(FORMATS)), st.sampled_from(["", "gzip"]))
def test_any_bytes(server: Server, body: bytes, content_type: str, encoding: str) -> None:
    assert_answered(server, body, content_type, Content_Encoding=encoding)


@MANY
@given(DOCUMENT)
def test_any_json(server: Server, document: Any) -> None:
    assert_answered(server, json.dumps(document).encode(), "application/json")


@MANY
@given(st.lists(INSTANCE, max_size=3))
def test_any_json_lines(server: Server, instances: list[Any]) -> None:
    assert_answered(server, "\n".join(map(json.dumps, instances)).encode(), "application/jsonlines")


@MANY
@given(TEXT, GIVEN)
def test_any_parameters(server: Server, text: str, given: dict[str, Any]) -> None:
    assert_answered(server, json.dumps({"inputs": text, "parameters": given}).encode(), "application/json")


@MANY
@given(TEXT, st.text(max_size=40), st.text(max_size=40))
def test_any_headers(server: Server, text: str, accept: str, content_type: str) -> None:
    printable = ["".join(c for c in header if " " <= c <= "~").strip() for header in (accept, content_type)]
    body = text.encode(errors="replace")
    assert_answered(server, body, printable[1] or "text/plain", Accept=printable[0])
