"""The real server (container/bin/serve, with nginx and gunicorn) on one model, and a client that waits for it."""

from __future__ import annotations

import http.client
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, free_port, running

BATCH = 32  # texts a request
TIMEOUT = 600.0  # seconds for one request
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """The translation of one text, and its warning if it has one."""

    text: str
    warning: str | None


@dataclass(frozen=True)
class Response:
    """An answer of the server as it came."""

    status: int
    body: str


class ServerError(Exception):
    """The server did not answer, or refused a request that it must accept."""


@dataclass(frozen=True)
class Client:
    """Sends requests to a server on this machine, one after the other."""

    port: int

    def post(self, body: bytes, content_type: str = JSON) -> Response:
        """One request to /invocations; `ServerError` when there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request("POST", "/invocations", body, {"Content-Type": content_type})
            response = connection.getresponse()
            return Response(response.status, response.read().decode())
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(f"The server on port {self.port} does not answer: {error!r}.") from error
        finally:
            connection.close()

    def translate(self, texts: Sequence[str]) -> list[Answer]:
        """The translations of one request, in order; `ServerError` when it is refused."""
        response = self.post(json.dumps({"instances": list(texts)}).encode())
        if response.status != 200:
            raise ServerError(f"The server answered {response.status}: {response.body[:500]}")
        return [answer_of(entry) for entry in json.loads(response.body)["predictions"]]


def answer_of(entry: dict[str, Any]) -> Answer:
    """An entry of `predictions`."""
    return Answer(entry["translation"], entry.get("warning"))


@contextmanager
def serving(model: Path) -> Iterator[Client]:
    """Serve a model directory, or a folder with one named `model` in it, on a free port until the end of the block.

    The deadline of an answer is lifted to ten minutes, so that slow text is measured and not refused. `ServerError`
    when the server does not start.
    """
    inner = model / "model"
    model = (inner if inner.is_dir() else model).resolve()
    port = free_port()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "model").symlink_to(model)
        environment = {
            "SAGEMAKER_BASE_DIR": scratch,
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "NMT_DEADLINE_SECONDS": str(int(TIMEOUT)),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        command = [str(ROOT / "container" / "bin" / "serve")]
        with ExitStack() as stack:
            try:
                stack.enter_context(running(command, environment, port, folder / "serve.log"))
            except RuntimeError as error:  # its message has the end of the server's log
                raise ServerError(str(error)) from error
            yield Client(port)


def languages_of(model: Path) -> tuple[str, str]:
    """Source and target language of a model directory, or of one named `model` below it."""
    inner = model / "model"
    manifest = json.loads(((inner if inner.is_dir() else model) / "manifest.json").read_text())
    return manifest["source_lang"], manifest["target_lang"]
