"""Starting, stopping and breaking the real server."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from benchmarks.serving.ping import limits, ping
from container.errors import PlatformError
from serve.__main__ import SYSTEM_FOLDERS, find_nginx, run_folder, start_nginx, stop
from serve.settings import Settings
from tests.faults.load import InFlight, in_proportion
from tests.serve.gate import Gate
from tests.serve.server import DEADLINE, Server, free_port, is_running, wait_for

NGINX_FOLDERS = os.pathsep.join((os.environ["PATH"], *SYSTEM_FOLDERS))
Start = Callable[..., Server]


def run_folders() -> set[Path]:
    return set(Path("/tmp").glob("nmt-serve-*"))


def test_ping_is_503_until_a_sentence_was_decoded(start: Start) -> None:
    server = start()
    before = server.wait_until_ready()
    assert set(before) <= {None, 503}  # 503 where it was asked while loading; on a busy machine nobody may have


def test_nginx_without_the_application_answers_json_503() -> None:
    port = free_port()
    with run_folder() as folder:
        nginx = start_nginx(find_nginx(NGINX_FOLDERS), folder, Settings(port=port))
        try:
            response = eventually(lambda: requests.get(f"http://127.0.0.1:{port}/ping", timeout=DEADLINE))
        finally:
            stop(nginx, signal.SIGQUIT, 5)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["error"]["code"] == "unavailable"


def eventually(request: Callable[[], requests.Response]) -> requests.Response:
    """The first answer from a server that may not listen yet."""
    end = time.monotonic() + DEADLINE
    while True:
        with contextlib.suppress(requests.ConnectionError):
            return request()
        assert time.monotonic() < end


def test_sigterm_under_load_drains_and_exits_zero(start: Start, gate: Gate) -> None:
    folders = run_folders()
    server = start(**gate.environment)
    server.wait_until_ready()
    with gate.shut():
        flight = InFlight(server, requests_=1, sentences=1500)
        processes = list(server.children().values())
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: server.ping() == 503)
    assert server.process.wait(DEADLINE) == 0, server.output()
    (outcome,) = flight.outcomes()
    assert outcome.status == 200
    assert len(outcome.body["predictions"]) == 1500
    wait_for(lambda: not any(map(is_running, processes)))
    assert not run_folders() - folders


def test_when_full_requests_are_told_to_come_back(start: Start, gate: Gate) -> None:
    server = start(NMT_MAX_REQUESTS="1", **gate.environment)
    server.wait_until_ready()
    with gate.shut():
        flight = InFlight(server, requests_=1, sentences=1)
        refused = server.invoke(["Hello!"])
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["error"]["code"] == "overloaded"
    assert [outcome.status for outcome in flight.outcomes()] == [200]


def test_ping_is_answered_with_every_request_slot_taken(start: Start, gate: Gate) -> None:
    slots = Settings().max_requests
    server = start(**limits(slots), **gate.environment)
    server.wait_until_ready()
    with gate.shut():
        flight = InFlight(server, slots, sentences=20)
        assert server.invoke(["Hello!"]).status_code == 503
        took = [ping(server.port) for _ in range(20)]  # fails unless it is 200, within SageMaker's 2 seconds
        assert statistics.median(took) < in_proportion(server, 0.25)
        assert server.invoke(["Hello!"]).status_code == 503
    while not flight.done():  # now the engine works on all of them
        ping(server.port)
    assert {outcome.status for outcome in flight.outcomes()} == {200}
    wait_for(lambda: server.invoke(["Hello!"]).status_code == 200)


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
def test_sigterm_while_starting_exits_zero(start: Start, delay: float) -> None:
    server = start()
    assert_handles_signals(server)
    time.sleep(delay)  # the point of the start that is tested, not a wait for anything
    started = time.monotonic()
    assert server.stop() == 0, server.output()
    assert time.monotonic() - started < 20, "it waited for a child that had not heard it"  # the drain ends after 25


def assert_handles_signals(server: Server) -> None:
    """Wait until Python has started and our handler is there: before that nobody can handle anything."""

    def handles() -> bool:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
        return bool(caught & (1 << (signal.SIGTERM - 1)))

    wait_for(handles)


def test_ctrl_c_stops_as_sigterm_does(start: Start) -> None:
    server = start()
    server.wait_until_ready()
    assert server.stop(signal.SIGINT) == 0


@pytest.mark.parametrize("child", ["nginx", "gunicorn"])
def test_a_dead_child_ends_the_server(start: Start, child: str) -> None:
    server = start()
    server.wait_until_ready()
    processes = list(server.children().values())
    os.kill(server.children()[child], signal.SIGKILL)
    assert server.process.wait(DEADLINE) == 4
    assert f"{child} ended by itself" in server.output()
    wait_for(lambda: not any(map(is_running, processes)))


def test_a_killed_worker_is_replaced(start: Start) -> None:
    server = start()
    server.wait_until_ready()
    os.kill(server.children()["gunicorn worker"], signal.SIGKILL)
    wait_for(lambda: server.invoke(["Hello!"]).status_code == 200)
    assert server.process.poll() is None


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        (lambda model: shutil.rmtree(model), "There is no model directory"),
        (lambda model: (model / "manifest.json").unlink(), "manifest.json"),
        (lambda model: (model / "tokenizer.model").unlink(), "tokenizer.model is missing"),
        (lambda model: damage(model / "tokenizer.model"), "tokenizer.model is damaged"),
        (lambda model: damage(model / "ctranslate2" / "model.bin"), "model.bin is damaged"),
        (lambda model: (model / "manifest.json").write_text("{"), "manifest.json is damaged"),
    ],
)
def test_a_damaged_model_is_refused_at_once(
    start: Start, base: Path, tmp_path: Path, break_it: Callable[[Path], object], named: str
) -> None:
    shutil.copytree(base / "model", tmp_path / "ml" / "model")
    break_it(tmp_path / "ml" / "model")
    server = start(tmp_path / "ml")
    assert server.process.wait(DEADLINE) == 2
    assert named in server.output()
    assert len(server.output().splitlines()) == 1


def test_a_model_that_breaks_after_the_check_ends_the_server(start: Start, base: Path, tmp_path: Path) -> None:
    shutil.copytree(base / "model", tmp_path / "ml" / "model")
    server = start(tmp_path / "ml")
    server.wait_until_ready()
    damage(tmp_path / "ml" / "model" / "ctranslate2" / "model.bin")
    assert server.invoke(["Hello!"]).status_code == 200  # what runs does not need the file
    os.kill(server.children()["gunicorn worker"], signal.SIGKILL)  # what replaces it does
    assert server.process.wait(DEADLINE) == 4
    assert "model.bin is damaged" in server.output()


def test_a_model_one_folder_too_deep_is_found(start: Start, base: Path, tmp_path: Path) -> None:
    shutil.copytree(base / "model", tmp_path / "ml" / "model" / "my-model")
    server = start(tmp_path / "ml")
    server.wait_until_ready()
    assert server.invoke(["Hello!"]).status_code == 200


def test_a_taken_port_is_named(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = start(SAGEMAKER_BIND_TO_PORT=port)
        assert server.process.wait(DEADLINE) == 4
    assert f"Port {port} cannot be used" in server.output()


def test_without_nginx_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="nginx is not installed: run `apt-get install"):
        find_nginx(str(tmp_path))


@pytest.mark.parametrize("value", ["0", "70000", "eight", "-1", "²"])
def test_a_bad_setting_is_named(start: Start, value: str) -> None:
    server = start(SAGEMAKER_BIND_TO_PORT=value)
    assert server.process.wait(DEADLINE) == 2
    assert "SAGEMAKER_BIND_TO_PORT" in server.output()


def test_the_body_limit_is_a_setting(start: Start) -> None:
    server = start(NMT_MAX_BODY_MB="1")
    server.wait_until_ready()
    response = server.invoke(b"a" * (2**20 + 1), "text/plain")
    assert response.status_code == 413
    assert "1 MB" in response.json()["error"]["message"]
