"""Clients for a server that is about to break: raw sockets that misbehave, and a crowd that notes every answer."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests

from tests.serve.gate import HELD
from tests.serve.server import DEADLINE, Server, wait_for

SENTENCE = "I see the dog."
WORK = {"parameters": {"beam_size": 16}}  # the slowest that may be asked for
READY_SECONDS = 1.5  # from the start of the server to its first 200, as measured in benchmarks/RESULTS.md


@dataclass(frozen=True)
class Outcome:
    """What one request came to: its status and JSON body, or 0 when the connection broke before its end."""

    status: int
    body: Any
    started: float  # of time.monotonic
    ended: float
    retry_after: str | None = None

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.body["error"]["code"])


def ask(server: Server, sentences: int = 1, sentence: str = SENTENCE) -> Outcome:
    """Translate `sentences` sentences at the widest beam; every answer must be JSON, and come within the deadline."""
    started = time.monotonic()
    try:
        answer = server.invoke({"instances": [sentence] * sentences, **WORK})
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return Outcome(0, None, started, time.monotonic())
    retry_after = answer.headers.get("Retry-After")
    return Outcome(answer.status_code, answer.json(), started, time.monotonic(), retry_after)


def until(server: Server, wanted: Callable[[Outcome], bool], seconds: float = DEADLINE) -> Outcome:
    """Ask again and again until an outcome is `wanted`, for `seconds` at most."""
    end = time.monotonic() + seconds
    while not wanted(outcome := ask(server)):
        assert time.monotonic() < end, outcome
    return outcome


def answered(outcome: Outcome) -> bool:
    return outcome.status == 200


def in_proportion(server: Server, seconds: float) -> float:
    """A limit in seconds of the machine that was measured on: more, where the server took longer to start."""
    return seconds * max(1.0, 2 * server.start_seconds / READY_SECONDS)


class InFlight:
    """Requests that have all been accepted, and of which none is answered before the gate opens: make it when shut."""

    def __init__(self, server: Server, requests_: int, sentences: int) -> None:
        self._pool = ThreadPoolExecutor(requests_)
        before = server.accepted()
        self.answers: list[Future[Outcome]] = [
            self._pool.submit(ask, server, sentences, HELD) for _ in range(requests_)
        ]
        wait_for(lambda: server.accepted() - before >= requests_ * sentences)

    def done(self) -> bool:
        return all(answer.done() for answer in self.answers)

    def outcomes(self) -> list[Outcome]:
        """What became of them, once all have come to something."""
        found = [answer.result(2 * DEADLINE) for answer in self.answers]
        self._pool.shutdown()
        return found


def taken(server: Server) -> int:
    """Requests to translate that the application has answered well; a stream counts from its first line."""
    return int(server.metric('nmt_requests_total{route="/invocations",status="200"}'))


class Crowd:
    """Clients that ask without a pause until told to stop; each answer is kept."""

    def __init__(self, server: Server, clients: int) -> None:
        self.outcomes: list[Outcome] = []
        self._server = server
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            outcome = ask(self._server)
            self.outcomes.append(outcome)
            if outcome.status == 0:
                self._stop.wait(0.01)  # nobody listens: no use in spinning

    def wait_for(self, answers: int) -> None:
        """Wait for so many more answers with status 200."""
        wanted = self._good() + answers
        wait_for(lambda: self._good() >= wanted)

    def _good(self) -> int:
        return sum(outcome.status == 200 for outcome in tuple(self.outcomes))

    def stop(self) -> list[Outcome]:
        """Stop all clients, once what each has asked for has come to something."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * DEADLINE)
            assert not thread.is_alive(), "a request hangs"
        return self.outcomes


# ---- clients that misbehave ----------------------------------------------------------------------------------


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)


def head(length: int, media: str = "application/json") -> bytes:
    """The head of a POST /invocations with a body of `length` bytes."""
    lines = ("POST /invocations HTTP/1.1", "Host: test", f"Content-Type: {media}", f"Content-Length: {length}")
    return "\r\n".join((*lines, "Connection: close", "", "")).encode()


def hang_up(connection: socket.socket) -> None:
    """Close with a reset, as a client does whose machine has gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes; nothing when it resets the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
