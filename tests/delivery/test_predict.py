"""local_test/predict.sh: what it sends, and what it says when nothing answers."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@dataclass
class Endpoint:
    """An HTTP server that keeps what it was sent and answers with `status`."""

    status: int = 200
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)  # path, content type, body
    url: str = ""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.requests.append((self.path, self.headers["Content-Type"], body))
            self.send_response(made.status)
            self.end_headers()
            self.wfile.write("¡Qué tal!".encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def predict(repo: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [repo / "local_test" / "predict.sh", *arguments],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "ENDPOINT_URL": url},
        capture_output=True,
        text=True,
        timeout=30,
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.json", "application/json"),
        ("a.jsonl", "application/jsonlines"),
        ("a.csv", "text/csv"),
        ("a.txt", "text/plain"),
        ("two words.txt", "text/plain"),
    ],
)
def test_sends_the_file_byte_for_byte(
    repo: Path, endpoint: Endpoint, tmp_path: Path, name: str, content_type: str
) -> None:
    body = b"Good morning.\r\n\nWhere?\n"
    (tmp_path / name).write_bytes(body)
    done = predict(repo, endpoint.url, str(tmp_path / name))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "¡Qué tal!", "the answer byte for byte, too"
    assert endpoint.requests == [("/invocations", content_type, body)]


def test_the_content_type_can_be_given(repo: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hello.")
    assert predict(repo, endpoint.url, str(tmp_path / "a.txt"), "application/x-other").returncode == 0
    assert endpoint.requests[0][1] == "application/x-other"


def test_an_error_status_shows_the_body_and_fails(repo: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.status = 400
    (tmp_path / "a.txt").write_text("Hello.")
    done = predict(repo, endpoint.url, str(tmp_path / "a.txt"))
    assert done.returncode != 0
    assert "¡Qué tal!" in done.stdout


def test_says_that_nothing_answers(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hello.")
    done = predict(repo, "http://127.0.0.1:9", str(tmp_path / "a.txt"))
    assert done.returncode == 1
    assert "nothing answers at http://127.0.0.1:9/invocations; start the endpoint" in done.stderr


def test_says_that_the_file_is_missing(repo: Path) -> None:
    done = predict(repo, "http://127.0.0.1:9", "no-such-file.txt")
    assert (done.returncode, done.stderr) == (1, "predict.sh: there is no readable file no-such-file.txt.\n")
