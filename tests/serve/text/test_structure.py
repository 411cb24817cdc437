"""What is structure of a text and what is translated: subtitles and Markdown, lines of a text/plain body."""

from __future__ import annotations

import pytest

from serve.engine.interface import TextRules
from serve.text.parameters import Parameters
from serve.text.records import Record
from serve.text.segmentation import join_text, segment, split_structure, split_structure_of_lines

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
