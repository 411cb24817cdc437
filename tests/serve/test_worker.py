"""Connections to the application: kept, left alone for a while, with requests sent ahead, at the end of the worker."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serve.worker import LINGER_MS, AnswerSocket
from tests.serve.server import DEADLINE, Server

BODY = json.dumps({"instances": ["Hello!"]}).encode()
REQUEST = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over gunicorn's own socket, past nginx."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(self._path)


def gunicorn_socket(server: Server) -> Path:
    """Where the server's nginx finds gunicorn: below the folder that its title names."""
    title = Path(f"/proc/{server.children()['nginx']}/cmdline").read_text().split()
    return Path(title[title.index("-p") + 1]) / "gunicorn.sock"


def ask(connection: http.client.HTTPConnection) -> int:
    connection.request("POST", "/invocations", BODY, {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert len(json.loads(response.read())["predictions"]) == 1
    return response.status


def test_one_connection_serves_at_once_and_after_a_rest(server: Server) -> None:
    connection = UnixConnection(gunicorn_socket(server))
    assert [ask(connection) for _ in range(20)] == [200] * 20
    kept = connection.sock
    time.sleep(3 * LINGER_MS / 1000)  # the thread has given it back to the main thread
    assert ask(connection) == 200
    assert connection.sock is kept


def test_requests_sent_ahead_are_all_answered(server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as ahead:
        ahead.settimeout(DEADLINE)
        ahead.connect(str(gunicorn_socket(server)))
        ahead.sendall(3 * (REQUEST % (len(BODY), BODY)))
        received = b""
        while received.count(b"HTTP/1.1 200") < 3 or not received.endswith(b"]}"):
            received += ahead.recv(65536)


def test_open_connections_do_not_hold_up_the_end(start: Callable[..., Server]) -> None:
    server = start()
    server.wait_until_ready()
    connections = [UnixConnection(gunicorn_socket(server)) for _ in range(8)]
    assert [ask(connection) for connection in connections] == [200] * 8
    began = time.monotonic()
    assert server.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 20  # not gunicorn's graceful timeout of 25


def test_an_answer_comes_in_one_piece(server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(str(gunicorn_socket(server)))
        for _ in range(50):
            connection.sendall(REQUEST % (len(BODY), BODY))
            assert connection.recv(65536).endswith(b"]}")  # a head by itself would be read before its body is there


def test_a_head_without_a_body_is_sent(server: Server) -> None:
    connection = UnixConnection(gunicorn_socket(server))
    for method in ("GET", "HEAD", "GET"):
        connection.request(method, "/ping")
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")


def test_what_gunicorn_itself_refuses_is_answered(server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(str(gunicorn_socket(server)))
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: /elsewhere\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 500")


# ---- the socket by itself ------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[tuple[AnswerSocket, socket.socket]]:
    """The server's end of a connection, and the client's, which does not wait."""
    accepted, client = socket.socketpair()
    accepted.setblocking(False)
    client.setblocking(False)
    with AnswerSocket.of(accepted) as answers, client:
        assert accepted.fileno() == -1
        assert answers.gettimeout() == 0.0
        yield answers, client


def test_the_head_waits_for_the_body(pair: tuple[AnswerSocket, socket.socket]) -> None:
    answers, client = pair
    for _ in range(2):
        with answers.head_with_body():
            answers.sendall(b"head ")
            with pytest.raises(BlockingIOError):
                client.recv(100)
            answers.sendall(b"body")
            assert client.recv(100) == b"head body"
            answers.sendall(b" more")
            assert client.recv(100) == b" more"
        with pytest.raises(BlockingIOError):
            client.recv(100)


def test_a_head_that_was_given_up_is_never_sent(pair: tuple[AnswerSocket, socket.socket]) -> None:
    answers, client = pair
    with pytest.raises(RuntimeError), answers.head_with_body():
        answers.sendall(b"of an answer that failed")
        raise RuntimeError
    with answers.head_with_body():
        answers.sendall(b"of the next")
    assert client.recv(100) == b"of the next"


def test_after_a_failure_before_the_head_nothing_waits(pair: tuple[AnswerSocket, socket.socket]) -> None:
    answers, client = pair
    with pytest.raises(RuntimeError), answers.head_with_body():
        raise RuntimeError
    answers.sendall(b"refused")
    assert client.recv(100) == b"refused"


def test_a_file_goes_behind_the_head(pair: tuple[AnswerSocket, socket.socket], tmp_path: Path) -> None:
    answers, client = pair
    answers.setblocking(True)
    (tmp_path / "page").write_bytes(b"body of a file")
    with answers.head_with_body():
        answers.sendall(b"head ")
        with (tmp_path / "page").open("rb") as file:
            answers.sendfile(file, 0, 4)
    assert client.recv(100) == b"head body"
