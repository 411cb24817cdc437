"""Cutting texts into sentences and parts; the layout comes back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.engine.interface import TextRules
from serve.text.parameters import Parameters
from serve.text.records import Record
from serve.text.segmentation import cut_sentence, join_text, segment, split_structure, split_structure_of_lines


def split_text(text: str, prefixes: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    document = segment(Record(text, Parameters()), TextRules(prefixes))
    return document.gaps, [sentence.text for sentence in document.sentences]


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
    gaps, found = split_text(text, ("Mr",))
    assert found == sentences
    assert join_text(gaps, found) == text


@given(st.text(alphabet="ab. \n\t\r-1)A\xa0\u2028"))
def test_only_white_space_between_words_changes(text: str) -> None:
    gaps, found = split_text(text, ())
    again = join_text(gaps, found)
    assert again.split() == text.split()
    assert again.count("\n") == text.count("\n")


def words(given: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in given]


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    sentence = "one two three, four five six; seven eight"
    assert cut_sentence(sentence, words, 8) == [sentence]
    assert cut_sentence(sentence, words, 4) == ["one two three,", "four five six;", "seven eight"]


def test_without_clauses_it_is_cut_between_words() -> None:
    assert cut_sentence("a b c d e", words, 2) == ["a b", "c d", "e"]
    assert cut_sentence("a, b c d e", words, 4) == ["a, b c d", "e"]  # a clause mark so early would waste tokens


@given(st.lists(st.sampled_from(["a", "bb,", "cccc;", "dd"]), min_size=1), st.integers(1, 9))
def test_parts_fit_and_lose_nothing(given_words: list[str], max_tokens: int) -> None:
    def count_tokens(given: Sequence[str]) -> list[int]:
        return [len(text.replace(" ", "")) for text in given]

    sentence = " ".join(given_words)
    parts = cut_sentence(sentence, count_tokens, max_tokens)
    assert " ".join(parts) == sentence
    assert all(sum(count_tokens(part.split())) <= max_tokens or " " not in part for part in parts)


SUBTITLES = "WEBVTT\n\n00:01.000 --> 00:04.000\n- I am here.\n- So am\nI.\n"
MARKDOWN = "# One\n\n```\nint x;\n```\n| a | b |\n|---|---|\n| c | 2.50 |\n> See **this**.\u2028Now.\n"


@pytest.mark.parametrize("text", [SUBTITLES, MARKDOWN, SUBTITLES.replace("\n", "\r\n"), "One.\vTwo.\x85Three.\u2029"])
def test_every_character_that_is_not_translated_stays(text: str) -> None:
    assert "".join(piece.text for piece in split_structure(text)) == text
    document = segment(Record(text, Parameters()), TextRules())
    assert join_text(document.gaps, [sentence.text for sentence in document.sentences]) == text


def test_each_line_of_a_cue_is_translated_without_the_dash_of_its_speaker() -> None:
    spoken = [piece.text for piece in split_structure(SUBTITLES) if piece.translated]
    assert spoken == ["I am here.", "So am", "I."]


def test_lines_of_a_body_know_the_structure_around_them() -> None:
    lines = MARKDOWN.removesuffix("\n").split("\n")
    pieces = split_structure_of_lines(MARKDOWN, lines)
    assert ["".join(piece.text for piece in each or ()) for each in pieces] == lines
    assert [piece.text for each in pieces for piece in each or () if piece.translated][:4] == ["One", "a", "b", "c"]
    assert split_structure_of_lines("One.\nTwo.", ["One.", "Two."]) == [None, None]


def test_a_tag_over_lines_is_one_span() -> None:
    text = 'I see\n<a\n  href="x. Y">it</a>.'
    document = segment(Record(text, Parameters()), TextRules())
    assert join_text(document.gaps, [sentence.text for sentence in document.sentences]) == text
    assert [sentence.mask.text for sentence in document.sentences] == ["I see", "it."]
