"""Subtitles in text/plain (SubRip and WebVTT): what is spoken is translated, numbers, times and notes stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex

from serve.text.markup.pieces import Piece, join_pieces, split_edges

_TIME = r"(?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_TIMES = regex.compile(rf"[ \t\ufeff]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t][^\n]*)?\s*")
_SPEAKER = regex.compile(r"\s*(?:<[^<>]*+>)*+\s*+[-–—‐‑]\s*\S")  # a line that is said by another one than the last
_SENTENCE_END = regex.compile(r"[.!?…。！？؟।][\"'”’»)\]]*+(?:<[^<>]*+>)*+\s*+\Z")
_HEADER = "WEBVTT"
_BLOCKS = ("NOTE", "STYLE", "REGION")


def is_subtitles(text: str) -> bool:
    """Whether the text has a line of two times with an arrow between them.

    >>> is_subtitles("1\\n00:00:01,000 --> 00:00:02,500\\nHello."), is_subtitles("a --> b")
    (True, False)
    """
    return "-->" in text and any(map(_TIMES.fullmatch, text.splitlines()))


def split_subtitles(text: str) -> list[Piece]:
    """The pieces of subtitles. What one speaker says in a cue is one piece, over as many lines as it has.

    A cue begins at a line of times and ends at a blank line. A line right in front of the times is its number or
    name. In WebVTT the header and the blocks NOTE, STYLE and REGION stay too.

    >>> [piece.text for piece in split_subtitles("1\\n00:01.000 --> 00:02.000\\nI see\\nyou.\\n") if piece.translated]
    ['I see\\nyou.']
    """
    return join_pieces(_split(text.splitlines(keepends=True), text.lstrip("\ufeff").startswith(_HEADER)))


def _split(lines: Sequence[str], is_web: bool) -> Iterator[Piece]:
    is_times = [_TIMES.fullmatch(line) is not None for line in lines] + [False]
    spoken = ""
    in_cue, in_block = False, is_web
    for index, line in enumerate(lines):
        if is_times[index]:
            in_cue, in_block = True, False
        elif not line.strip():
            in_cue = in_block = False
        elif is_web and not in_cue and line.split(maxsplit=1)[0].rstrip(":") in _BLOCKS:
            in_block = True
        elif in_cue and not is_times[index + 1]:
            if _SPEAKER.match(line) or _SENTENCE_END.search(spoken):
                yield from split_edges(spoken)
                spoken = ""
            spoken += line
            continue
        yield from split_edges(spoken)
        spoken = ""
        stays = in_block or in_cue or is_times[index + 1]
        yield from (Piece(line, False),) if stays else split_edges(line)
    yield from split_edges(spoken)
