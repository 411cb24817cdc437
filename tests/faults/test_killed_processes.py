"""Processes killed, and told to end, while requests are in flight."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from serve.__main__ import DRAIN_SECONDS
from tests.faults.load import SENTENCE, Crowd, InFlight, answered, ask, in_proportion, until
from tests.serve.gate import HELD, Gate
from tests.serve.server import DEADLINE, Server, state, wait_for

Start = Callable[..., Server]


def test_a_killed_worker_fails_what_it_had_and_is_replaced(start: Start, gate: Gate) -> None:
    """Requests in flight get a JSON 503 within a second; the next one is answered within two."""
    server = start(**gate.environment)
    server.wait_until_ready()
    with gate.shut():
        flight = InFlight(server, requests_=8, sentences=100)
        killed = time.monotonic()
        os.kill(server.children()["gunicorn worker"], signal.SIGKILL)
        outcomes = flight.outcomes()
    until(server, answered, killed + in_proportion(server, 2) - time.monotonic())
    for outcome in outcomes:
        assert (outcome.status, outcome.code, outcome.retry_after) == (503, "unavailable", "1")
        assert outcome.ended - killed < in_proportion(server, 1)
    assert server.stop() == 0


def test_a_crowd_hears_nothing_but_answers_and_503_while_the_worker_is_replaced(start: Start) -> None:
    server = start()
    server.wait_until_ready()
    crowd = Crowd(server, clients=16)
    for _ in range(2):
        crowd.wait_for(100)
        os.kill(server.children()["gunicorn worker"], signal.SIGKILL)
    crowd.wait_for(100)
    outcomes = crowd.stop()
    assert {outcome.status for outcome in outcomes} <= {200, 503}  # an answer goes out as one, so none is cut off
    assert {outcome.code for outcome in outcomes if outcome.status == 503} <= {"unavailable", "overloaded"}


def test_a_stream_cut_off_by_a_killed_worker_ends_without_its_last_line(start: Start, gate: Gate) -> None:
    server = start(**gate.environment)
    server.wait_until_ready()
    body: dict[str, Any] = {"instances": [SENTENCE, HELD], "parameters": {"stream": True}}
    with gate.shut():
        response = requests.post(f"{server.url}/invocations", json=body, stream=True, timeout=DEADLINE)
        lines = response.iter_lines()
        assert json.loads(next(lines))["index"] == 0
        os.kill(server.children()["gunicorn worker"], signal.SIGKILL)
        heard: list[bytes] = []
        with contextlib.suppress(requests.exceptions.ChunkedEncodingError):  # what most clients make of it
            heard.extend(lines)
    assert heard == []


def test_killed_nginx_ends_the_server_and_hangs_nobody(start: Start, gate: Gate) -> None:
    server = start(**gate.environment)
    server.wait_until_ready()
    with gate.shut():
        flight = InFlight(server, requests_=4, sentences=100)
        killed = time.monotonic()
        os.kill(server.children()["nginx"], signal.SIGKILL)
        assert server.process.wait(DEADLINE) == 4  # SageMaker starts the container again
        # nginx's worker outlives it for as long as the application is given: 3 seconds
        assert {outcome.status for outcome in flight.outcomes()} <= {0, 503}
    assert time.monotonic() - killed < DRAIN_SECONDS, "it waited for answers that nobody can be given"


def test_a_killed_nginx_worker_is_replaced(start: Start, gate: Gate) -> None:
    server = start(**gate.environment)
    server.wait_until_ready()
    with gate.shut():
        flight = InFlight(server, requests_=4, sentences=100)
        os.kill(server.children()["nginx worker"], signal.SIGKILL)
        assert {outcome.status for outcome in flight.outcomes()} == {0}  # their connections died with it
    until(server, answered)
    assert server.stop() == 0


def refuses(server: Server) -> bool:
    """Whether the server takes no more requests."""
    return server.ping() != 200


def test_sigterm_under_load_answers_all_that_was_accepted(start: Start, gate: Gate) -> None:
    server = start(**gate.environment)
    server.wait_until_ready()
    with gate.shut():
        flight = InFlight(server, requests_=8, sentences=100)
        crowd = Crowd(server, clients=8)
        told = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: refuses(server))
    assert server.process.wait(DEADLINE) == 0, server.output()
    gone = time.monotonic()
    assert [outcome.status for outcome in flight.outcomes()] == [200] * 8
    assert all(len(answer.result().body["predictions"]) == 100 for answer in flight.answers)
    outcomes = crowd.stop()
    assert {outcome.status for outcome in outcomes} <= {0, 200, 503}
    cut = [outcome for outcome in outcomes if outcome.status == 0 and outcome.started < told]
    assert not cut, "a request from before SIGTERM was cut off"
    assert gone - told < 28


def test_sigterm_sent_again_and_again_changes_nothing(start: Start, gate: Gate) -> None:
    server = start(**gate.environment)
    server.wait_until_ready()
    with gate.shut():
        flight = InFlight(server, requests_=2, sentences=100)
        for _ in range(20):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.05)  # a nervous operator, not a wait for anything
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(server.process.wait, DEADLINE)
        while not ended.done():
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
    assert ended.result() == 0
    assert [outcome.status for outcome in flight.outcomes()] == [200, 200]


def test_a_stopped_worker_is_noticed_by_ping(start: Start) -> None:
    """A worker that does not run (SIGSTOP) accepts nothing: /ping has no answer, then the worker goes on."""
    server = start()
    server.wait_until_ready()
    worker = server.children()["gunicorn worker"]
    os.kill(worker, signal.SIGSTOP)
    wait_for(lambda: state(worker) == "T")
    try:
        requests.get(f"{server.url}/ping", timeout=1)
        raise AssertionError("a stopped worker answered")
    except requests.ReadTimeout:
        pass
    finally:
        os.kill(worker, signal.SIGCONT)
    assert ask(server).status == 200
