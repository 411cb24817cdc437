"""CloudWatch metrics without network or permissions: one JSON line a minute on stdout, in the embedded metric format.

CloudWatch itself turns such lines in the log of an endpoint into metrics. The format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TextIO

from flask import Flask, Response, g, request

from serve.metrics import Metrics

NAMESPACE = "SageMakerNMT"
ROUTES = ("/invocations", "/models/<opaque:name>/invoke")
MOST_LATENCIES = 10_000  # the first ones of an interval are kept


class Metric(NamedTuple):
    """A metric of CloudWatch."""

    unit: Literal["Count", "Milliseconds"]
    meaning: str


METRICS = {
    "Requests": Metric("Count", "answered translation requests"),
    "Errors": Metric("Count", "those of them that the server failed on (5xx)"),
    "LatencyP50": Metric("Milliseconds", "median time to an answer; of a stream, to its first line"),
    "LatencyP99": Metric("Milliseconds", "time within which 99 of 100 answers came"),
    "WaitingSentences": Metric("Count", "sentences that wait for the engine at this moment"),
    "SourceTokens": Metric("Count", "source tokens translated"),
}


def document(values: dict[str, float], milliseconds: int) -> dict[str, object]:
    """`values`, some of METRICS, as one document of the embedded metric format, without dimensions."""
    metrics = [{"Name": name, "Unit": METRICS[name].unit} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": metrics}
    return {"_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]}, **values}


class Reporter:
    """Writes a line to `out` every `seconds`, and one more at `close`: METRICS of the time since the line before.

    A line without requests has no latencies.
    """

    def __init__(self, metrics: Metrics, waiting: Callable[[], int], seconds: float, out: TextIO) -> None:
        self._metrics = metrics
        self._waiting = waiting
        self._out = out
        self._lock = threading.Lock()
        self._latencies: list[float] = []
        self._requests = self._errors = 0
        self._tokens = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(seconds,), name="emf", daemon=True)
        self._thread.start()

    def watch(self, app: Flask) -> None:
        """Count the requests of an application that `serve.web.routes.new_app` made."""
        app.after_request(self._seen)

    def _seen(self, response: Response) -> Response:
        if request.url_rule is not None and request.url_rule.rule in ROUTES:
            self.add(time.monotonic() - g.started, response.status_code)
        return response

    def add(self, seconds: float, status: int) -> None:
        """Count one answered request."""
        with self._lock:
            self._requests += 1
            self._errors += status >= 500
            if len(self._latencies) < MOST_LATENCIES:
                self._latencies.append(seconds)

    def write(self) -> None:
        """Write one line."""
        total = self._metrics.total("nmt_source_tokens_total")
        with self._lock:
            latencies, self._latencies = sorted(self._latencies), []
            values: dict[str, float] = {"Requests": self._requests, "Errors": self._errors}
            self._requests = self._errors = 0
            tokens, self._tokens = total - self._tokens, total
        if latencies:
            values |= {"LatencyP50": percentile(latencies, 50), "LatencyP99": percentile(latencies, 99)}
        values |= {"WaitingSentences": self._waiting(), "SourceTokens": tokens}
        line = json.dumps(document(values, time.time_ns() // 1_000_000))
        self._out.write(line + "\n")  # one call, so that the line stays whole
        self._out.flush()

    def _run(self, seconds: float) -> None:
        while not self._closing.wait(seconds):
            self.write()

    def close(self) -> None:
        """Write the last line and stop."""
        self._closing.set()
        self._thread.join()
        self.write()


def percentile(ascending: Sequence[float], share: int) -> float:
    """The nearest-rank percentile of some seconds, in milliseconds."""
    rank = max(1, math.ceil(share / 100 * len(ascending)))
    return round(1000 * ascending[rank - 1], 3)
