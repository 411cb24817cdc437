"""Two minutes of mixed traffic at 80 % of the capacity of the server: the short form of `make soak`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.serving.soak import FLAT, soak
from benchmarks.serving.traffic import Traffic
from data.sample import read_part

MINUTES = 2.0


def test_two_minutes_of_mixed_traffic_fail_nothing_and_keep_memory_flat(base: Path, tmp_path: Path) -> None:
    sentences = [source for source, _ in read_part("train")]
    result = soak(base / "model", sentences, MINUTES, tmp_path)
    assert not result.failures, (tmp_path / "server.log").read_text()[-2000:]
    assert len(result.answered) >= result.rate * 60 * MINUTES - 1
    assert result.growth <= FLAT


def test_traffic_has_every_kind_of_request_in_it() -> None:
    traffic = Traffic(["Hello.", "I see the dog."], seed=1)
    calls = [traffic.draw() for _ in range(1000)]
    assert {call.status for call in calls} == {200, 400, 415}
    assert {call.media for call in calls if call.status == 200} == {
        "application/json",
        "application/jsonlines",
        "text/csv",
        "text/plain",
    }
    assert {"stream", "document", "gzip", "scores and alignment"} <= {call.kind for call in calls}
