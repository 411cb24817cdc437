"""A container of `serve` that answers, as the tests need it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.engine import Containers, bind, docker

# As far as Docker goes; the user is nobody that the image knows.
HARDENED = (
    "--read-only",
    "--tmpfs=/tmp",
    "--user=54321:54321",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)


@dataclass(frozen=True)
class Endpoint:
    """A running container of `serve` and its address on this machine."""

    container: str
    url: str

    def logs(self) -> str:
        done = docker("logs", self.container)
        return done.stdout + done.stderr

    def exit_code(self) -> int:
        """Wait for the container's end."""
        return int(docker("wait", self.container, timeout=60).stdout)


def start(containers: Containers, model: Path, *options: str, port: int = 8080) -> Endpoint:
    """Start `serve` and wait until /ping says 200 on the container's `port`."""
    mount = bind(model, "/opt/ml/model", readonly=True)
    container = containers.start("serve", options=[mount, f"--publish=127.0.0.1::{port}", *options])
    address = docker("port", container, f"{port}/tcp").stdout.split()[0]
    endpoint = Endpoint(container, f"http://{address}")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        running = docker("inspect", "--format={{.State.Running}}", container).stdout.strip()
        assert running == "true", endpoint.logs()
        try:
            if requests.get(f"{endpoint.url}/ping", timeout=60).status_code == 200:
                return endpoint
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"/ping did not answer 200 within a minute\n{endpoint.logs()}")
