"""An economical HTTP client for measuring servers: one process, one thread, keep-alive, N requests in flight.

    python -m benchmarks.http_load --port 8080 --connections 32 --seconds 10 bodies.jsonl

Each line of the file is the body of one POST /invocations; the connections go through them in turn, each
sending its next request when the answer to its last is there (a closed loop, as wrk's). Prints one JSON
object: see `Load`. A process of its own, so that the server's interpreter never waits for the client's; the
share of a core that it takes is part of the result, because client and server share the machine.

A request that lies partly outside the measured time counts by its part inside: where many sentences are in flight,
whole requests would be few, and come in waves. So the measured time begins once every connection has been answered,
and the load goes on until all that it holds is.
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

PATIENCE = 120.0  # seconds for the answers under way when time is up
BUFFER = 2**18
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Load:
    """What a run saw of the requests in flight in the measured time, `seconds`; milliseconds are those of whole ones.

    requests: by the part of each that lies inside. failed: answers other than 200 and connections that broke.
    core: share of one core that the client took.
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
    """One keep-alive connection and what has come back of the answer under way."""

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
        """(answered 200, connection stays) when the answer is whole, None while it is not."""
        try:
            data = self.sock.recv(BUFFER)
        except OSError:
            return False, False
        if not data:  # without a length, the end of the connection is the end of the answer
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
    """Keep `connections` requests in flight, `seconds` of them measured.

    Those begin after `warm_up` seconds, and not before each connection has had an answer: until then the first requests
    share the server with less work than there is to come.
    """
    requests = itertools.cycle([request_of(body) for body in bodies])
    poll = select.epoll()
    opened: dict[int, Connection] = {}
    for _ in range(connections):
        _start(port, poll, opened, next(requests))
    spans: list[tuple[float, float]] = []  # sent, answered
    failed, warm, begin, end = 0, time.perf_counter() + warm_up, math.inf, math.inf
    unanswered = set(opened)  # connections on their first request
    cpu: list[float] = []  # when the measured time begins and when it is over
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
            # Afterwards it goes on as long as another answer is awaited, so that the last ones come no faster.
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
    """Bodies of `size` sentences each, decoded with `beam`."""
    for start in range(0, len(sentences), size):
        instances = sentences[start : start + size]
        yield json.dumps({"instances": instances, "parameters": {"beam_size": beam}}, ensure_ascii=False).encode()


def in_second_process(
    port: int, bodies: Sequence[bytes], connections: int, seconds: float, folder: Path, warm_up: float = 1.0
) -> Load:
    """`measure`, in a process of its own; the bodies travel by a file in `folder`."""
    file = folder / "bodies.jsonl"
    file.write_bytes(b"\n".join(bodies))
    numbers = {"port": port, "connections": connections, "seconds": seconds, "warm-up": warm_up}
    options = [f"--{name}={value}" for name, value in numbers.items()]
    command = [sys.executable, "-m", "benchmarks.http_load", *options, str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd=Path(__file__).parent.parent)
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
