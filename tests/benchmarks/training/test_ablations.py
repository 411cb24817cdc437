"""The table of ablations: every row is a valid recipe, finished rows are kept, differences are tested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.training import ablations
from benchmarks.training.ablations import BASELINE, ROWS, Result, Row, result_of, table
from benchmarks.training.inputs import read_parts
from train.evaluation.scores import ReferenceSet
from train.job.hyperparameters import Hyperparameters

SENTENCES = ReferenceSet(
    ["a", "b", "c"] * 10, [["uno dos tres cuatro"], ["el gato come pan"], ["la casa es roja"]] * 10
)
GOOD = ["uno dos tres cuatro", "el gato come pan", "la casa es verde"] * 10
BAD = ["uno dos", "el gato come", "la casa"] * 10


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_changes_the_recipe(row: Row) -> None:
    changed = Hyperparameters(preset="fast", **row.changes) != Hyperparameters(preset="fast")
    assert changed == (row.name != BASELINE)


def test_names_are_distinct_and_the_baseline_comes_first() -> None:
    assert ROWS[0].name == BASELINE
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_a_row_is_kept_as_long_as_its_settings_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[int] = []
    monkeypatch.setattr(ablations, "train_job", lambda row, recipe, updates, folder: trained.append(updates))
    monkeypatch.setattr(ablations, "decode", lambda row, folder, sentences: GOOD)
    parts = read_parts(None)
    row = Row("batch 1024", {"batch_tokens": 1024})
    first = result_of(row, parts, SENTENCES, 50, tmp_path)
    assert result_of(row, parts, SENTENCES, 50, tmp_path) == first
    assert trained == [100]  # half the batch, twice the updates
    result_of(row, parts, SENTENCES, 60, tmp_path)
    assert trained == [100, 120]


def test_a_row_of_decoding_uses_the_baselines_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Path] = []
    monkeypatch.setattr(ablations, "decode", lambda row, folder, sentences: decoded.append(folder) or GOOD)
    result_of(Row("beam 1", {"beam_size": 1}), read_parts(None), SENTENCES, 50, tmp_path)
    assert decoded == [tmp_path / BASELINE]
    assert json.loads((tmp_path / "beam-1" / "result.json").read_text())["hypotheses"] == GOOD


def test_the_table_gives_differences_and_whether_they_are_chance() -> None:
    results = {BASELINE: Result({}, 50, 60.0, GOOD), "same": Result({}, 50, 60.0, GOOD)}
    results["worse"] = Result({}, 50, 90.0, BAD)
    lines = [line.split(" | ") for line in table(results, SENTENCES).splitlines() if line.startswith("| ")]
    _, base, same, worse = lines
    assert base[4] == "" and same[4] == "+0.0" and float(worse[4]) < -5
    assert same[5] == "1.000" and float(worse[5]) < 0.01
    assert worse[2] == "1.5"
