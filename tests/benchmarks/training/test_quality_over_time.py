"""Quality against time: both trainers get the same parts, results are kept, a table and a plot show them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.training.inputs import read_parts
from benchmarks.training.quality_over_time import Point, lay_out, plot, scored, table
from container.paths import Paths
from train.evaluation.scores import make_reference_set

POINT = Point("ours", 30.0, 1000, 40.0, 1.5, 60.0, 1.0, ("bleu|x", "chrf|x"))


def test_both_trainers_get_the_same_pairs(tmp_path: Path) -> None:
    parts = read_parts(None)
    task = lay_out(parts, tmp_path)
    rows = (Paths(tmp_path / "ours").data / "training" / "pairs.tsv").read_text(encoding="utf-8").splitlines()
    sources = task.path("train.en").read_text(encoding="utf-8").splitlines()
    assert [row.split("\t")[0] for row in rows] == sources
    sentences = make_reference_set(parts.test, 2000)
    assert task.path("test.en").read_text(encoding="utf-8").splitlines() == sentences.sources
    assert lay_out(parts, tmp_path) == task
    with pytest.raises(SystemExit, match="another corpus"):
        lay_out(replace(parts, train=parts.train[1:]), tmp_path)


def test_a_perfect_translation_scores_100() -> None:
    sentences = make_reference_set(read_parts(None).test)
    point = scored("ours", 1.0, 10, sentences, [references[0] for references in sentences.references])
    assert (point.bleu, point.chrf, point.bleu_margin) == (100.0, 100.0, 0.0)


def test_the_table_goes_by_minutes_and_names_the_metric() -> None:
    text = table([replace(POINT, minutes=60.0), POINT, replace(POINT, trainer="joeynmt", bleu=10.0)])
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| 30 | joeynmt | 1000 | 10.0 ± 1.5 | 60.0 ± 1.0 |",
        "| 30 | ours | 1000 | 40.0 ± 1.5 | 60.0 ± 1.0 |",
        "| 60 | ours | 1000 | 40.0 ± 1.5 | 60.0 ± 1.0 |",
    ]
    assert "`bleu|x`" in text


def test_the_plot_is_a_png(tmp_path: Path) -> None:
    plot([POINT, replace(POINT, minutes=60.0), replace(POINT, trainer="joeynmt")], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
