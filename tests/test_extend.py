"""docs/extend.md: a copy of the repository with every example of the page in it trains and serves as the page says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import requests

from container.artifact import open_artifact
from tests.conftest import TOY, Job
from tests.serve.server import DEADLINE, Server, start_server
from tests.serve.tiny_model import write_tiny_model

COPIED = ("container", "train", "serve", "docs")
EXAMPLES = (
    "A hyperparameter",
    "A request parameter",
    "A content type",
    "An error",
    "A setting",
    "A metric",
    "An engine",
    "A framework",
    "A language",
)
TABS = "text/tab-separated-values"
MAX_TEXTS = 3
HALF = '"\\ud83d"'  # of a surrogate pair, in JSON


# ---- the examples, and a copy of the repository with them -----------------------------------------------


@dataclass(frozen=True)
class Change:
    """A hunk of an example: lines `added` beside the line with `anchor`, or in the place of the lines `removed`."""

    file: str
    side: str  # of the anchor: "before" or "after"; empty without one
    anchor: str
    removed: str
    added: str

    def make(self, root: Path) -> None:
        """Change the file below `root`; what is to be replaced must stand there once."""
        path = root / self.file
        text = path.read_text() if path.exists() else ""
        old = self.removed or self._anchored_line(text)
        assert text.count(old) == 1 if old else not path.exists(), f"{self.file} has changed: correct docs/extend.md"
        new = {"before": self.added + old, "after": old + self.added, "": self.added}[self.side]
        path.write_text(text.replace(old, new) if old else new)

    def _anchored_line(self, text: str) -> str:
        lines = [line for line in text.splitlines(keepends=True) if self.anchor and self.anchor in line]
        assert len(lines) == bool(self.anchor), f"{self.file} has {self.anchor!r} {len(lines)} times"
        return "".join(lines)


def page(repo: Path) -> str:
    return (repo / "docs" / "extend.md").read_text()


def changes_of(repo: Path, example: str) -> list[Change]:
    """The changes in the one code block of a section."""
    section = page(repo).partition(f"\n## {example}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```diff\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
    hunks = re.findall(r'^@@ (\S+?)(?:, (before|after) "(.+)")?\n((?:[+-].*\n)+)', block, flags=re.MULTILINE)
    written = sum(1 + lines.count("\n") for *_, lines in hunks)
    assert written == block.count("\n"), f"a line of the example {example!r} belongs to no change"
    return [
        Change(file, side, anchor, *("".join(re.findall(rf"^[{sign}](.*\n)", lines, re.MULTILINE)) for sign in "-+"))
        for file, side, anchor, lines in hunks
    ]


def copy_with(repo: Path, destination: Path, *examples: str) -> Path:
    """A copy of the program and its docs with these examples in it, formatted as the page says."""
    for folder in COPIED:
        shutil.copytree(repo / folder, destination / folder, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    shutil.copy(repo / "pyproject.toml", destination)
    for example in examples:
        for change in changes_of(repo, example):
            change.make(destination)
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--fix"], ["format"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", "."], cwd=destination, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
    return destination


@pytest.fixture(scope="module")
def program(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with all examples, and with the tables that `make docs` writes."""
    copy = copy_with(repo, tmp_path_factory.mktemp("extended") / "program", *EXAMPLES)
    run_python(copy, "-m", "docs.tables.pages")
    return copy


