"""data/download.sh against real archives and a real HTTP server that can be told to hang up half-way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "data/download.sh"
TEXT = "".join(f"Sentence {number}.\tFrase {number}.\n" for number in range(5_000)).encode()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A small archive in the layout of spa-eng.zip."""
    path = tmp_path / "source" / "spa eng.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("spa-eng/_about.txt", "about")
        made.writestr("spa-eng/spa.txt", TEXT)
    return path


class RangeServer(ThreadingHTTPServer):
    """Serves `body` at any path, with byte ranges; hangs up after `cut` bytes while `cut` is set."""

    body: bytes
    cut: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RangeHandler)
        self.starts: list[int] = []  # first byte of every answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/spa-eng.zip"


class RangeHandler(BaseHTTPRequestHandler):
    server: RangeServer

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        body = self.server.body
        self.server.starts.append(start)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        self.wfile.write(body[start : self.server.cut])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(archive: Path) -> Iterator[RangeServer]:
    with RangeServer() as running:
        running.body = archive.read_bytes()
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def download(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPA_ENG_")}
    return subprocess.run(
        [str(SCRIPT), str(directory)],
        env={**kept, "no_proxy": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def expecting(content: bytes) -> dict[str, str]:
    return {"SPA_ENG_SIZE": str(len(content)), "SPA_ENG_SHA256": hashlib.sha256(content).hexdigest()}


def test_a_local_copy_is_unpacked_and_left_alone(archive: Path, tmp_path: Path) -> None:
    before = archive.read_bytes()
    result = download(tmp_path / "a b", SPA_ENG_ZIP=str(archive), **expecting(before))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "a b" / "spa.tsv").read_bytes() == TEXT
    assert "5000 pairs" in result.stdout
    assert archive.read_bytes() == before


def test_the_second_run_does_nothing(archive: Path, tmp_path: Path) -> None:
    download(tmp_path, SPA_ENG_ZIP=str(archive), **expecting(archive.read_bytes()))
    stamp = (tmp_path / "spa.tsv").stat().st_mtime_ns
    result = download(tmp_path, SPA_ENG_URL="http://127.0.0.1:9/nothing")
    assert (result.returncode, result.stderr) == (0, "")
    assert "already there" in result.stdout
    assert (tmp_path / "spa.tsv").stat().st_mtime_ns == stamp


def test_a_whole_download(server: RangeServer, tmp_path: Path) -> None:
    result = download(tmp_path / "corpus", SPA_ENG_URL=server.url, **expecting(server.body))
    assert result.returncode == 0, result.stderr
    assert [path.name for path in (tmp_path / "corpus").iterdir()] == ["spa.tsv"]
    assert (tmp_path / "corpus" / "spa.tsv").read_bytes() == TEXT


def test_a_download_that_was_cut_off_is_resumed(server: RangeServer, tmp_path: Path) -> None:
    """The run that is cut off keeps its bytes; the next asks only for the rest."""
    server.cut = 1_000
    environment = {"SPA_ENG_URL": server.url, **expecting(server.body)}
    result = download(tmp_path / "corpus", **environment)
    assert result.returncode == 1
    assert "could not be downloaded" in result.stderr
    assert not (tmp_path / "corpus" / "spa.tsv").exists()

    server.cut = None
    server.starts.clear()
    result = download(tmp_path / "corpus", **environment)
    assert result.returncode == 0, result.stderr
    assert server.starts == [1_000]
    assert (tmp_path / "corpus" / "spa.tsv").read_bytes() == TEXT


def test_a_wrong_checksum_names_both_and_deletes_nothing(archive: Path, tmp_path: Path) -> None:
    content = archive.read_bytes()
    wrong = {"SPA_ENG_SIZE": str(len(content)), "SPA_ENG_SHA256": "0" * 64}
    result = download(tmp_path / "corpus", SPA_ENG_ZIP=str(archive), **wrong)
    assert result.returncode == 1
    assert hashlib.sha256(content).hexdigest() in result.stderr and "0" * 64 in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert archive.read_bytes() == content
    assert not list((tmp_path / "corpus").iterdir())


def test_a_wrong_checksum_of_a_download_keeps_the_file(server: RangeServer, tmp_path: Path) -> None:
    wrong = {"SPA_ENG_SIZE": str(len(server.body)), "SPA_ENG_SHA256": "0" * 64}
    result = download(tmp_path, SPA_ENG_URL=server.url, **wrong)
    assert result.returncode == 1
    assert "spa-eng.zip.part has sha256" in result.stderr
    assert (tmp_path / "spa-eng.zip.part").read_bytes() == server.body


def test_a_wrong_size_names_both(archive: Path, tmp_path: Path) -> None:
    result = download(tmp_path, SPA_ENG_ZIP=str(archive))
    assert result.returncode == 1
    assert f"has {archive.stat().st_size} bytes, expected 2638744" in result.stderr


def test_no_network_is_one_clear_sentence(tmp_path: Path) -> None:
    result = download(tmp_path, SPA_ENG_URL="http://127.0.0.1:9/spa-eng.zip")
    assert result.returncode == 1
    assert "http://127.0.0.1:9/spa-eng.zip could not be downloaded" in result.stderr
    assert "SPA_ENG_ZIP" in result.stderr


def test_a_local_copy_that_is_not_there(tmp_path: Path) -> None:
    result = download(tmp_path, SPA_ENG_ZIP=str(tmp_path / "none.zip"))
    assert result.returncode == 1
    assert f"SPA_ENG_ZIP names {tmp_path / 'none.zip'}, which is no file" in result.stderr


@pytest.mark.parametrize("content", [b"no archive at all", None], ids=["damaged", "without spa.txt"])
def test_an_archive_without_the_text_leaves_nothing_half(content: bytes | None, tmp_path: Path) -> None:
    archive = tmp_path / "odd.zip"
    if content is None:
        with zipfile.ZipFile(archive, "w") as made:
            made.writestr("other.txt", "text")
    else:
        archive.write_bytes(content)
    result = download(tmp_path / "corpus", SPA_ENG_ZIP=str(archive), **expecting(archive.read_bytes()))
    assert result.returncode == 1
    assert "holds no readable spa-eng/spa.txt" in result.stderr
    assert not list((tmp_path / "corpus").iterdir())


@pytest.fixture
def true_archive() -> Path:
    places = [os.environ.get("SPA_ENG_ZIP"), ROOT.parent / "shared/data/spa-eng.zip"]
    copies = [Path(place) for place in places if place and Path(place).is_file()]
    if not copies:
        pytest.skip("no copy of spa-eng.zip here; name one in SPA_ENG_ZIP to test the true corpus")
    return copies[0]


def test_the_true_corpus(true_archive: Path, tmp_path: Path) -> None:
    result = download(tmp_path, SPA_ENG_ZIP=str(true_archive))
    assert result.returncode == 0, result.stderr
    assert "118964 pairs" in result.stdout
    first = (tmp_path / "spa.tsv").read_text(encoding="utf-8").split("\n", 1)[0]
    assert first == "Go.\tVe."


def test_no_hand_written_pair_is_from_tatoeba(true_archive: Path) -> None:
    """Only stock phrases of at most four words ("How are you today?") may be equal."""
    with zipfile.ZipFile(true_archive) as archive:
        tatoeba = set(archive.read("spa-eng/spa.txt").decode().splitlines())
    rows = [line.split("\t") for line in (ROOT / "data/sample.tsv").read_text(encoding="utf-8").splitlines()]
    pairs = [(english, spanish) for english, spanish, template, _part in rows if template == "hand"]
    assert len(pairs) > 1_000
    assert not [pair for pair in pairs if len(pair[0].split()) > 4 and "\t".join(pair) in tatoeba]


def test_the_script_is_clean_for_shellcheck() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")  # from the lock
    result = subprocess.run([str(shellcheck), str(SCRIPT)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
