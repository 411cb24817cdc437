"""Counts and times for Prometheus: nothing but numbers, and no text of any request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Literal, NamedTuple, TypeVar

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4  # what `Metrics.text` is

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0)
SENTENCES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class Metric(NamedTuple):
    """A number that /metrics answers; `bounds` are the upper bounds of a histogram's buckets."""

    kind: Literal["counter", "histogram", "gauge"]
    meaning: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


METRICS = {
    "nmt_requests_total": Metric("counter", "answered requests by route and status", ("route", "status")),
    "nmt_request_seconds": Metric(
        "histogram", "time to an answer by route; of a stream, to its first line", ("route",), SECONDS
    ),
    "nmt_batch_sentences": Metric("histogram", "sentences that went through the engine together", (), SENTENCES),
    "nmt_source_tokens_total": Metric("counter", "source tokens translated"),
    "nmt_waiting_sentences": Metric("gauge", "sentences that wait for the engine"),
}

Collector = TypeVar("Collector", Counter, Histogram)

disable_created_metrics()  # no series for the time at which another one began: nobody asked for them


class Metrics:
    """METRICS of one server, in a registry of their own; every method may be called from any thread."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._gauges: dict[str, Gauge] = {}
        for name, (kind, meaning, labels, bounds) in METRICS.items():
            if kind == "counter":
                self._counters[name] = Counter(name, meaning, labels, registry=registry)
            elif kind == "histogram":
                self._histograms[name] = Histogram(name, meaning, labels, registry=registry, buckets=bounds)
            else:
                self._gauges[name] = Gauge(name, meaning, labels, registry=registry)
        # Looking a series up by its labels takes most of the time of counting a request, so each is looked up once.
        self._counter = cache(partial(_series, self._counters))
        self._histogram = cache(partial(_series, self._histograms))

    def add(self, name: str, amount: float = 1, **labels: str | int) -> None:
        """Add `amount` to the counter `name` with these labels."""
        self._counter(name, **labels).inc(amount)

    def total(self, name: str) -> float:
        """The sum of the counter `name` over all labels."""
        return sum(sample.value for family in self._counters[name].collect() for sample in family.samples)

    def observe(self, name: str, value: float, **labels: str | int) -> None:
        """Add one value to the histogram `name`."""
        self._histogram(name, **labels).observe(value)

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Let the gauge `name` be what `read` returns whenever the metrics are asked for."""
        self._gauges[name].set_function(read)

    def text(self) -> str:
        """All metrics as they are now, in the text format of Prometheus."""
        return generate_latest(self._registry).decode()


def _series(collectors: Mapping[str, Collector], name: str, **labels: str | int) -> Collector:
    """The part of a collector that counts what has these labels."""
    return collectors[name].labels(**labels) if labels else collectors[name]
