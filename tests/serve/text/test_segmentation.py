"""Cutting texts into sentences and parts; the layout comes back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.text.segmentation import join, loops, shorten, split


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("Mr. Hill came. He sat.", ["Mr. Hill came.", "He sat."]),
        ("  One.\n\n\n\tTwo. \r\nThree", ["One.", "Two.", "Three"]),
        ("- One.\n  2) Two.\n# Three", ["One.", "Two.", "Three"]),
        ("-5 is cold.", ["-5 is cold."]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_sentences_and_layout(text: str, sentences: list[str]) -> None:
    gaps, found = split(text, ("Mr",))
    assert found == sentences
    assert join(gaps, found) == text


@given(st.text(alphabet="ab. \n\t\r-1)A\xa0\u2028"))
def test_only_white_space_between_words_changes(text: str) -> None:
    gaps, found = split(text, ())
    again = join(gaps, found)
    assert again.split() == text.split()
    assert again.count("\n") == text.count("\n")


def words(given: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in given]


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    sentence = "one two three, four five six; seven eight"
    assert shorten(sentence, words, 8) == [sentence]
    assert shorten(sentence, words, 4) == ["one two three,", "four five six;", "seven eight"]


def test_without_clauses_it_is_cut_between_words() -> None:
    assert shorten("a b c d e", words, 2) == ["a b", "c d", "e"]
    assert shorten("a, b c d e", words, 4) == ["a, b c d", "e"]  # a clause mark so early would waste the room


@given(st.lists(st.sampled_from(["a", "bb,", "cccc;", "dd"]), min_size=1), st.integers(1, 9))
def test_parts_have_room_and_lose_nothing(given_words: list[str], room: int) -> None:
    def sizes(given: Sequence[str]) -> list[int]:
        return [len(text.replace(" ", "")) for text in given]

    sentence = " ".join(given_words)
    parts = shorten(sentence, sizes, room)
    assert " ".join(parts) == sentence
    assert all(sum(sizes(part.split())) <= room or " " not in part for part in parts)


@pytest.mark.parametrize(
    ("translation", "source", "expected"),
    [
        ("the dog the dog the dog the dog", "I see it.", True),
        ("Nanananananananananana", "I see it.", True),
        ("abcabcabcabc", "I see it.", True),
        ("no, no, no, no, no", "No, no, no, no, no.", False),
        ("I see the dog and the cat.", "x", False),
        ("Ha ha ha!", "x", False),
    ],
)
def test_loops(translation: str, source: str, expected: bool) -> None:
    assert loops(translation, source) is expected


@given(st.text(alphabet="ab ", max_size=60))
def test_no_loop_is_missed(translation: str) -> None:
    end = f"{translation} "
    there = any(end[i : i + p] * 4 == end[i : i + 4 * p] for p in range(3, 41) for i in range(len(end) - 4 * p + 1))
    assert loops(translation, "I see it.") is there
