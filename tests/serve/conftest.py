"""A tiny random model, and the real server on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from container.artifact import Calibration, CleanUp, OneDirection
from tests.serve.gate import Gate
from tests.serve.server import Server, start_server
from tests.serve.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like /opt/ml, with a model in it. Read only."""
    folder = tmp_path_factory.mktemp("opt ml")
    write_tiny_model(folder / "model")
    return folder


@pytest.fixture(scope="session")
def server(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running server, shared by the tests that only send requests."""
    running = start_server(base, tmp_path_factory.mktemp("log") / "serve.log")
    running.wait_until_ready()
    yield running
    assert running.stop() == 0, running.output()


@pytest.fixture(scope="session")
def both_ways(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like /opt/ml with a model of both directions; it has a confidence in Spanish only. Read only."""
    folder = tmp_path_factory.mktemp("both ways")
    back = OneDirection(source_tokens_prefix=("<2en>",), clean_up=CleanUp(non_breaking_prefixes=("Srta",)))
    calibration = Calibration(good_chrf=60, intercept=1.0, slope=0.5, sentences=100)
    write_tiny_model(folder / "model", calibration=calibration, reverse=back)
    return folder


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate before the engine of the servers that are started with its environment."""
    return Gate(tmp_path)


@pytest.fixture
def start(base: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers that a test may break; whatever still runs at its end is killed."""
    started: list[Server] = []

    def start_one(folder: Path = base, **environment: str) -> Server:
        started.append(start_server(folder, tmp_path / f"serve-{len(started)}.log", **environment))
        return started[-1]

    yield start_one
    for running in started:
        if running.process.poll() is None:
            running.stop()
