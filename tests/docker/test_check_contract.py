"""local_test/check_contract.sh: on our image, on one that has nothing in common with it, and on one that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.test_local_scripts import nothing_stays_behind, run, test_dir  # noqa: F401  # fixtures
from tests.engine import IMAGE_NAME, docker

pytestmark = pytest.mark.docker

# The smallest of images that keep the contract: the standard library, one file for each job.
OTHER_TRAIN = """\
#!/usr/bin/env python3
import json, pathlib, signal, sys, threading
ml, stop = pathlib.Path("/opt/ml"), threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
given = json.loads((ml / "input/config/hyperparameters.json").read_text())
rows = [row for file in (ml / "input/data").rglob("*.tsv") for row in file.read_text().splitlines()]
if not rows:
    (ml / "output/failure").write_text("No rows in any channel.")
    sys.exit(1)
print("rows", len(rows), flush=True)
if int(json.loads(given["epochs"])) > 1000:
    stop.wait()
(ml / "model/model.json").write_text(json.dumps(len(rows)))
"""
OTHER_SERVE = """\
#!/usr/bin/env python3
import http.server, json, signal, sys
rows = json.load(open("/opt/ml/model/model.json"))
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status):
        self.send_response(status); self.send_header("Content-Length", "0"); self.end_headers()
    def do_GET(self): self.answer(200 if self.path == "/ping" else 404)
    def do_POST(self):
        try: json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        except ValueError: return self.answer(400)
        self.answer(200)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


def results(table: str) -> dict[str, str]:
    """Clause to `pass`, `FAIL` or `skip`."""
    return {line[13:71].strip(): line[:4] for line in table.splitlines() if not line.startswith(" ")}


def test_this_image_keeps_the_contract(repo: Path, image: str, test_dir: Path) -> None:  # noqa: F811
    done = run(repo / "local_test" / "check_contract.sh", "--job", test_dir, image)
    assert done.returncode == 0, done.stdout + done.stderr
    clauses = results(done.stdout)
    assert set(clauses.values()) == {"pass"}, done.stdout
    assert len(clauses) == 18


@pytest.fixture
def other_image(image: str, tmp_path: Path) -> Iterator[str]:
    name = f"{IMAGE_NAME}:other"
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "train").write_text(OTHER_TRAIN)
    (folder / "serve").write_text(OTHER_SERVE)
    (folder / "Dockerfile").write_text(
        "FROM python:3.11-slim-bookworm\nCOPY train serve /usr/local/bin/\n"
        "RUN chmod +x /usr/local/bin/train /usr/local/bin/serve\n"
    )
    docker("build", "--tag", name, str(folder))
    yield name
    docker("image", "rm", "--force", name)


def test_an_image_of_somebody_else_can_pass(repo: Path, other_image: str, test_dir: Path) -> None:  # noqa: F811
    """Nothing in the script is about our image."""
    done = run(repo / "local_test" / "check_contract.sh", "--job", test_dir, other_image)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(results(done.stdout).values()) == {"pass"}, done.stdout


@pytest.fixture
def wrong_image(image: str, tmp_path: Path) -> Iterator[str]:
    """An image that gets about everything wrong; on the base of ours, so that it takes a second to build."""
    name = f"{IMAGE_NAME}:wrong"
    (tmp_path / "serve").write_text(
        "#!/usr/bin/env python3\n"
        "import http.server as h, signal, sys\n"
        "class Handler(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.send_response(200); self.end_headers()\n"
        "    def do_POST(self): self.send_response(500); self.end_headers()\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
        "open('/var/started', 'w')\n"
        "h.HTTPServer(('', 8080), Handler).serve_forever()\n"
    )
    (tmp_path / "train").write_text("#!/bin/sh\n[ -e /opt/ml/input/data/training/pairs.tsv ] && exit 1\nexit 0\n")
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.11-slim-bookworm\nCOPY train serve /usr/local/bin/\n"
        "RUN chmod +x /usr/local/bin/train /usr/local/bin/serve && mkdir -p /opt/ml/code && touch /opt/ml/code/a\n"
    )
    docker("build", "--tag", name, str(tmp_path))
    yield name
    docker("image", "rm", "--force", name)


def test_check_contract_finds_what_is_wrong(repo: Path, wrong_image: str, test_dir: Path) -> None:  # noqa: F811
    done = run(repo / "local_test" / "check_contract.sh", "--job", test_dir, wrong_image)
    assert done.returncode == 1, done.stdout + done.stderr
    clauses = results(done.stdout)
    right = {clause for clause, result in clauses.items() if result == "pass"}
    assert right == {
        "built for linux/amd64",
        "at most 10 GB unpacked (serverless endpoints)",
        "no /opt/ml/output/failure after success",
        "`serve` with a read-only model: GET /ping is 200",
        "GET /ping is 200 after all this",
    }
    assert clauses["SIGTERM ends the job within 120 s"] == "skip", "it never ran long enough"


def test_check_contract_says_what_it_needs(repo: Path, image: str, tmp_path: Path) -> None:
    script = repo / "local_test" / "check_contract.sh"
    for arguments, sentence in (
        (["no-such-image"], "there is no image no-such-image here"),
        (["--job", tmp_path, image], "holds no input/config and input/data"),
        (["--only", "serve", image], "--only serve needs --model"),
        (["--only", "all", image], "--only takes image, train or serve, not all"),
    ):
        done = run(script, *arguments)
        assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
