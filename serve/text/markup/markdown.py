"""Markdown in text/plain: the marks of its structure stay, what people read is translated.

Structure is what a line shows: headings, lists, quotes, tables, fences, rules, definitions of links. A mark that stays
harms no text that is no Markdown. Code by indentation and front matter count only where they are certain.
Marks inside a line (emphasis, links) belong to the sentence: `find_markup` says which, in pairs, like tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import regex

from serve.text.markup.pieces import Piece, join_pieces, split_edges
from serve.text.spans import WORD_CHARACTER, Span

_FENCE = regex.compile(r"(?P<indent>[\s>]*)(?P<fence>`{3,}+|~{3,}+)(?P<info>[^`\n]*+)\s*")
_FRONT_MATTER_LINE = regex.compile(r"[\w\-.]+\s*:(?:\s.*)?|\s.*|#.*|- .*|", regex.DOTALL)
_RULE = regex.compile(r"[^\S\n]*(?:=++|(?:[-*_]\s*){3,}+)\s*")
# Marks in front of the text of a line: quotes, headings, bullets, numbers, boxes to tick, the name of a footnote.
_MARKS = regex.compile(
    r"\s*+(?:(?:>|\#{1,6}+(?=\s)|[-*+•‣◦–](?=\s)|\p{Nd}{1,9}+[.)](?=\s)|\[[ xX]\](?=\s)|\[\^[^\]\s]++\]:)\s*+)*+"
)
_HEADING_END = regex.compile(r"\s#++\s*\Z")
_HARD_BREAK = regex.compile(r"\\\s*\Z")
_DEFINITION = regex.compile(r"\s*\[[^\[\]^][^\[\]]*+\]:\s*\S.*", regex.DOTALL)
_DELIMITERS = regex.compile(r"[\s>]*\|?+\s*:?+-++:?+\s*(?:\|\s*:?+-++:?+\s*)*+\|?+\s*")
_CELL_END = regex.compile(r"\\.|(`++)(?:(?!`).)*+\1|\|", regex.DOTALL)
_INDENTED = regex.compile(r"(?: {4}| {0,3}\t)\s*+\S")
_LIST_ITEM = regex.compile(r"\s*(?:[-*+•]|\p{Nd}{1,9}+[.)])\s")
# What shows that a text is Markdown: a heading, a link, strong emphasis at the edge of words.
_SIGNS = regex.compile(r"(?m)^\#{1,6}+ +\S|\]\([^\s()]++\)|(?<!\S)\*\*(?=\S)[^*\n]++\*\*(?!\w)|^(?:```|~~~)")

_INLINE = regex.compile(
    r"""\\. | (?<!`)(`++)(?!`)(?:(?!`).)++\1(?!`) | <[^<>\n]++> | \[\^[^\]\s]++\]
      | (?<emphasis>\*++|_++|~++)
      | (?<link>!?\[) | (?<close>\](?:\((?:[^()\n\\]++|\\.|\([^()\n]*+\))*+\)|\[[^\[\]\n]*+\])?+)""",
    regex.VERBOSE | regex.VERSION1,
)
_EMPHASIS = frozenset(("*", "**", "***", "_", "__", "___", "~~"))
_IN_WORD = regex.compile(rf"(?V1){WORD_CHARACTER}")


def split_markdown(text: str) -> list[Piece]:
    """The pieces of a document: a line's text, a table's cell; all else stays. Every line separator is kept.

    >>> [piece.text for piece in split_markdown("# One\\n- Two.\\n\\n```\\ncode\\n```\\n") if piece.translated]
    ['One', 'Two.']
    """
    lines = text.splitlines(keepends=True)
    start = _front_matter(lines)
    pieces = [Piece("".join(lines[:start]), False), *_split(lines[start:], _SIGNS.search(text) is not None)]
    return join_pieces(pieces)


def find_markup(text: str) -> list[tuple[Span, Span]]:
    """The marks around emphasised words and the texts of links and images: those that open and those that close.

    In the order in which they close; their kind is `tag`. What is in code or behind a backslash is no mark.

    >>> [(a.text, b.text) for a, b in find_markup("This is **very** [good](https://a.org).")]
    [('**', '**'), ('[', '](https://a.org)')]
    """
    pairs: list[tuple[Span, Span]] = []
    open_: list[Span] = []
    count = Counter[str]()  # of each mark in `open_`

    def close(closing: Span | None, *marks: str) -> bool:
        """Take what is open back to the last of `marks`; without `closing`, it was no markup."""
        found = any(count[mark] for mark in marks)
        while found:
            opening = open_.pop()
            count[opening.text] -= 1
            if opening.text in marks:
                pairs.extend([(opening, closing)] if closing else [])
                break
        return found

    def open_mark(span: Span) -> None:
        open_.append(span)
        count[span.text] += 1

    for found in _INLINE.finditer(text):
        span = Span(found.start(), found.end(), "tag", found[0], found[0])
        if found["link"]:
            open_mark(span)
        elif found["close"]:
            close(span if len(span.text) > 1 else None, "[", "![")
        elif found["emphasis"] in _EMPHASIS:  # at the edge of words: 5*3 and snake_case have none
            before, behind = text[max(0, span.start - 1) : span.start], text[span.stop : span.stop + 1]
            ends = before.strip() and not _IN_WORD.match(behind)
            if not (ends and close(span, span.text)) and behind.strip() and not _IN_WORD.match(before):
                open_mark(span)
    return pairs


def _split(lines: Sequence[str], certain: bool) -> Iterator[Piece]:
    """Pieces of lines; `certain`: the text is Markdown without doubt, so that indented lines may be code."""
    fences = [_FENCE.fullmatch(line) for line in lines]
    closing = _longest_closing(fences)
    index, in_list, after_blank = 0, False, True
    while index < len(lines):
        line, first = lines[index], index
        fence = fences[index]
        if fence and closing[index + 1][fence["fence"][0]] >= len(fence["fence"]):
            index += 1
            while not _closes(fences[index], fence["fence"]):
                index += 1
            yield Piece("".join(lines[first : index + 1]), False)
        elif "|" in line and _DELIMITERS.fullmatch(following := "".join(lines[index + 1 : index + 2])):
            yield from _row(line)
            yield Piece(following, False)
            index += 1
            while index + 1 < len(lines) and "|" in lines[index + 1]:
                index += 1
                yield from _row(lines[index])
        elif certain and after_blank and not in_list and _INDENTED.match(line):
            while index + 1 < len(lines) and _INDENTED.match(lines[index + 1]):
                index += 1
            yield Piece("".join(lines[first : index + 1]), False)
        elif _RULE.fullmatch(line) or _DEFINITION.fullmatch(line):
            yield Piece(line, False)
        else:
            yield from _line(line)
            in_list = _LIST_ITEM.match(line) is not None or (in_list and line[:1].isspace())
        after_blank = not lines[index].strip()
        index += 1


def _line(line: str) -> Iterator[Piece]:
    marks = _marks(line)
    rest = line[len(marks) :]
    end = (_HEADING_END if "#" in marks else _HARD_BREAK).search(rest)
    stop = end.start() if end else len(rest)
    yield Piece(marks, False)
    yield from split_edges(rest[:stop])
    yield Piece(rest[stop:], False)


def _row(row: str) -> Iterator[Piece]:
    """The cells of a line of a table; `|` behind a backslash or in code is a cell's own."""
    marks = _marks(row)
    position = len(marks)
    yield Piece(marks, False)
    for found in _CELL_END.finditer(row, position):
        if found[0] == "|":
            yield from split_edges(row[position : found.start()])
            yield Piece("|", False)
            position = found.end()
    yield from split_edges(row[position:])


def _marks(line: str) -> str:
    found = _MARKS.match(line)
    return found[0] if found else ""


def _front_matter(lines: Sequence[str]) -> int:
    """How many lines at the top are settings between two lines `---`."""
    if not lines or lines[0].strip() != "---":
        return 0
    for index, line in enumerate(lines[1:], start=1):
        if line.strip() in ("---", "..."):
            return index + 1 if index > 1 else 0
        if not _FRONT_MATTER_LINE.fullmatch(line.rstrip()):
            return 0
    return 0


def _longest_closing(fences: Sequence[regex.Match[str] | None]) -> list[dict[str, int]]:
    """For each line, the longest fence of each kind, from there on, that can close another."""
    longest = [{"`": 0, "~": 0}]
    for fence in reversed(fences):
        known = longest[-1]
        if fence and not fence["info"].strip():
            mark = fence["fence"]
            known = {**known, mark[0]: max(known[mark[0]], len(mark))}
        longest.append(known)
    return longest[::-1]


def _closes(fence: regex.Match[str] | None, opening: str) -> bool:
    return fence is not None and not fence["info"].strip() and fence["fence"].startswith(opening)
