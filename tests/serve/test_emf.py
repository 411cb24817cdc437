"""CloudWatch metrics in the log: the format, what is counted, and the real server's lines."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from serve.emf import MOST_LATENCIES, Reporter, document, percentile
from serve.metrics import Metrics
from tests.serve.server import Server, wait_for

# What CloudWatch asks of a document, from its specification of the embedded metric format.
NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
UNITS = ["Seconds", "Microseconds", "Milliseconds", "Bytes", "Percent", "Count", "Count/Second", "None"]
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 0},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": NAME,
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "array", "maxItems": 30, "items": {**NAME, "maxLength": 250}},
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "properties": {"Name": NAME, "Unit": {"enum": UNITS}},
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


def check(line: dict[str, Any]) -> None:
    """The schema, and what it cannot say: every metric that is named has its number in the document."""
    jsonschema.validate(line, SCHEMA)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            assert isinstance(line[metric["Name"]], (int, float))


def test_a_document_follows_the_specification() -> None:
    line = json.loads(json.dumps(document({"Requests": 3, "LatencyP50": 1.5}, 1_700_000_000_000)))
    check(line)
    assert line["Requests"] == 3
    with pytest.raises(jsonschema.ValidationError):
        check({**line, "_aws": {**line["_aws"], "Timestamp": "now"}})


def test_a_line_tells_of_what_happened_since_the_line_before() -> None:
    metrics, out = Metrics(), io.StringIO()
    reporter = Reporter(metrics, lambda: 7, 3600, out)
    for milliseconds in range(1, 101):
        reporter.add(milliseconds / 1000, 500 if milliseconds == 1 else 200)
    metrics.add("nmt_source_tokens_total", 12)
    reporter.write()
    metrics.add("nmt_source_tokens_total", 5)
    reporter.close()
    first, last = (json.loads(line) for line in out.getvalue().splitlines())
    check(first)
    check(last)
    assert (first["Requests"], first["Errors"], first["WaitingSentences"], first["SourceTokens"]) == (100, 1, 7, 12)
    assert (first["LatencyP50"], first["LatencyP99"]) == (50, 99)
    assert (last["Requests"], last["SourceTokens"]) == (0, 5)
    assert "LatencyP50" not in last


def test_percentiles_by_nearest_rank() -> None:
    assert percentile([0.002], 50) == percentile([0.002], 99) == 2
    assert percentile([0.001, 0.002, 0.003, 0.004], 50) == 2


def test_memory_is_bounded() -> None:
    reporter = Reporter(Metrics(), lambda: 0, 3600, io.StringIO())
    for _ in range(MOST_LATENCIES + 5):
        reporter.add(0.001, 200)
    assert len(reporter._latencies) == MOST_LATENCIES
    reporter.close()


def emf_lines(server: Server) -> list[dict[str, Any]]:
    return [line for line in server.json_lines() if "_aws" in line]


def test_the_server_writes_lines_by_option(start: Callable[..., Server]) -> None:
    server = start(NMT_EMF="1", NMT_EMF_SECONDS="1")
    server.wait_until_ready()
    assert server.invoke(["Hello!"]).status_code == 200
    assert server.invoke({"inputs": 3}).status_code == 400
    wait_for(lambda: sum(line["Requests"] for line in emf_lines(server)) >= 2)  # /ping is no request of these
    assert server.stop() == 0
    for line in emf_lines(server):
        check(line)
    assert sum(line["Requests"] for line in emf_lines(server)) == 2
    assert sum(line["SourceTokens"] for line in emf_lines(server)) > 0
    assert "Hello" not in server.output()


def test_what_happened_last_is_written_at_the_end(start: Callable[..., Server]) -> None:
    server = start(NMT_EMF="1", NMT_EMF_SECONDS="3600")
    server.wait_until_ready()
    server.invoke(["Hello!"])
    assert emf_lines(server) == []
    assert server.stop() == 0
    assert [line["Requests"] for line in emf_lines(server)] == [1]


def test_there_are_none_unless_asked_for(start: Callable[..., Server]) -> None:
    server = start(NMT_EMF_SECONDS="1")
    server.wait_until_ready()
    server.invoke(["Hello!"])
    assert server.stop() == 0
    assert emf_lines(server) == []
