"""What is counted, in the text format of Prometheus."""

from __future__ import annotations

import requests
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from serve.metrics import METRICS, Metrics
from tests.serve.server import DEADLINE, Server

Series = tuple[str, ...]  # a name, and the values of its labels in the order of the labels' names


def read(server: Server) -> dict[str, list[Sample]]:
    """The samples of each metric by its name in METRICS."""
    response = requests.get(f"{server.url}/metrics", timeout=DEADLINE)
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(response.text))
    return {family.name + "_total" * (family.type == "counter"): family.samples for family in families}


def numbers(server: Server) -> dict[Series, float]:
    samples = [sample for each in read(server).values() for sample in each]
    found = {(sample.name, *sample.labels.values()): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def test_requests_batches_and_tokens_are_counted(server: Server) -> None:
    good, bad = ("nmt_requests_total", "/invocations", "200"), ("nmt_requests_total", "none", "404")
    before = numbers(server)
    server.invoke(["Hello! I see the dog.", "the cat"])
    requests.get(f"{server.url}/secret", timeout=DEADLINE)
    after = numbers(server)
    assert after[good] == before.get(good, 0) + 1
    assert after[bad] == before.get(bad, 0) + 1
    assert after["nmt_batch_sentences_sum",] == before["nmt_batch_sentences_sum",] + 3
    assert after["nmt_source_tokens_total",] > before["nmt_source_tokens_total",] + 3
    assert after["nmt_waiting_sentences",] == 0
    timed = ("nmt_request_seconds_count", "/invocations")
    assert after[timed] == before.get(timed, 0) + 1
    assert "secret" not in str(after)


def test_every_metric_has_the_kind_and_the_labels_that_are_documented(server: Server) -> None:
    server.invoke(["Hello!"])
    found = read(server)
    assert found.keys() == METRICS.keys()
    for name, metric in METRICS.items():
        parts = {f"{name}_count", f"{name}_sum", f"{name}_bucket"} if metric.kind == "histogram" else {name}
        assert {sample.name for sample in found[name]} == parts, "also no time at which a series began"
        labels = {tuple(sample.labels) for sample in found[name] if not sample.name.endswith("_bucket")}
        assert labels == {metric.labels}, name


def test_the_buckets_of_a_histogram_add_up() -> None:
    metrics = Metrics()
    for value in (1, 2, 3, 1000):
        metrics.observe("nmt_batch_sentences", value)
    text = metrics.text()
    assert "# TYPE nmt_batch_sentences histogram" in text
    for line in ('{le="1.0"} 1', '{le="2.0"} 2', '{le="4.0"} 3', '{le="256.0"} 3', '{le="+Inf"} 4'):
        assert f"nmt_batch_sentences_bucket{line}.0\n" in text
    assert "nmt_batch_sentences_sum 1006.0\n" in text
    assert "nmt_batch_sentences_count 4.0\n" in text


def test_a_total_is_the_sum_over_all_labels_of_these_metrics_alone() -> None:
    metrics, others = Metrics(), Metrics()
    for status in (200, 200, 503):
        metrics.add("nmt_requests_total", route="/invocations", status=status)
    assert metrics.total("nmt_requests_total") == 3
    assert others.total("nmt_requests_total") == 0


def test_a_gauge_is_read_when_the_metrics_are_asked_for() -> None:
    metrics, waiting = Metrics(), [1, 2]
    metrics.watch("nmt_waiting_sentences", lambda: len(waiting))
    waiting.append(3)
    assert "nmt_waiting_sentences 3.0\n" in metrics.text()
