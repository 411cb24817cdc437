"""A stand-in for Amazon ECR: moto answers the API, Debian's docker-registry takes the layers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.delivery.project import engine, project  # noqa: F401  # fixtures
from tests.engine import skip_or_fail


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str, process: subprocess.Popen[bytes], within: float = 60) -> None:
    """Wait until `url` answers; fail as soon as its process has ended."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        assert process.poll() is None, f"{process.args!r} ended with exit code {process.returncode}"
        try:
            requests.get(url, timeout=within)
            return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError(f"nothing answered at {url} within {within} s")


@contextmanager
def running_moto() -> Iterator[str]:
    """The address of a moto server, which answers for AWS as account 123456789012."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answers(f"http://127.0.0.1:{port}/moto-api/", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """One moto server for all tests that leave it in peace."""
    with running_moto() as url:
        yield url


@pytest.fixture
def ecr_api(moto: str) -> str:
    """The moto server with nothing in it."""
    requests.post(f"{moto}/moto-api/reset", timeout=20).raise_for_status()
    return moto


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of an empty registry on this machine."""
    if shutil.which("docker-registry") is None:
        skip_or_fail("Debian's docker-registry is not installed, so no push is tested here.")
    folder = tmp_path_factory.mktemp("registry")
    port = free_port()
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    command = ["docker-registry", "serve", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answers(f"http://127.0.0.1:{port}/v2/", process)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
