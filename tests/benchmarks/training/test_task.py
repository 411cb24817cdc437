"""How the training benchmarks count work: without padding, without warm-up, operations by the formula."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.training.inputs import make_task, read_parts, write_channels
from benchmarks.training.task import Meter, Task
from train.corpus.encoding import Encoded, encode
from train.corpus.pairs import Pair
from train.corpus.tokenizer import load_tokenizer


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return make_task(read_parts(None), tmp_path_factory.mktemp("task"))


def test_operations_are_six_times_parameters_times_tokens_plus_attention() -> None:
    task = Task("", vocab_size=100, d_model=4, ffn_dim=8, layers=1)
    encoder, decoder = 4 * 16 + 2 * 4 * 8, 6 * 16 + 2 * 4 * 8 + 100 * 4
    keys_and_values = 2 * 16
    by_hand = 6 * ((encoder + keys_and_values) * 5 + decoder * 3) + 12 * 4 * (25 + 9 + 15)
    assert task.operations(np.array([5]), np.array([3])) == by_hand
    twice = task.operations(np.array([5, 5]), np.array([3, 3]))
    assert twice == 2 * by_hand  # attention is within a sentence, not across the batch


def test_the_meter_leaves_out_the_warm_up_and_ends_after_its_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    task = Task("", vocab_size=100, seconds=0.0, warm_up_steps=2)
    meter = Meter(task)
    meter.begin()
    lengths = np.array([1000])
    for _ in range(2):
        meter.update(lengths, lengths)
        assert not meter.done
    meter.update(np.array([3]), np.array([4]))
    assert meter.done
    meter.report()
    measured = json.loads(capsys.readouterr().out)
    assert (measured["steps"], measured["tokens_a_step"]) == (1, 4)
    ratio = measured["operations_per_second"] / measured["tokens_per_second"]
    assert ratio == pytest.approx(task.operations(np.array([3]), np.array([4])) / 4)


def test_all_trainers_are_given_the_same_pairs_and_pieces(task: Task) -> None:
    texts = [task.path(f"train.{language}").read_text(encoding="utf-8").splitlines() for language in ("en", "es")]
    pairs = [Pair(*pair) for pair in zip(*texts, strict=True)]
    tokenizer = load_tokenizer(task.path("tokenizer.model"))
    stored = Encoded(**np.load(task.path("ids.npz")))
    again, left_out = encode(pairs, tokenizer, 100)
    assert left_out == 0
    assert np.array_equal(stored.target, again.target)
    assert np.array_equal(stored.source_ends, again.source_ends)
    listed = task.path("vocabulary.txt").read_text(encoding="utf-8").splitlines()
    assert [tokenizer.piece_to_id(piece) for piece in listed] == list(range(task.vocab_size))


def test_the_task_survives_its_file(task: Task) -> None:
    assert Task.from_json(task.to_json()) == task


def test_no_sentence_stands_in_two_channels(tmp_path: Path) -> None:
    write_channels(tmp_path, read_parts(None))
    files = [tmp_path / name / "pairs.tsv" for name in ("training", "validation", "test")]
    rows = [[line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()] for file in files]
    sides = [{(side, text) for row in part for side, text in enumerate(row)} for part in rows]
    assert all(sides)
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
