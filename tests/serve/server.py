"""Starts the real thing for a test: container/bin/serve with nginx and gunicorn on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0  # seconds for anything that must happen at all


@dataclass
class Server:
    """One running `serve`: its process, its address, where its output goes."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ping(self) -> int | None:
        """Status of /ping; None while nothing listens."""
        try:
            return requests.get(f"{self.url}/ping", timeout=5).status_code
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
        return before

    def invoke(self, body: object, content_type: str = "application/json", **headers: str) -> requests.Response:
        """POST /invocations. Bytes and text go as they are, anything else as JSON."""
        given = {"data": body} if isinstance(body, (bytes, str)) else {"json": body}
        sent = {
            "Content-Type": content_type,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return requests.post(f"{self.url}/invocations", headers=sent, timeout=60, **given)

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


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(base: Path, log: Path, **environment: str) -> Server:
    """Start `serve` on the model below `base`; returns at once."""
    port = free_port()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": str(port), "PATH": path}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [ROOT / "container" / "bin" / "serve"],
            env={**os.environ, **settings, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Server(process, port, log)