def run_python(program: Path, *arguments: str) -> str:
    """What Python prints in the copy; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(program)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=program, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_section_has_an_example(repo: Path) -> None:
    assert tuple(re.findall(r"^## (.+)$", page(repo), re.MULTILINE)) == EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_needs_no_other(repo: Path, tmp_path: Path, example: str) -> None:
    """Alone it can be made, and ruff finds no name that is not defined."""
    copy_with(repo, tmp_path, example)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("hyperparameters", "| `max_ratio` |"),
        ("http", "| `return_length` | boolean |"),
        ("http", "| `length` | integer, at least 0 |"),
        ("http", f"| `{TABS}` | a text before a tab |"),
        ("errors", "| `BrokenText` | A text holds half of a character | 2 | 422 |"),
        ("http", "| `NMT_MAX_TEXTS` | `0` | 0 to 1000000 |"),
        ("http", "| `nmt_texts_total` | counter | `type` |"),
        ("http", "| `NMT_ENGINE` | `ctranslate2` | `ctranslate2`, `tensorflow`, `echo` |"),
        ("hyperparameters", "| `framework` | choice |  | tensorflow, pytorch, eager |"),
    ],
)
def test_make_docs_writes_it_into_the_table(program: Path, repo: Path, table: str, row: str) -> None:
    pages = [(root / "docs" / f"{table}.md").read_text() for root in (repo, program)]
    assert [f"\n{row}" in text for text in pages] == [False, True]


# ---- one server on the tiny model -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("tiny")
    write_tiny_model(base / "model")
    running = start_server(base, base / "serve.log", program, NMT_MAX_TEXTS=str(MAX_TEXTS))
    running.wait_until_ready()
    yield running
    assert running.stop() == 0, running.output()


def test_the_request_parameter_adds_its_field(server: Server) -> None:
    asked = {"return_length": True, "return_token_scores": True}
    (entry,) = server.invoke({"instances": ["the dog"], "parameters": asked}).json()["predictions"]
    assert entry["length"] == len(entry["token_scores"]) > 0
    (entry,) = server.invoke({"instances": ["the dog"]}).json()["predictions"]
    assert "length" not in entry
    refused = server.invoke({"instances": ["the dog"], "parameters": {"return_length": 2}})
    assert (refused.status_code, "return_length" in refused.text) == (400, True)
    schemas = requests.get(f"{server.url}/openapi.json", timeout=DEADLINE).json()["components"]["schemas"]
    assert schemas["Parameters"]["properties"]["return_length"]["type"] == "boolean"
    assert schemas["Prediction"]["properties"]["length"]["type"] == "integer"


def test_the_content_type_is_read_and_written(server: Server) -> None:
    answer = server.invoke("Hello!\tjunk\n\nthe dog\tjunk\n", TABS)
    plain = server.invoke("Hello!\n\nthe dog\n", "text/plain")
    assert (answer.status_code, answer.text) == (200, plain.text)
    assert answer.text.count("\n") == 3
    assert answer.headers["Content-Type"].startswith(TABS)
    assert server.invoke("Hello!", "text/plain", Accept=TABS).headers["Content-Type"].startswith(TABS)
    described = requests.get(f"{server.url}/openapi.json", timeout=DEADLINE).json()["paths"]["/invocations"]["post"]
    assert described["requestBody"]["content"][TABS]["schema"]["description"] == "a text before a tab"


def test_the_error_has_its_status_and_code(server: Server) -> None:
    refused = server.invoke(HALF)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "broken_text")
    assert "half of a surrogate pair" in refused.json()["error"]["message"]
    described = requests.get(f"{server.url}/openapi.json", timeout=DEADLINE).json()["paths"]["/invocations"]["post"]
    assert "422" in described["responses"]


def test_the_setting_is_read_from_the_environment(server: Server) -> None:
    assert server.invoke(["the dog"] * MAX_TEXTS).status_code == 200
    refused = server.invoke(["the dog"] * (MAX_TEXTS + 1))
    assert (refused.status_code, "send at most 3 at a time" in refused.text) == (400, True)


def test_the_server_does_not_start_with_a_setting_out_of_its_range(program: Path, tmp_path: Path) -> None:
    started = start_server(tmp_path, tmp_path / "serve.log", program, NMT_MAX_TEXTS="1000001")
    assert started.process.wait(DEADLINE) == 2
    assert "NMT_MAX_TEXTS is '1000001': give a whole number from 0 to 1000000." in started.output()


def test_the_metric_counts(server: Server) -> None:
    series = 'nmt_texts_total{type="text/csv"}'
    before = server.metric(series)
    assert server.invoke("Hello!\nthe dog\n", "text/csv").status_code == 200
    assert server.metric(series) == before + 2


# ---- one job, and a server with its model ---------------------------------------------------------------


@pytest.fixture(scope="module")
def german(program: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A job from German to English with the example's framework and hyperparameter, and what it printed."""
    job = Job(tmp_path_factory.mktemp("german") / "ml", program=program)
    subjects = [("Dr. Weber", "Dr. Weber"), ("Das Kind", "The child"), ("Nr. 5", "No. 5"), ("Niemand", "Nobody")]
    verbs = [("sieht", "sees"), ("kauft", "buys"), ("malt", "paints"), ("sucht", "looks for"), ("mag", "likes")]
    objects = [
        ("den Hund", "the dog"),
        ("das Haus", "the house"),
        ("ein Buch", "a book"),
        ("viele Katzen", "many cats"),
    ]
    sentences = [zip(*words, strict=True) for words in product(subjects, verbs, objects)]
    pairs = [(" ".join(source), " ".join(target)) for source, target in sentences]
    pairs += [("Ja", "That is what I have always said to you"), ("Das ist alles ganz und gar wahr", "Yes")]
    job.channel("training", pairs__tsv="".join(f"{source}.\t{target}.\n" for source, target in pairs))
    languages = {"source_lang": "de", "target_lang": "en"}
    job.configure({**TOY, **languages, "framework": "eager", "max_ratio": "3", "vocab_size": "400"})
    done = job.run()
    assert done.returncode == 0, done.stderr
    return job, done.stdout


