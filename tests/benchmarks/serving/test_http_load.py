"""The client that measures servers, tried on a server that records its requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.serving.http_load import _summary, in_second_process


class Server(ThreadingHTTPServer):
    """Answers the body `fail` with 500 and all others with 200; closes the connection after the body `close`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        self.send_response(500 if body == b"fail" else 200)
        self.send_header("Content-Length", "2")
        if body == b"close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        serving = threading.Thread(target=running.serve_forever)
        serving.start()
        yield running
        running.shutdown()
        serving.join()


def test_every_body_is_sent_in_turn_and_failures_are_counted(server: Server, tmp_path: Path) -> None:
    port = server.server_address[1]
    load = in_second_process(port, [b"a", b"fail", b"close", b"b"], 1, seconds=0.5, folder=tmp_path, warm_up=0.0)
    assert len(server.bodies) >= 8
    assert server.bodies == ([b"a", b"fail", b"close", b"b"] * len(server.bodies))[: len(server.bodies)]
    assert server.bodies.count(b"fail") - 1 <= load.failed <= server.bodies.count(b"fail")
    assert len(server.bodies) - 2 <= load.requests < len(server.bodies)  # without the first and the last
    assert 0 < load.p50 <= load.p95 <= load.p99
    assert 0 < load.core <= 1


def test_a_request_counts_by_its_part_inside() -> None:
    spans = [(0.0, 4.0), (1.5, 1.75), (1.75, 2.25)]  # a quarter, a whole, a half
    load = _summary(spans, 0, 1.0, 2.0, [0.0, 0.5])
    assert load.requests == pytest.approx(0.25 + 1 + 0.5)
    assert (load.p50, load.p99, load.core) == (500.0, 4000.0, 0.5)
