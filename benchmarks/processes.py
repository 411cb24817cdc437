"""Start a server, wait for its first 200 on /ping, measure memory and processor time of its processes, stop it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT

READY = 180.0  # seconds
STOP = 40.0
PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Running:
    """A server that is ready: its first process, its port, the seconds from its start to its first 200 on /ping."""

    pid: int
    port: int
    ready_seconds: float

    def memory_mb(self) -> float:
        """Memory of all its processes in MB (10^6 bytes)."""
        return memory_of(self.pid) / 1e6

    def cpu_seconds(self) -> float:
        """Processor time of all its processes so far."""
        return sum(map(_cpu, family(self.pid)))


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], port: int, log: Path) -> Iterator[Running]:
    """Start `command` in a new session, wait until it is ready, and end all its processes afterwards."""
    with log.open("wb") as output:
        began = time.perf_counter()
        server = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
        try:
            while not answers(port):
                if server.poll() is not None or time.perf_counter() - began > READY:
                    raise RuntimeError(f"{' '.join(command)} is not ready; it said:\n{log.read_text()[-2000:]}")
                time.sleep(0.005)
            yield Running(server.pid, port, time.perf_counter() - began)
        finally:
            _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    started = family(server.pid)
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(STOP)
    except subprocess.TimeoutExpired:
        for pid in started:
            os.kill(pid, signal.SIGKILL)
        server.wait()


def answers(port: int) -> bool:
    """Whether the answer to GET /ping is 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(PING)
            return sock.recv(64)[9:12] == b"200"
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[int]:
    """`pid` and all processes below it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # the process has ended
        return []
    return [pid, *(each for child in children for each in family(child))]


def memory_of(pid: int) -> int:
    """Bytes of memory of `pid` and all processes below it. A page that n processes share counts 1/n in each (PSS)."""
    return sum(map(_pss, family(pid)))


def _pss(pid: int) -> int:
    """Bytes; 0 when the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
