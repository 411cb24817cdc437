"""Cleaning: both sides, what is dropped, and what two equal sentences are."""

from __future__ import annotations

from pathlib import Path

from train.corpus.cleaning import BLOCK, clean_pairs
from train.corpus.pairs import Pair
from train.corpus.workers import Workers


def shout(text: str) -> str:
    return text.strip().upper()


def test_each_side_is_cleaned_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    raw = [(" Hi. ", "Hola."), ("Hi.", " Hola. "), ("Hi.", "Buenas."), ("", "Nada."), ("Nothing.", " ")]
    cleaned = clean_pairs([Pair(*sides) for sides in raw], (str.strip, shout), tmp_path / "pairs", Workers())
    assert list(cleaned.pairs) == [Pair("Hi.", "HOLA."), Pair("Hi.", "BUENAS.")]
    assert cleaned.dropped == {"empty": 2, "repeated": 1}
    assert len(list(tmp_path.iterdir())) == 1  # the repeats are gone from the disk as well
    assert cleaned.source_keys[0] == cleaned.source_keys[1] and cleaned.target_keys[0] != cleaned.target_keys[1]


def test_repeats_are_found_across_blocks(tmp_path: Path) -> None:
    pairs = [Pair(f"Sentence {n}.", f"Frase {n}.") for n in range(BLOCK + 10)]
    cleaned = clean_pairs([*pairs, *pairs], (str, str), tmp_path / "pairs", Workers())
    assert list(cleaned.pairs) == pairs
    assert cleaned.dropped == {"empty": 0, "repeated": len(pairs)}


def test_nothing_is_cleaned_to_nothing(tmp_path: Path) -> None:
    cleaned = clean_pairs([], (str, str), tmp_path / "pairs", Workers())
    assert (len(cleaned.pairs), len(cleaned.source_keys), cleaned.dropped) == (0, 0, {"empty": 0, "repeated": 0})
