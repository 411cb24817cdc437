"""The command that measures serving speed: it runs, counts every request and names what it measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.serving.speed import add_saved_model
from container.artifact import SAVED_MODEL


def test_the_stack_is_measured_at_every_size(repo: Path, base: Path) -> None:
    options = ("--model", str(base / "model"), "--only", "stack", "--quick", "--seconds", "0.5")
    command = [sys.executable, "-m", "benchmarks.serving.speed", *options]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    measured = [row for row in rows if row and row[0] == "this stack" and len(row) > 2]
    assert {tuple(row[1:4]) for row in measured} == {(b, s, c) for b in "14" for s in ("1", "32") for c in ("1", "32")}
    assert all(float(row[4]) > 0 and row[9] == "0" for row in measured)  # sentences a second, failed requests
    assert all(float(row[6]) <= float(row[7]) <= float(row[8]) for row in measured)  # p50, p95, p99
    assert all(float(row[10]) > 10 for row in measured)  # MB
    assert any(row and row[0] == "this stack" and len(row) == 2 for row in rows)  # seconds to the first 200


def test_the_tensorflow_engine_is_measured_where_it_can_be(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    add_saved_model(model, tmp_path / "base")
    assert not (tmp_path / "base").exists()  # no SavedModel, and no weights to make one of
    (model / SAVED_MODEL).mkdir(parents=True)
    add_saved_model(model, tmp_path / "base")
    assert (tmp_path / "base" / "model").resolve() == model.resolve()
