"""What is told of a translation that must not be trusted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.text.warnings import join_warnings, repeats_itself


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
def test_a_repetition_is_seen(translation: str, source: str, expected: bool) -> None:
    assert repeats_itself(translation, source) is expected


@given(st.text(alphabet="ab ", max_size=60))
def test_no_repetition_is_missed(translation: str) -> None:
    end = f"{translation} "
    there = any(end[i : i + p] * 4 == end[i : i + 4 * p] for p in range(3, 41) for i in range(len(end) - 4 * p + 1))
    assert repeats_itself(translation, "I see it.") is there


def test_each_warning_of_a_text_is_told_once_and_only_the_first_few() -> None:
    assert join_warnings([None, "a", "b", "a", None]) == "a b"
    assert join_warnings(["a", "b", "c", "d", "e"]) == "a b c (and 2 more)"
    assert join_warnings([None]) is None
