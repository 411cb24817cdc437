"""The embedded corpus: its size, its variety, its Spanish, and no sentence of the test part in the training part."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from data import sample

ROWS = [tuple(line.split("\t")) for line in sample.SAMPLE.read_text(encoding="utf-8").splitlines()]
TRAIN = [row for row in ROWS if row[3] == "train"]
TEST = [row for row in ROWS if row[3] == "test"]

# Proper names, which a dictionary of the language need not know.
NAMES = {"Londres"}


def test_every_row_has_four_columns_and_a_known_part() -> None:
    assert {len(row) for row in ROWS} == {4}
    assert {row[3] for row in ROWS} == {"train", "test"}
    assert all(cell == " ".join(cell.split()) != "" for row in ROWS for cell in row)


def test_it_is_large_enough() -> None:
    assert len(ROWS) >= 6_000
    assert sum(row[2] == "hand" for row in ROWS) >= 1_000
    assert 350 <= len(TEST) <= 500


def test_no_template_dominates() -> None:
    pairs = Counter(row[2] for row in ROWS)
    del pairs["hand"]
    assert len(pairs) >= 50
    name, most = pairs.most_common(1)[0]
    assert most <= 0.03 * len(ROWS), f"{name} has {most} of {len(ROWS)} pairs"


def test_every_template_has_as_many_pairs_as_the_others_of_its_part() -> None:
    for part, each in ((TRAIN, 80), (TEST, 32)):
        pairs = Counter(row[2] for row in part if row[2] != "hand")
        assert set(pairs.values()) == {each}


def test_it_has_1500_english_word_types() -> None:
    assert len({word for row in ROWS for word in re.findall(r"[a-z']+", row[0].lower())}) >= 1_500


def test_no_pair_occurs_twice() -> None:
    repeated = [pair for pair, count in Counter(row[:2] for row in ROWS).items() if count > 1]
    assert not repeated


@pytest.mark.parametrize("column", [0, 1], ids=["english", "spanish"])
def test_no_test_sentence_is_trained_on(column: int) -> None:
    assert not {row[column] for row in TRAIN} & {row[column] for row in TEST}


def test_whole_templates_are_held_out() -> None:
    grammatical = {row[2] for row in TEST} - {"hand"}
    assert grammatical
    assert not grammatical & {row[2] for row in TRAIN}
    assert sum(row[2] == "hand" for row in TEST) >= 100


def test_held_out_templates_use_only_english_words_that_are_taught() -> None:
    taught = {word for row in TRAIN for word in re.findall(r"\w+", row[0].lower())}
    asked = {word for row in TEST if row[2] != "hand" for word in re.findall(r"\w+", row[0].lower())}
    assert asked <= taught


@pytest.mark.parametrize("opening, closing", ["¿?", "¡!"])
def test_spanish_marks_open_and_close_with_the_english_ones(opening: str, closing: str) -> None:
    for english, spanish, *_ in ROWS:
        assert spanish.count(opening) == spanish.count(closing), spanish
        assert (closing in english) == (closing in spanish), f"{english} / {spanish}"


def test_every_sentence_starts_with_a_capital_and_ends_with_a_mark() -> None:
    for row in ROWS:
        for text in row[:2]:
            first = re.sub("[¿¡]", "", text)[0]
            assert first.isupper() and text[-1] in ".?!", text


def test_spanish_contracts_articles_and_conjunctions() -> None:
    articles = r"a el|de el|(la|una) (agua|aula|águila)"
    conjunctions = r"y (i|hi(?!e))\w+|o h?o\w+"
    wrong = re.compile(rf"\b({articles}|{conjunctions})\b", re.I)
    assert not [row[1] for row in ROWS if wrong.search(row[1])]


def test_english_articles_agree_with_the_next_sound() -> None:
    exceptions = r"(?!uni|euro|use|one\b)"
    wrong = re.compile(rf"\b(a {exceptions}[aeiou]\w*|an (?!hour|honest)[^aeiou\W]\w*)", re.I)
    assert not [row[0] for row in ROWS if wrong.search(row[0])]


@pytest.mark.parametrize("dictionary", ["es_ES", "es_MX"])
def test_every_spanish_word_is_in_the_dictionary(dictionary: str) -> None:
    if not shutil.which("hunspell"):
        message = "hunspell is missing, so the spelling is not checked: apt-get install hunspell hunspell-es"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    listing = subprocess.run(
        ["hunspell", "-i", "utf-8", "-d", dictionary, "-l"],
        input="\n".join(row[1] for row in ROWS),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert "Can't open" not in listing.stderr, f"hunspell has no {dictionary}: apt-get install hunspell-es"
    assert set(listing.stdout.split()) <= NAMES


def test_the_channels_hold_the_two_parts(tmp_path: Path) -> None:
    sample.main([str(tmp_path / "input data")])
    for channel, rows in (("training", TRAIN), ("test", TEST)):
        lines = (tmp_path / "input data" / channel / "sample.tsv").read_text(encoding="utf-8").splitlines()
        assert lines == [f"{english}\t{spanish}" for english, spanish, *_ in rows]


def test_the_readme_states_the_true_size() -> None:
    readme = (sample.SAMPLE.parent / "README.md").read_text(encoding="utf-8")
    words = sum(len(row[0].split()) for row in ROWS)
    assert f"| {len(ROWS):,} | {words:,} | {sample.SAMPLE.stat().st_size:,} | CC0" in readme
    for rows in (TRAIN, TEST):
        assert f"| {len(rows):,} | {sum(row[2] == 'hand' for row in rows):,} hand-written pairs" in readme
