"""How long /ping takes while every request slot is taken and the engine is overloaded.

    python -m benchmarks.serving.ping MODEL_DIRECTORY [--slots 256] [--pings 200]

In each slot is a streamed document whose answer is not read to its end. Prints a Markdown table. SageMaker allows 2
seconds for /ping and 250 ms for the connection.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from benchmarks import ROOT
from benchmarks.processes import free_port, running

TIMEOUT = 60.0  # seconds, for a request that takes a slot
PING_TIMEOUT = 2.0  # seconds; SageMaker's
DOCUMENT = "I see the dog in the garden. " * 400
STREAM = json.dumps({"inputs": DOCUMENT, "parameters": {"stream": True, "beam_size": 8}}).encode()
JSON = {"Content-Type": "application/json"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model directory")
    parser.add_argument("--slots", type=int, default=256, help="NMT_MAX_REQUESTS of the server")
    parser.add_argument("--pings", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base, port = Path(scratch), free_port()
        (base / "model").symlink_to(given.model.resolve())
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {"SAGEMAKER_BASE_DIR": scratch, "SAGEMAKER_BIND_TO_PORT": str(port), "PATH": path}
        command = [str(ROOT / "container" / "bin" / "serve")]
        with running(command, environment | limits(given.slots), port, base / "log"):
            idle = sorted(ping(port) for _ in range(given.pings))
            with every_slot_taken(port, given.slots):
                full = sorted(ping(port) for _ in range(given.pings))
    print("| slots taken | pings | median ms | slowest ms |\n|---|---|---|---|")
    for taken, seconds in ((0, idle), (given.slots, full)):
        print(f"| {taken} | {len(seconds)} | {1000 * seconds[len(seconds) // 2]:.1f} | {1000 * seconds[-1]:.1f} |")


def limits(slots: int) -> dict[str, str]:
    """The environment of a server that may stream this many documents at the same time."""
    return {"NMT_MAX_REQUESTS": str(slots), "NMT_MAX_WAITING": str(1_000_000)}


@contextmanager
def every_slot_taken(port: int, slots: int) -> Iterator[None]:
    """Take all request slots of a server. Raises RuntimeError unless it refuses one more request, before and after."""
    with ExitStack() as held:
        streams = [held.enter_context(closing(_connect(port, TIMEOUT))) for _ in range(slots)]
        for stream in streams:
            stream.request("POST", "/invocations", STREAM, JSON)
        for stream in streams:
            response = held.enter_context(closing(stream.getresponse()))
            if response.status != 200:
                raise RuntimeError(f"a document was answered by {response.status}: {response.read(500)!r}")
        _check_refused(port)
        yield
        _check_refused(port)


def _check_refused(port: int) -> None:
    with closing(_connect(port, TIMEOUT)) as connection:
        connection.request("POST", "/invocations", b'["Hello!"]', JSON)
        if (status := connection.getresponse().status) != 503:
            raise RuntimeError(f"not every slot is taken: one more request was answered by {status}")


def ping(port: int) -> float:
    """Seconds of one GET /ping on a new connection. Raises RuntimeError unless the answer is 200."""
    began = time.perf_counter()
    with closing(_connect(port, PING_TIMEOUT)) as connection:
        connection.request("GET", "/ping")
        if (status := connection.getresponse().status) != 200:
            raise RuntimeError(f"/ping answered {status}")
    return time.perf_counter() - began


def _connect(port: int, timeout: float) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)


if __name__ == "__main__":
    main()
