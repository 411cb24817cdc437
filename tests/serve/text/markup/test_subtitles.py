"""Subtitles in pieces: what is spoken is translated, all else stays, and the pieces are the text again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.text.markup.subtitles import is_subtitles, split_subtitles


def translated(text: str) -> list[str]:
    pieces = split_subtitles(text)
    assert "".join(piece.text for piece in pieces) == text
    return [piece.text for piece in pieces if piece.translated]


SUBRIP = (
    "\ufeff1\r\n00:00:01,000 --> 00:00:02,500 X1:40 X2:600\r\n- Where are you?\r\n- I am here, and I\r\nwill wait.\r\n"
    "\r\n"
    "2\r\n00:00:03,000 --> 00:00:04,000\r\n<i>I never thought</i>\r\nI would see you.\r\n"
)
WEBVTT = """WEBVTT - A title
Kind: captions

NOTE
A comment. It stays.

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.000 align:start position:0%
<v Roger>I see you.
You too.

00:03.000 --> 00:04.000
NOTE this well
7
00:05.000 --> 00:06.000
Bye
"""


def test_subrip() -> None:
    assert translated(SUBRIP) == [
        "- Where are you?",
        "- I am here, and I\r\nwill wait.",
        "<i>I never thought</i>\r\nI would see you.",
    ]


def test_webvtt() -> None:
    assert translated(WEBVTT) == ["<v Roger>I see you.", "You too.", "NOTE this well", "Bye"]


@pytest.mark.parametrize(
    ("text", "subtitles"),
    [
        (SUBRIP, True),
        (WEBVTT, True),
        ("00:01.5 --> 00:02.5", True),
        ("Go from a --> b.", False),
        ("At 00:00:01,000 --> 00:00:02,000 he said so.", False),
        ("1 --> 2\n", False),
        ("", False),
    ],
)
def test_subtitles_are_known_by_their_times(text: str, subtitles: bool) -> None:
    assert is_subtitles(text) is subtitles


LINES = ["00:00:01,000 --> 00:00:02,000", "WEBVTT", "NOTE", "1", "Hello.", "- I", " see <i>", "", " ", "-->", "\ufeff"]
SEPARATORS = ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\n\n"]


@given(st.one_of(st.text(), st.lists(st.sampled_from([*LINES, *SEPARATORS])).map("".join)))
def test_the_pieces_are_the_text(text: str) -> None:
    for piece in translated(text):
        assert piece == piece.strip() != ""


def test_hostile_subtitles_take_linear_time() -> None:
    for unit in (
        "00:00:01,000 --> ",
        "00:00:01,000 --> 00:00:02,000\n",
        "a\n",
        "<i>",
        "!\n",
        "- \n",
        '!"',
        "WEBVTT\n\nNOTE ",
    ):
        assert translated(unit * 20_000) is not None
