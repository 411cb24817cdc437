"""Starting, stopping and breaking the real server."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from benchmarks.ping import every_slot_taken, limits, ping
from container.errors import PlatformError
from serve.__main__ import SYSTEM_FOLDERS, find_nginx, run_folder, start_nginx, stop
from serve.settings import Settings
from tests.serve.server import DEADLINE, Server, free_port

NGINX_FOLDERS = os.pathsep.join((os.environ["PATH"], *SYSTEM_FOLDERS))
Start = Callable[..., Server]
LONG = "\n".join(["I see the dog."] * 1500)  # a second of work at the widest beam


def is_running(pid: int) -> bool:
    """Whether a process does anything: one that ended but was not yet collected by init does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def run_folders() -> set[Path]:
    return set(Path("/tmp").glob("nmt-serve-*"))


class Slow(threading.Thread):
    """A request that takes seconds, and its answer."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.answer = requests.Response()
        self.start()

    def run(self) -> None:
        body = {"instances": LONG.split("\n"), "parameters": {"beam_size": 16}}
        self.answer = self.server.invoke(body)
        while self.answer.status_code == 503:  # the only slot was taken by `wait_until_it_runs`
            self.answer = self.server.invoke(body)

    def wait_until_it_runs(self) -> None:
        """It holds the only slot of the server as soon as another request is refused."""
        end = time.monotonic() + DEADLINE
        while self.server.invoke(["Hello!"]).status_code == 200:
            assert time.monotonic() < end


def test_ping_is_503_until_a_sentence_was_decoded(start: Start) -> None:
    server = start()
    before = server.wait_until_ready()
    assert set(before) <= {None, 503}  # 503 where it was asked while loading; on a busy machine nobody may have


def test_nginx_without_the_application_answers_json_503() -> None:
    port = free_port()
    with run_folder() as folder:
        nginx = start_nginx(find_nginx(NGINX_FOLDERS), folder, Settings(port=port))
        try:
            response = eventually(lambda: requests.get(f"http://127.0.0.1:{port}/ping", timeout=5))
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


def test_sigterm_under_load_drains_and_exits_zero(start: Start) -> None:
    folders = run_folders()
    server = start(NMT_MAX_REQUESTS="1")
    server.wait_until_ready()
    slow = Slow(server)
    slow.wait_until_it_runs()
    processes = list(server.children().values())
    assert server.stop(signal.SIGTERM) == 0, server.output()
    slow.join(DEADLINE)
    assert slow.answer.status_code == 200
    assert len(slow.answer.json()["predictions"]) == 1500
    assert not [pid for pid in processes if is_running(pid)]
    assert run_folders() <= folders


def test_when_full_requests_are_told_to_come_back(start: Start) -> None:
    server = start(NMT_MAX_REQUESTS="1")
    server.wait_until_ready()
    slow = Slow(server)
    slow.wait_until_it_runs()
    refused = server.invoke(["Hello!"])
    assert slow.is_alive(), "the long request ended too early to say anything"
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["error"]["code"] == "overloaded"
    slow.join(DEADLINE)
    assert slow.answer.status_code == 200


def test_ping_is_answered_with_every_request_slot_taken(start: Start) -> None:
    slots = Settings().max_requests
    server = start(**limits(slots))
    server.wait_until_ready()
    with every_slot_taken(server.port, slots):  # fails unless one more request is refused, before and after
        for _ in range(20):
            ping(server.port)  # fails unless it is 200, within the 2 seconds that SageMaker gives it
    end = time.monotonic() + DEADLINE
    while server.invoke(["Hello!"]).status_code != 200:  # who hung up holds no slot
        assert time.monotonic() < end


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
def test_sigterm_while_starting_exits_zero(start: Start, delay: float) -> None:
    server = start()
    assert_handles_signals(server)
    time.sleep(delay)  # the point of the start that is tested, not a wait for anything
    started = time.monotonic()
    assert server.stop() == 0, server.output()
    assert time.monotonic() - started < 5


def assert_handles_signals(server: Server) -> None:
    """Wait until Python has started and our handler is there: before that nobody can handle anything."""
    end = time.monotonic() + DEADLINE
    while True:
        assert time.monotonic() < end
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
        if caught & (1 << (signal.SIGTERM - 1)):
            return


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
    assert server.process.wait(10) == 4
    assert f"{child} ended by itself" in server.output()
    assert not [pid for pid in processes if is_running(pid)]


def test_a_killed_worker_is_replaced(start: Start) -> None:
    server = start()
    server.wait_until_ready()
    os.kill(server.children()["gunicorn worker"], signal.SIGKILL)
    end = time.monotonic() + DEADLINE
    while server.invoke(["Hello!"]).status_code != 200:
        assert time.monotonic() < end
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
