"""An HTTP client that measures servers and uses little of the processor: one thread, keep-alive, N requests in flight.

    python -m benchmarks.serving.http_load --port 8080 --connections 32 --seconds 10 bodies.jsonl

Each line of the file is the body of one POST /invocations. The connections take the lines in turn. A connection sends
its next request when it has received the whole answer to the one before (a closed loop, as in wrk). Prints one JSON
object: see `Load`. The client runs in another process than the server, so that neither waits for the other's
interpreter. Both share the machine, so the result says which share of a core the client took.

A request that lies partly inside the measured time counts by that part: with many sentences in flight there are few
whole requests, and their answers come in waves. The measured time begins when every connection has had an answer. The
load goes on until every request that was sent within the measured time has its answer.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import ROOT

PATIENCE = 120.0  # seconds for the answers under way when time is up
BUFFER = 2**18
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Load:
    """The result of a run that measured for `seconds`. p50, p95, p99: milliseconds of whole requests.

    requests: the sum of the parts of requests that lie inside the measured time.
    failed: answers other than 200, and connections that broke. core: the share of one core that the client took.
    """

    requests: float
    failed: int
    seconds: float
    p50: float
    p95: float
    p99: float
    core: float


@dataclass
class Connection:
    """One keep-alive connection and the part of the current answer that has been received."""

    port: int
    sock: socket.socket = field(init=False)
    received: bytes = b""
    sent_at: float = 0.0

    def __post_init__(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        self.received, self.sent_at = b"", time.perf_counter()
        self.sock.sendall(request)

    def receive(self) -> tuple[bool, bool] | None:
        """(status is 200, connection stays open) once the answer is whole; None before."""
        try:
            data = self.sock.recv(BUFFER)
        except OSError:
            return False, False
        if not data:  # an answer without Content-Length ends with its connection
            head = self.received.partition(HEAD_END)[0].lower()
            return self.received[9:12] == b"200" and b"content-length" not in head, False
        self.received += data
        end = self.received.find(HEAD_END)
        if end < 0:
            return None
        head = self.received[:end].lower()
        at = head.find(b"content-length:")
        if at < 0 or len(self.received) < end + len(HEAD_END) + int(head[at + 15 :].split(b"\r\n", 1)[0]):
            return None
        return self.received[9:12] == b"200", b"connection: close" not in head


def measure(port: int, bodies: Sequence[bytes], connections: int, seconds: float, warm_up: float) -> Load:
    """Keep `connections` requests in flight and measure for `seconds`.

    The measured time begins after `warm_up` seconds, when each connection has had an answer: before that the server has
    less work than later.
    """
    requests = itertools.cycle([request_of(body) for body in bodies])
    poll = select.epoll()
    opened: dict[int, Connection] = {}
    for _ in range(connections):
        _start(port, poll, opened, next(requests))
    spans: list[tuple[float, float]] = []  # sent, answered
    failed, warm, begin, end = 0, time.perf_counter() + warm_up, math.inf, math.inf
    unanswered = set(opened)  # connections on their first request
    cpu: list[float] = []  # processor seconds at the begin and at the end of the measured time
    while opened:
        for number, _ in poll.poll(PATIENCE):
            connection = opened[number]
            if (outcome := connection.receive()) is None:
                continue
            now = time.perf_counter()
            unanswered.discard(number)
            if begin == math.inf and now >= warm and not unanswered:
                begin, end = now, now + seconds
            while now >= (begin, end, math.inf)[len(cpu)]:
                cpu.append(time.process_time())
            answered, stays = outcome
            if now >= begin and connection.sent_at < end:
                spans.append((connection.sent_at, now))
                failed += not answered
            # Requests go on while another connection still waits, so that the last answers are no faster.
            goes_on = now < end or any(each.sent_at < end for each in opened.values() if each is not connection)
            if stays and goes_on:
                connection.send(next(requests))
                continue
            del opened[number]
            poll.unregister(number)
            connection.sock.close()
            if goes_on:
                _start(port, poll, opened, next(requests))
    return _summary(spans, failed, begin, end, cpu)


def _start(port: int, poll: select.epoll, opened: dict[int, Connection], request: bytes) -> None:
    connection = Connection(port)
    opened[connection.sock.fileno()] = connection
    poll.register(connection.sock.fileno(), select.EPOLLIN)
    connection.send(request)


def request_of(body: bytes) -> bytes:
    """One HTTP/1.1 request for `body`."""
    head = "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}".encode() + HEAD_END + body


def _summary(spans: Sequence[tuple[float, float]], failed: int, begin: float, end: float, cpu: Sequence[float]) -> Load:
    inside = ((min(end, answered) - max(begin, sent)) / (answered - sent) for sent, answered in spans)
    ordered = sorted(answered - sent for sent, answered in spans)
    p50, p95, p99 = (1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 0.99))
    return Load(sum(inside), failed, end - begin, p50, p95, p99, (cpu[1] - cpu[0]) / (end - begin))


def bodies_of(sentences: Sequence[str], size: int, beam: int) -> Iterator[bytes]:
    """Request bodies with `size` sentences each and the beam size `beam`."""
    for start in range(0, len(sentences), size):
        instances = sentences[start : start + size]
        yield json.dumps({"instances": instances, "parameters": {"beam_size": beam}}, ensure_ascii=False).encode()


def in_second_process(
    port: int, bodies: Sequence[bytes], connections: int, seconds: float, folder: Path, warm_up: float = 1.0
) -> Load:
    """Run `measure` in another process, which reads the bodies from a file in `folder`."""
    file = folder / "bodies.jsonl"
    file.write_bytes(b"\n".join(bodies))
    numbers = {"port": port, "connections": connections, "seconds": seconds, "warm-up": warm_up}
    options = [f"--{name}={value}" for name, value in numbers.items()]
    command = [sys.executable, "-m", "benchmarks.serving.http_load", *options, str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd=ROOT)
    return Load(**json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bodies", type=Path, help="a file with one JSON body a line")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=1.0)
    given = parser.parse_args()
    bodies = given.bodies.read_bytes().split(b"\n")
    print(json.dumps(asdict(measure(given.port, bodies, given.connections, given.seconds, given.warm_up))))


if __name__ == "__main__":
    main()
