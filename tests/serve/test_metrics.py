"""What is counted, in the text format of Prometheus."""

from __future__ import annotations

import re

import requests

from serve.metrics import METRICS, Metrics
from tests.serve.server import DEADLINE, Server


def numbers(server: Server) -> dict[str, float]:
    response = requests.get(f"{server.url}/metrics", timeout=DEADLINE)
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z_]+({[a-z]+="[^"]*"(,[a-z]+="[^"]*")*})? [0-9.e+-]+', line) for line in lines)
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


def test_requests_batches_and_tokens_are_counted(server: Server) -> None:
    good, bad = 'nmt_requests_total{route="/invocations",status="200"}', 'nmt_requests_total{route="none",status="404"}'
    before = numbers(server)
    server.invoke(["Hello! I see the dog.", "the cat"])
    requests.get(f"{server.url}/secret", timeout=DEADLINE)
    after = numbers(server)
    assert after[good] == before.get(good, 0) + 1
    assert after[bad] == before.get(bad, 0) + 1
    assert after["nmt_batch_sentences_sum"] == before.get("nmt_batch_sentences_sum", 0) + 3
    assert after["nmt_source_tokens_total"] > before.get("nmt_source_tokens_total", 0) + 3
    assert after["nmt_waiting_sentences"] == 0
    timed = 'nmt_request_seconds_count{route="/invocations"}'
    assert after[timed] == before.get(timed, 0) + 1
    assert "secret" not in str(after)


def test_every_metric_has_the_labels_that_are_documented(server: Server) -> None:
    server.invoke(["Hello!"])
    found = numbers(server)
    for name, metric in METRICS.items():
        series = f"{name}_count" if metric.kind == "histogram" else name
        labels = [re.findall(r'([a-z]+)="', key) for key in found if key.partition("{")[0] == series]
        assert labels and all(each == list(metric.labels) for each in labels), name


def test_the_buckets_of_a_histogram_add_up() -> None:
    metrics = Metrics()
    for value in (1, 2, 3, 1000):
        metrics.observe("nmt_batch_sentences", value)
    text = metrics.text({})
    assert "# TYPE nmt_batch_sentences histogram" in text
    for line in ('{le="1"} 1', '{le="2"} 2', '{le="4"} 3', '{le="256"} 3', '{le="+Inf"} 4'):
        assert f"nmt_batch_sentences_bucket{line}\n" in text
    assert "nmt_batch_sentences_sum 1006\n" in text
    assert "nmt_batch_sentences_count 4\n" in text
