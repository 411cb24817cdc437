"""`make bench-text` as a command: one table of all sets, the cases, the kept figures, and what fails it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.serving.text.client import Answer
from benchmarks.serving.text.pairs import Altered, Pair
from benchmarks.serving.text.scores import REPLACEMENT, chrf, measure_sets, table
from benchmarks.serving.text.sets import TextSet

SETS = ("plain", "capitals", "number", "sentences joined")


def run(repo: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.serving.text", *options]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "unseen.tsv"
    lines = [f"I see two dogs and {word}.\tVeo dos perros y {word}." for word in ("cats", "Tom", "a house", "books")]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_model_is_measured_on_sets_and_cases(repo: Path, base: Path, corpus: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    only = [option for name in (*SETS, "cases") for option in ("--only", name)]
    options = ("--model", str(base), "--corpus", str(corpus), "--sentences", "4", "--json", str(kept))
    done = run(repo, *options, *only)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]
    measured = {row[0]: row for row in rows if len(row) == 8}
    assert list(measured)[2:] == list(SETS)  # behind the head and its line
    assert all(measured[name][1] == "4" for name in SETS)
    assert all(0 <= float(measured[name][2]) <= 100 and float(measured[name][5]) >= 0 for name in SETS)
    assert measured["number"][7] != "" and measured["capitals"][7] == ""
    assert "chrF2: nrefs:1|case:mixed" in done.stdout
    assert any(row[0] == "all" and row[3].endswith(f"/{len(json.loads(kept.read_text())['cases'])}") for row in rows)
    results = json.loads(kept.read_text())
    assert [each["name"] for each in results["sets"]] == list(SETS)
    assert all(len(each["texts"]) == 4 for each in results["sets"][:3])
    assert results["sets"][1]["texts"][0]["source"].isupper()
    assert {"text", "warning", "reference"} <= results["sets"][0]["texts"][0].keys()


def test_a_server_that_does_not_start_fails_the_command(repo: Path, base: Path, corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(base / "model", tmp_path / "model")
    (tmp_path / "model" / "tokenizer.model").write_bytes(b"damaged")
    done = run(repo, "--model", str(tmp_path / "model"), "--corpus", str(corpus), "--only", "plain")
    assert done.returncode == 1
    assert "The server failed" in done.stderr and "tokenizer.model" in done.stderr


def test_an_unknown_set_is_refused(repo: Path, base: Path, corpus: Path) -> None:
    done = run(repo, "--model", str(base), "--corpus", str(corpus), "--only", "smells")
    assert done.returncode == 2
    assert "there is no set smells: give one of plain, capitals" in done.stderr


class Echo:
    """Stands for the server: answers capitals with nonsense and a warning, everything else with itself."""

    def translate(self, texts: list[str]) -> list[Answer]:
        return [Answer(REPLACEMENT, "Nonsense.") if text.isupper() else Answer(text, None) for text in texts]


def test_each_set_is_compared_with_plain_on_its_own_sentences() -> None:
    pairs = [Pair("a dog barks.", "a dog barks."), Pair("a cat sleeps.", "a cat sleeps.")]
    plain = TextSet("plain", tuple(Altered(pair.source, pair.reference, (pair,)) for pair in pairs[:1]))
    altered = Altered("A CAT SLEEPS.", "A CAT SLEEPS.", (pairs[1],), ("CAT",))
    capitals = TextSet("capitals", (altered,), compared_plain=str.upper)
    first, second = (measured.row for measured in measure_sets([plain, capitals], Echo()))  # type: ignore[arg-type]
    assert (first.chrf, first.warnings, first.carried) == (100, 0, None)
    assert second.plain == 100 and second.chrf < 10
    assert (second.warnings, second.carried, second.replacements) == (100, 0, 1)
    shown = table([first, second])
    assert "| plain | 1 | 100.0 |  |  |" in shown
    assert "Translations with U+FFFD: 1" in shown


def test_the_score_compares_texts_in_the_form_asked_for() -> None:
    assert chrf(["MI PERRO"], ["mi perro"], str.lower) == 100
    assert chrf(["MI PERRO"], ["mi perro"], str) < 50
