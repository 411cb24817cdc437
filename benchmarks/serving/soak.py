"""Mixed load for a long time: does every request succeed, and do memory and the 99th percentile of times stay equal?

    python -m benchmarks.serving.soak [--minutes 15] [--model DIR] [--data PATH.tsv] [--keep FILE]

Starts `serve`, measures how many requests of the mix in `traffic.py` it can answer a second, then sends 80 % of that.
Each request has a time at which it is due, whether earlier ones are answered or not, and its duration counts from that
time. A request has failed if its status is wrong, its answer is not whole, or its connection broke. Prints Markdown and
writes it to FILE. The exit code is 1 if a request failed or memory grew by more than 5 %.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.processes import Running, free_port, running
from benchmarks.serving.speed import base_folder, machine, model_of, sentences_of
from benchmarks.serving.traffic import Call, Traffic

CLIENTS = 32
SHARE = 0.8  # of the capacity
CAPACITY_SECONDS = 10.0
SETTLE = 0.4  # share of the time, at most a minute, in which caches and thread stacks fill; memory counts after it
MEMORY_SECONDS = 2.0  # between two measurements of memory
FLAT = 0.05  # largest growth of memory that counts as none
PATIENCE = 60.0


@dataclass(frozen=True)
class Answered:
    """One request: its kind, when it was due and how long it took (seconds), and what was wrong."""

    kind: str
    due: float
    seconds: float
    failure: str | None


@dataclass(frozen=True)
class Soak:
    """The result of a run. `memory` has (seconds since the start, MB of all processes of the server)."""

    rate: float  # requests a second
    seconds: float
    answered: list[Answered]
    memory: list[tuple[float, float]]

    @property
    def failures(self) -> Counter[str]:
        return Counter(f"{each.kind}: {each.failure}" for each in self.answered if each.failure)

    @property
    def growth(self) -> float:
        """Growth of memory from the first to the last third of the time after `SETTLE`; 0.01 is 1 %."""
        settled = min(60.0, SETTLE * self.seconds)
        third = (self.seconds - settled) / 3
        early = [mb for at, mb in self.memory if settled <= at < settled + third]
        late = [mb for at, mb in self.memory if at >= self.seconds - third]
        return statistics.mean(late) / statistics.mean(early) - 1


def soak(model: Path, sentences: Sequence[str], minutes: float, folder: Path) -> Soak:
    """Start `serve` with `model`, send load for `minutes`, stop it; logs go to `folder`."""
    port = free_port()
    with base_folder(model) as base:
        environment = {"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": str(port)}
        with running((sys.executable, "-m", "serve"), environment, port, folder / "server.log") as server:
            rate = SHARE * capacity(port, sentences)
            return load(server, sentences, rate, 60 * minutes)


def capacity(port: int, sentences: Sequence[str]) -> float:
    """Requests of the mix that are answered a second while every client always waits for one."""
    end = time.monotonic() + CAPACITY_SECONDS

    def work(number: int) -> int:
        traffic, client, done = Traffic(sentences, number), Client(port), 0
        while time.monotonic() < end:
            client.send(traffic.draw(), time.monotonic())
            done += 1
        return done

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(work, range(CLIENTS))) / CAPACITY_SECONDS


def load(server: Running, sentences: Sequence[str], rate: float, seconds: float) -> Soak:
    """Send `rate` requests a second for `seconds`."""
    began, numbers, lock = time.monotonic(), iter(range(int(rate * seconds))), threading.Lock()
    over = threading.Event()
    memory: list[tuple[float, float]] = []

    def measure_memory() -> None:
        while not over.wait(MEMORY_SECONDS):
            memory.append((time.monotonic() - began, server.memory_mb()))

    def work(client_number: int) -> list[Answered]:
        traffic, client = Traffic(sentences, 1000 + client_number), Client(server.port)
        answered: list[Answered] = []
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return answered
            due = began + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            answered.append(client.send(traffic.draw(), due))

    memory_thread = threading.Thread(target=measure_memory)
    memory_thread.start()
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            answered = [each for of_one in pool.map(work, range(CLIENTS)) for each in of_one]
    finally:
        over.set()
        memory_thread.join()
    return Soak(rate, time.monotonic() - began, [_since(each, began) for each in answered], memory)


def _since(answered: Answered, began: float) -> Answered:
    return Answered(answered.kind, answered.due - began, answered.seconds, answered.failure)


class Client:
    """One keep-alive connection. A connection that breaks counts as a failure and is opened again."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def send(self, call: Call, due: float) -> Answered:
        headers = {"Content-Type": call.media, **call.headers}
        failure = None
        try:
            self._connection.request("POST", "/invocations", call.body, headers)
            response = self._connection.getresponse()
            body = response.read()
            if response.status != call.status:
                failure = f"status {response.status} in place of {call.status}"
            elif not call.whole(body):
                failure = "an answer that is not whole"
        except (OSError, http.client.HTTPException) as error:
            failure = type(error).__name__
            self._connection.close()
        return Answered(call.kind, due, time.monotonic() - due, failure)


# ---- printing ------------------------------------------------------------------------------------------


def lines_of(result: Soak) -> Iterator[str]:
    """The result as Markdown tables."""
    total, failed = len(result.answered), result.failures.total()
    yield "| minutes | requests | a second | failed | memory, MB: least, most | growth |"
    yield "|---|---|---|---|---|---|"
    weights = [mb for at, mb in result.memory if at >= min(60.0, SETTLE * result.seconds)]
    scale = f"{min(weights):.0f}, {max(weights):.0f} | {result.growth:+.1%}"
    yield f"| {result.seconds / 60:.1f} | {total:,} | {result.rate:.1f} | {failed} | {scale} |"
    yield ""
    yield "| part of the time | p50 ms | p95 ms | p99 ms |"
    yield "|---|---|---|---|"
    for part, name in enumerate(("first third", "second third", "last third")):
        low, high = part * result.seconds / 3, (part + 1) * result.seconds / 3
        took = [1000 * each.seconds for each in result.answered if low <= each.due < high]
        cuts = statistics.quantiles(took, n=100)
        yield f"| {name} | {cuts[49]:.0f} | {cuts[94]:.0f} | {cuts[98]:.0f} |"
    yield ""
    yield "| kind | requests | failed |"
    yield "|---|---|---|"
    kinds, broken = (
        Counter(each.kind for each in result.answered),
        Counter(e.kind for e in result.answered if e.failure),
    )
    for kind, count in kinds.most_common():
        yield f"| {kind} | {count:,} | {broken[kind]} |"
    for failure, count in result.failures.most_common():
        yield f"\n{count} times {failure}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--model", type=Path, help="a model directory; data/pretrained/model, else that of `make demo`")
    parser.add_argument("--data", type=Path, help="a TSV of sentence pairs; the embedded sample when not given")
    parser.add_argument("--keep", type=Path, help="a file to write the result to")
    given = parser.parse_args()
    model = model_of(parser, given.model)
    with tempfile.TemporaryDirectory() as folder:
        result = soak(model, sentences_of(given.data), given.minutes, Path(folder))
    head = f"`python -m benchmarks.serving.soak --minutes {given.minutes:g}`, {datetime.now(UTC):%Y-%m-%d}. "
    text = "\n".join([head + machine(model, given.data), "", *lines_of(result)]) + "\n"
    print(text, end="")
    if given.keep:
        given.keep.write_text(text)
    return int(bool(result.failures) or result.growth > FLAT)


if __name__ == "__main__":
    sys.exit(main())
