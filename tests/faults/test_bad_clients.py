"""Clients that send too much, too slowly, too little, or never read: everyone else is answered meanwhile."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.faults.load import SENTENCE, InFlight, answered, ask, connect, hang_up, head, read_all, taken, until
from tests.serve.gate import HELD, Gate
from tests.serve.server import DEADLINE, Server, start_server, wait_for

Start = Callable[..., Server]
HELLO = b'["Hello!"]'


@pytest.fixture(scope="module")
def narrow_gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """The gate before the engine of the server `narrow`."""
    return Gate(tmp_path_factory.mktemp("gate"))


@pytest.fixture(scope="module")
def narrow(base: Path, narrow_gate: Gate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a single request slot: whoever holds it shuts everyone else out."""
    log = tmp_path_factory.mktemp("narrow") / "serve.log"
    running = start_server(base, log, NMT_MAX_REQUESTS="1", **narrow_gate.environment)
    running.wait_until_ready()
    yield running
    assert running.stop() == 0, running.output()
    assert running.output().count('"level": "error"') == 0, running.output()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_full_queue_refuses_and_recovers(start: Start, gate: Gate) -> None:
    server = start(NMT_MAX_WAITING="100", NMT_BATCH_TOKENS="1", **gate.environment)
    server.wait_until_ready()
    in_engine = 2 + 2 * (os.cpu_count() or 1)  # a sentence each is more than its threads take
    with gate.shut():
        flight = InFlight(server, requests_=1, sentences=in_engine + 100)
        with ThreadPoolExecutor(64) as pool:
            refused = list(pool.map(lambda _: ask(server), range(128)))
        assert server.ping() == 200
    assert {(outcome.status, outcome.code, outcome.retry_after) for outcome in refused} == {(503, "overloaded", "1")}
    assert [outcome.status for outcome in flight.outcomes()] == [200]
    assert ask(server).status == 200
    assert server.waiting() == 0


def test_one_byte_a_second_takes_no_slot(narrow: Server) -> None:
    slow = [connect(narrow) for _ in range(20)]
    body = b'"a"'
    for connection in slow:
        connection.sendall(head(len(body)))
    for byte in body[:-1]:
        for connection in slow:
            connection.sendall(bytes([byte]))
        assert ask(narrow).status == 200
        time.sleep(1)  # the fault itself
    for connection in slow:  # one after the other, as there is one slot
        connection.sendall(body[-1:])
        assert status_of(read_all(connection)) == 200


def test_a_head_that_never_ends_is_hung_up_on(narrow: Server) -> None:
    """nginx waits ten seconds for a request's head, and keeps everyone else going."""
    with connect(narrow) as connection:
        connection.sendall(b"POST /invocations HTTP/1.1\r\n")
        answer: list[bytes] = []
        reader = threading.Thread(target=lambda: answer.append(read_all(connection)))
        reader.start()
        asked = 0
        while reader.is_alive():
            assert ask(narrow).status == 200
            asked += 1
        assert asked > 1
        assert answer[0] == b"" or status_of(answer[0]) == 408


def test_an_answer_that_is_never_read_takes_no_slot(narrow: Server) -> None:
    """The answer is some megabytes, more than sockets hold: nginx takes it from the application all the same."""
    body = json.dumps([" " * 20] * 150_000).encode()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", narrow.port))
        before = taken(narrow)
        deaf.sendall(head(len(body)) + body)
        wait_for(lambda: taken(narrow) > before)  # the application is done with it
        until(narrow, answered, 15)  # nginx gives the client itself up after 30 seconds


def test_a_stream_that_is_never_read_ends_and_gives_its_slot_back(narrow: Server) -> None:
    """A stream passes nginx's buffers by, so its slot is held until nginx has waited 30 seconds for the client."""
    request = {"instances": ["<a> " * 2000] * 600, "parameters": {"stream": True, "beam_size": 1}}
    body = json.dumps(request).encode()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", narrow.port))
        before = taken(narrow)
        deaf.sendall(head(len(body)) + body)
        wait_for(lambda: taken(narrow) > before)  # its first line is out
        assert ask(narrow).status == 503
        until(narrow, answered, 30 + DEADLINE)


@pytest.mark.parametrize("sent", [0, 1, 5])
def test_a_client_that_drops_in_the_middle_of_its_body_leaves_nothing_behind(narrow: Server, sent: int) -> None:
    for _ in range(50):
        connection = connect(narrow)
        connection.sendall(head(len(HELLO)) + HELLO[:sent])
        hang_up(connection)
    assert ask(narrow).status == 200


def test_a_client_that_drops_before_its_answer_gives_its_slot_back(narrow: Server, narrow_gate: Gate) -> None:
    body = json.dumps({"instances": [HELD] * 100}).encode()
    with narrow_gate.shut():
        before = narrow.accepted()
        connection = connect(narrow)
        connection.sendall(head(len(body)) + body)
        wait_for(lambda: narrow.accepted() - before >= 100)
        assert ask(narrow).status == 503
        hang_up(connection)
    until(narrow, answered)
    assert narrow.waiting() == 0


def test_a_thousand_open_connections_that_say_nothing(narrow: Server) -> None:
    idle = [connect(narrow) for _ in range(1000)]
    assert ask(narrow).status == 200
    assert narrow.ping() == 200
    for connection in idle:
        connection.close()


# ---- bodies of every size ------------------------------------------------------------------------------------

LIMIT = 25 * 2**20


def sizes(limit: int) -> list[int]:
    """The limit and every power of two below it, each with its neighbours."""
    edges = [2**power for power in range(4, 26) if 2**power < limit]
    return [size + step for size in (*edges, limit) for step in (-1, 0, 1) if size + step <= limit]


def test_bodies_of_every_size_up_to_the_limit(narrow: Server) -> None:
    plain = narrow.invoke(HELLO).json()
    for size in sizes(LIMIT):
        answer = narrow.invoke(HELLO + b" " * (size - len(HELLO)))
        assert (answer.status_code, answer.json()) == (200, plain), size


def test_texts_of_every_size(narrow: Server) -> None:
    """Real text, to be translated: as many lines come back as went in."""
    for size in sizes(2**17):
        text = (f"{SENTENCE} {SENTENCE}\n" * (size // 29 + 1))[:size].encode()
        answer = narrow.invoke(text, "text/plain")
        assert answer.status_code == 200, (size, answer.text[:200])
        assert answer.text.count("\n") == text.count(b"\n"), size


@pytest.mark.parametrize("size", [LIMIT + 1, 2 * LIMIT])
def test_a_body_past_the_limit_is_a_413(narrow: Server, size: int) -> None:
    response = requests.post(f"{narrow.url}/invocations", data=HELLO + b" " * (size - len(HELLO)), timeout=DEADLINE)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "payload_too_large"