def test_the_hyperparameter_drops_pairs(german: tuple[Job, str]) -> None:
    parts = re.search(r"(\d+) pairs to train on, (\d+) to validate, (\d+) to test", german[1])
    assert parts is not None
    assert sum(map(int, parts.groups())) == 4 * 5 * 4


def test_the_hyperparameter_is_described_and_checked(program: Path, job: Job) -> None:
    assert "max_ratio" in run_python(program, "-m", "train", "--help")
    wrong = Job(job.base, program=program).run("--max-ratio", "0.5")
    assert wrong.returncode == 2
    assert "max_ratio must be at least 1, got 0.5" in job.paths.failure.read_text()


def test_a_checkpoint_from_before_the_hyperparameter_may_go_on(program: Path) -> None:
    code = """
from pathlib import Path
from train.corpus.batches import Cursor
from train.job.hyperparameters import Hyperparameters
from train.training.checkpoints import Checkpoint
from train.training.resume import FREE, refuse_other_run

def identity(*missing):
    values = Hyperparameters().model_dump(mode="json", exclude={*FREE, *missing})
    return {"hyperparameters": values, "corpus": "equal", "tokenizer": "equal"}

refuse_other_run(Checkpoint(Path("checkpoint"), Cursor(), identity("max_ratio"), [], {}), identity())
"""
    run_python(program, "-c", code)


def test_the_framework_trains_an_epoch(german: tuple[Job, str]) -> None:
    job, log = german
    assert "importing TensorFlow without graphs" in log
    assert open_artifact(job.paths.model).manifest.hyperparameters["framework"] == "eager"


def test_the_error_ends_a_job_with_its_exit_code(program: Path, job: Job) -> None:
    job.channel("training", pairs__jsonl=f'{{"source": {HALF}, "target": "x"}}\n')
    assert Job(job.base, program=program).run().returncode == 2
    assert job.paths.failure.read_text().startswith("BrokenText: A text holds half")


@pytest.fixture(scope="module")
def echo(program: Path, german: tuple[Job, str]) -> Iterator[Server]:
    base = german[0].base
    running = start_server(base, base / "serve.log", program, NMT_ENGINE="echo")
    running.wait_until_ready()
    yield running
    assert running.stop() == 0, running.output()


def test_the_engine_answers_with_the_sentence(echo: Server) -> None:
    answer = echo.invoke({"instances": ["Das Kind sieht den Hund.", ""]})
    assert answer.json() == {"predictions": [{"translation": "Das Kind sieht den Hund."}, {"translation": ""}]}


def test_the_abbreviations_of_the_language_end_no_sentence(german: tuple[Job, str], echo: Server) -> None:
    assert open_artifact(german[0].paths.model).manifest.clean_up.non_breaking_prefixes == ("Dr", "Nr #NUMERIC_ONLY#")
    text = "Dr. Weber kauft Nr. 5. Das Kind mag Nr. Niemand malt."
    streamed = echo.invoke({"instances": [text], "parameters": {"stream": True}}).text.lower()  # capitals may change
    sentences = [json.loads(line).get("translation") for line in streamed.splitlines()]
    assert sentences == ["dr. weber kauft nr. 5.", "das kind mag nr.", "niemand malt.", None]


# ---- what the page names --------------------------------------------------------------------------------


def test_files_and_names_exist(repo: Path) -> None:
    """`name` in `file.py`: the file holds the name."""
    files = re.findall(r"`([a-z_]+/[\w/.]+\.py)`", page(repo))
    assert files
    assert [file for file in files if not (repo / file).is_file()] == []
    pairs = re.findall(r"`(\w+)`[^`]{0,20} in\s+`([\w/.]+\.py)`", page(repo))
    assert len(pairs) >= 10
    assert [pair for pair in pairs if pair[0] not in (repo / pair[1]).read_text()] == []
