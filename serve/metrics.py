"""Counts and times in the text format of Prometheus: nothing but numbers, and no text of any request."""

from __future__ import annotations

import json
import math
import threading
from collections import defaultdict
from collections.abc import Mapping

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0)
SENTENCES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)

# name: its kind, the bounds of a histogram's buckets, what it counts
KNOWN: dict[str, tuple[str, tuple[float, ...], str]] = {
    "nmt_requests_total": ("counter", (), "answered requests by route and status"),
    "nmt_request_seconds": ("histogram", SECONDS, "time to an answer by route; of a stream, to its first line"),
    "nmt_batch_sentences": ("histogram", SENTENCES, "sentences that went through the engine together"),
    "nmt_source_tokens_total": ("counter", (), "source tokens translated"),
    "nmt_waiting_sentences": ("gauge", (), "sentences that wait for the engine"),
}


class Metrics:
    """Counters and histograms of one process; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))

    def add(self, name: str, amount: float = 1, **labels: str | int) -> None:
        """Count `amount` more of `name` under its labels."""
        with self._lock:
            self._series[name][name + _shown(labels)] += amount

    def observe(self, name: str, value: float, **labels: str | int) -> None:
        """One more value of the histogram `name`."""
        with self._lock:
            series = self._series[name]
            for bound in (*KNOWN[name][1], math.inf):
                edge = "+Inf" if bound == math.inf else f"{bound:g}"
                series[f"{name}_bucket{_shown({**labels, 'le': edge})}"] += value <= bound
            series[f"{name}_sum{_shown(labels)}"] += value
            series[f"{name}_count{_shown(labels)}"] += 1

    def text(self, gauges: Mapping[str, float]) -> str:
        """Everything counted so far, and `gauges` as they are now."""
        lines = []
        with self._lock:
            for name, (kind, _, what) in KNOWN.items():
                values = {name: gauges[name]} if name in gauges else self._series[name]
                lines += [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]
                lines += [f"{series} {value:.12g}" for series, value in values.items()]
        return "\n".join(lines) + "\n"


def _shown(labels: Mapping[str, object]) -> str:
    return "{" + ",".join(f"{name}={json.dumps(str(value))}" for name, value in labels.items()) + "}" if labels else ""
