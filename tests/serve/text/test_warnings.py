"""Bounds and doubts of translations that need no model, and what is told of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.text.warnings import (
    cut_loop,
    join_warnings,
    length_is_doubtful,
    repeats_itself,
)


@pytest.mark.parametrize(
    ("translation", "cut"),
    [
        ("Yo no sé qué no sé qué no sé qué no sé qué no s", "Yo no sé qué"),
        ("abc abc abc abc", "abc"),
        ("Va: jajajajajajajajaja", "Va: jaja"),
        ("la la la la la la casa", "la casa"),
        ("狗和猫狗和猫狗和猫狗和猫", "狗和猫"),
        ("one\ntwo\none\ntwo\none\ntwo\none\ntwo\n", "one\ntwo"),
    ],
)
def test_a_loop_is_cut(translation: str, cut: str) -> None:
    assert repeats_itself(translation, "I do not know.")
    assert cut_loop(translation) == cut
    assert not repeats_itself(cut_loop(translation), "I do not know.")


@pytest.mark.parametrize(
    "text", ["", "Te quiero.", "no, no, no", "mucho mucho mucho", "El perro y el gato y el ratón."]
)
def test_what_does_not_repeat_stays(text: str) -> None:
    assert not repeats_itself(text, "x")
    assert cut_loop(text) == text


def test_a_source_that_repeats_itself_may_be_repeated() -> None:
    assert not repeats_itself("ja ja ja ja ja ja", "ha ha ha ha ha ha")


@given(st.one_of(st.text(), st.lists(st.sampled_from(["abc ", "a", " ", "no sé "])).map("".join)))
def test_cutting_keeps_the_beginning_and_never_adds(text: str) -> None:
    cut = cut_loop(text)
    assert len(cut) <= len(text)
    assert cut[:3] == text[: len(cut)][:3]


LONG = (
    "When I was a child, we lived in a small house at the end of the village, and every morning my father walked with "
    "us to the school, which stood on the other side of the river, while my mother went to the market with her sister."
)


@pytest.mark.parametrize(
    ("source", "translation", "doubtful"),
    [
        (LONG, LONG, False),
        (LONG, LONG[:60], True),
        (LONG[:60], LONG, True),
        ("Hi", "Hola", False),
        ("Yes.", "", False),
        ("Good morning!", "¡Buenos días!", False),
        ("I love you very much.", "Te quiero un montón.", False),
        ("I have lived in this house since I was a child.", "我从小就住在这所房子里。", False),
        ("我从小就住在这所房子里。", "I have lived in this house since I was a child.", False),
        ("我从小就住在这所房子里，每天早上都和父亲一起去学校。", "I live.", True),
        ("", "", False),
    ],
)
def test_length_is_doubtful(source: str, translation: str, doubtful: bool) -> None:
    assert length_is_doubtful(source, translation) is doubtful


def test_a_pair_of_languages_has_its_ratio() -> None:
    assert length_is_doubtful("a" * 100, "b" * 40)
    assert not length_is_doubtful("a" * 100, "b" * 40, ratio=0.5)


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
