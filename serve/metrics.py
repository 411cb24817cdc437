"""Counts and times in the text format of Prometheus: nothing but numbers, and no text of any request."""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

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


Labels = tuple[tuple[str, str | int], ...]


@dataclass
class Histogram:
    """How many values each bucket got by itself, the last without a bound; their sum. Added up when they are shown."""

    counts: list[int]
    total: float = 0.0


class Metrics:
    """Counters and histograms of one process; every method may be called from any thread.

    Counting is on the way of every request, so names and numbers become text only when somebody asks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: defaultdict[str, defaultdict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._histograms: defaultdict[str, dict[Labels, Histogram]] = defaultdict(dict)

    def add(self, name: str, amount: float = 1, **labels: str | int) -> None:
        """Count `amount` more of `name` under its labels."""
        with self._lock:
            self._counters[name][tuple(labels.items())] += amount

    def total(self, name: str) -> float:
        """What the counter `name` has come to, over all labels."""
        with self._lock:
            return sum(self._counters[name].values())

    def observe(self, name: str, value: float, **labels: str | int) -> None:
        """One more value of the histogram `name`."""
        bounds = KNOWN[name][1]
        with self._lock:
            histogram = self._histograms[name].setdefault(tuple(labels.items()), Histogram([0] * (len(bounds) + 1)))
            histogram.counts[bisect_left(bounds, value)] += 1
            histogram.total += value

    def text(self, gauges: Mapping[str, float]) -> str:
        """Everything counted so far, and `gauges` as they are now."""
        lines = []
        with self._lock:
            for name, (kind, bounds, what) in KNOWN.items():
                lines += [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]
                if name in gauges:
                    lines.append(f"{name} {gauges[name]:.12g}")
                lines += [f"{name}{_shown(labels)} {value:.12g}" for labels, value in self._counters[name].items()]
                for labels, histogram in self._histograms[name].items():
                    lines += _series(name, bounds, labels, histogram)
        return "\n".join(lines) + "\n"


def _series(name: str, bounds: Sequence[float], labels: Labels, histogram: Histogram) -> Iterator[str]:
    """The lines of one histogram: each bucket holds those before it as well."""
    edges = [*(f"{bound:g}" for bound in bounds), "+Inf"]
    for edge, count in zip(edges, accumulate(histogram.counts), strict=True):
        yield f"{name}_bucket{_shown((*labels, ('le', edge)))} {count}"
    yield f"{name}_sum{_shown(labels)} {histogram.total:.12g}"
    yield f"{name}_count{_shown(labels)} {sum(histogram.counts)}"


def _shown(labels: Labels) -> str:
    return "{" + ",".join(f"{name}={json.dumps(str(value))}" for name, value in labels) + "}" if labels else ""
