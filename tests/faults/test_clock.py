"""The wall clock jumps while the server works, by libfaketime: every time-out must rest on the monotonic clock.

Of the supervisor, gunicorn and the application, that is: nginx drops the environment that libfaketime reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import skip_or_fail
from tests.faults.load import Crowd, InFlight
from tests.serve.server import Server

# Debian's libfaketime 0.9.10 refuses to sleep until a moment of the monotonic clock, as Python's sleep does.
SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds)\n"
LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"
Start = Callable[..., Server]


@dataclass
class Clock:
    """The wall clock of a server, to be set at will."""

    file: Path

    def jump(self, offset: str) -> None:
        self.file.write_text(f"{offset}\n")


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    made = Clock(tmp_path / "offset")
    made.jump("+0")
    yield made


@pytest.fixture
def server(start: Start, clock: Clock, tmp_path: Path) -> Server:
    found = sorted(Path("/").glob(LIBRARIES.lstrip("/")))
    if not found:
        skip_or_fail("libfaketime is not installed, so a jumping clock is not tested here.")
    (tmp_path / "sitecustomize.py").write_text(SLEEP)
    running = start(
        PYTHONPATH=str(tmp_path),
        LD_PRELOAD=str(found[0]),
        FAKETIME_TIMESTAMP_FILE=str(clock.file),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    running.wait_until_ready()
    return running


def year(server: Server) -> int:
    """What year the application believes it to be, as its log says."""
    last = next(line for line in reversed(server.output().splitlines()) if line.startswith('{"time": "'))
    return int(json.loads(last)["time"][:4])


@pytest.mark.parametrize(("offset", "years"), [("+3650d", 9), ("-3650d", -11)])
def test_the_wall_clock_jumps_by_ten_years(server: Server, clock: Clock, offset: str, years: int) -> None:
    """Nothing in flight meets its deadline, no worker is taken for hung, and no request is lost."""
    before, processes = year(server), server.children()
    flight = InFlight(server, requests_=4, sentences=300)
    crowd = Crowd(server, clients=4)
    crowd.wait_for(5)
    for _ in range(2):
        clock.jump(offset)
        crowd.wait_for(20)  # more than there are clients: some asked after the jump
        assert abs(year(server) - before - years) <= 1, "the clock has not jumped: the test tests nothing"
        clock.jump("+0")
        crowd.wait_for(20)
    assert {outcome.status for outcome in crowd.stop()} == {200}
    assert [outcome.status for outcome in flight.outcomes()] == [200] * 4
    assert server.children() == processes
    assert server.stop() == 0
