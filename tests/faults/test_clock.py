"""The wall clock jumps while the server works, by libfaketime: every time-out must rest on the monotonic clock.

Of the supervisor, gunicorn and the application, that is: nginx drops the environment that libfaketime reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import skip_or_fail
from tests.faults.load import Crowd, InFlight, ask
from tests.serve.gate import Gate
from tests.serve.server import Server, wait_for

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"
Start = Callable[..., Server]


@dataclass
class Clock:
    """The wall clock of a server, to be set at will."""

    file: Path

    def jump(self, offset: str) -> None:
        """Every read of the clock sees either the old offset or the new one, never half a file."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        os.replace(new, self.file)


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    made = Clock(tmp_path / "offset")
    made.jump("+0")
    yield made


@pytest.fixture
def server(start: Start, clock: Clock, gate: Gate) -> Server:
    found = sorted(Path("/").glob(LIBRARIES.lstrip("/")))
    if not found:
        skip_or_fail("libfaketime is not installed, so a jumping clock is not tested here.")
    running = start(
        **gate.environment,
        LD_PRELOAD=str(found[0]),
        FAKETIME_TIMESTAMP_FILE=str(clock.file),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    running.wait_until_ready()
    return running


def year(server: Server) -> int:
    """What year the application believes it to be, as the log says of a request that is made for this."""
    before = len(server.json_lines())
    assert ask(server).status == 200
    wait_for(lambda: len(server.json_lines()) > before)  # the line is written when the answer may be here already
    return int(server.json_lines()[-1]["time"][:4])


@pytest.mark.parametrize(("offset", "years"), [("+3650d", 9), ("-3650d", -11)])
def test_the_wall_clock_jumps_by_ten_years(server: Server, clock: Clock, gate: Gate, offset: str, years: int) -> None:
    """Nothing in flight meets its deadline, no worker is taken for hung, and no request is lost."""
    before, processes = year(server), server.children()
    with gate.shut():
        flight = InFlight(server, requests_=1, sentences=1)
        crowd = Crowd(server, clients=4)
        for _ in range(2):
            clock.jump(offset)
            crowd.wait_for(20)  # more than there are clients: some asked after the jump
            wait_for(lambda: abs(year(server) - before - years) <= 1)  # else the test tests nothing
            clock.jump("+0")
            crowd.wait_for(20)
    assert {outcome.status for outcome in crowd.stop()} == {200}
    assert [outcome.status for outcome in flight.outcomes()] == [200]
    assert server.children() == processes
    assert server.stop() == 0
