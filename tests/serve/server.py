"""Starts the real thing for a test: container/bin/serve with nginx and gunicorn on a free port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 60.0  # seconds for anything that must happen at all, on a machine that has much else to do


@dataclass
class Server:
    """One running `serve`: its process, its address, where its output goes."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    started: float  # of time.monotonic
    start_seconds: float = 0.0  # from there to the first 200 on /ping

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ping(self) -> int | None:
        """Status of /ping; None while nothing listens."""
        try:
            return requests.get(f"{self.url}/ping", timeout=DEADLINE).status_code
        except requests.ConnectionError:
            return None

    def wait_until_ready(self) -> list[int | None]:
        """Poll /ping until 200; returns what it answered before."""
        before: list[int | None] = []
        end = time.monotonic() + DEADLINE
        while (status := self.ping()) != 200:
            before.append(status)
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < end, f"not ready after {DEADLINE} s: {before[-1]}\n{self.output()}"
            time.sleep(0.01)
        self.start_seconds = time.monotonic() - self.started
        return before

    def invoke(self, body: object, content_type: str = "application/json", **headers: str) -> requests.Response:
        """POST /invocations. Bytes and text go as they are, anything else as JSON."""
        given = {"data": body} if isinstance(body, (bytes, str)) else {"json": body}
        sent = {
            "Content-Type": content_type,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return requests.post(f"{self.url}/invocations", headers=sent, timeout=2 * DEADLINE, **given)

    def metric(self, series: str) -> float:
        """A number of /metrics, which takes no request slot; 0 for what has not been counted yet."""
        lines = requests.get(f"{self.url}/metrics", timeout=DEADLINE).text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == series), 0.0)

    def waiting(self) -> int:
        """Sentences that wait for the engine."""
        return int(self.metric("nmt_waiting_sentences"))

    def accepted(self) -> int:
        """Sentences that have come to the engine's queue since the start; unlike what waits, they do not pass by."""
        dispatched = self.metric("nmt_batch_sentences_sum")  # first, so that none is counted on both sides
        return int(dispatched) + self.waiting()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(DEADLINE)

    def children(self) -> dict[str, int]:
        """Process ids below the supervisor: nginx and gunicorn, and gunicorn's worker."""
        found = {}
        for child in _children(self.process.pid):
            name = "gunicorn" if b"gunicorn" in Path(f"/proc/{child}/cmdline").read_bytes() else "nginx"
            found[name] = child
            for grandchild in _children(child):
                found[f"{name} worker"] = grandchild
        return found

    def output(self) -> str:
        return self.log.read_text()

    def json_lines(self) -> list[dict[str, Any]]:
        """What the application has logged; a line that is being written is left out."""
        whole = self.output().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(base: Path, log: Path, program: Path = ROOT, **environment: str) -> Server:
    """Start the `serve` of `program`, a folder like this repository, on the model below `base`; returns at once."""
    port = free_port()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": str(port), "PATH": path}
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program / "container" / "bin" / "serve"],
            env={**os.environ, **settings, **environment},
            cwd=program,  # `python -m` imports from there first
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Server(process, port, log, began)


def wait_for(event: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Wait until something is so; it must be within `seconds`."""
    end = time.monotonic() + seconds
    while not event():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process does anything: one that ended but was not yet collected by init does not."""
    return state(pid) not in "ZX"


def state(pid: int) -> str:
    """What a process does, as one letter of /proc; X when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
