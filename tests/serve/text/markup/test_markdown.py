"""Markdown in pieces: text is translated, structure stays, and the pieces are the text again."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.text.markup.markdown import find_markup, split_markdown


def translated(text: str) -> list[str]:
    pieces = split_markdown(text)
    assert "".join(piece.text for piece in pieces) == text
    return [piece.text for piece in pieces if piece.translated]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("# A heading ##\n", ["A heading"]),
        ("Title\n=====\nText\n---\n***\n", ["Title", "Text"]),
        ("* one\n  - two\n    1. three\n+ four\n10) five", ["one", "two", "three", "four", "five"]),
        ("- [ ] to do\n- [x] done", ["to do", "done"]),
        ("> quote\n> > # deeper\n>- item", ["quote", "deeper", "item"]),
        ("Two  \nlines\\\nhere", ["Two", "lines", "here"]),
        ("```python\nx = 1 # no\n```\nYes.", ["Yes."]),
        ("~~~~\n~~~\n```\n~~~~~\nYes.", ["Yes."]),
        ("> ```\n> code\n> ```\n> Yes.", ["Yes."]),
        ("~~~ never closed\nYes.", ["~~~ never closed", "Yes."]),
        ("| A name | B |\n|:--|--:|\n| a dog | `x|y` \\| z |\n\nEnd", ["A name", "B", "a dog", "`x|y` \\| z", "End"]),
        ("a | b\n--|--\nc | d\nEnd", ["a", "b", "c", "d", "End"]),
        ("Either a | b.\nSo.", ["Either a | b.", "So."]),
        ('[ref]: https://example.com "A title"\n[^1]: A footnote.', ["A footnote."]),
        ("---\ntitle: A title\ntags:\n  - x\n---\nText.", ["Text."]),
        ("---\nDear all,\n---\nText.", ["Dear all,", "Text."]),
        ("# Code\n\n    x = 1\n\n\ty = 2\n\nText", ["Code", "Text"]),
        ("- item\n\n    more of it\n\n# A", ["item", "more of it", "A"]),
        ("A letter.\n\n    Indented, no code.", ["A letter.", "Indented, no code."]),
        ("See **this** [link](https://a.org).", ["See **this** [link](https://a.org)."]),
        ("-5 degrees. #travel", ["-5 degrees. #travel"]),
        ("١. واحد\n• 二", ["واحد", "二"]),
        ("one\u2028two\x85three\x0bfour\x0cfive\rsix\u2029", ["one", "two", "three", "four", "five", "six"]),
        ("", []),
        (" \n\t\n", []),
    ],
)
def test_pieces(text: str, pieces: list[str]) -> None:
    assert translated(text) == pieces


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("This is **very** good.", [("**", "**")]),
        ("*a **b** c*", [("**", "**"), ("*", "*")]),
        ("__a__ and _b_ and ~~c~~ and ***d***", [("__", "__"), ("_", "_"), ("~~", "~~"), ("***", "***")]),
        ("A [good](https://a.org/b_(c) 'T') ![dog](d.png).", [("[", "](https://a.org/b_(c) 'T')"), ("![", "](d.png)")]),
        ("[![alt](i.png)](https://a.org)", [("![", "](i.png)"), ("[", "](https://a.org)")]),
        ("[x][1] [y] [see [^1] here](z)", [("[", "][1]"), ("[", "](z)")]),
        ("[**b**](u)", [("**", "**"), ("[", "](u)")]),
        ("这是**很**好", [("**", "**")]),
        ("`*a*` <b title='*c*'> \\*d\\*", []),
        ("2 * 3 * 4 and 5*3*2 and snake_case_name", []),
        ("** not ** this *", []),
        ("", []),
    ],
)
def test_find_markup(text: str, marks: list[tuple[str, str]]) -> None:
    found = find_markup(text)
    assert [(opening.text, closing.text) for opening, closing in found] == marks
    for pair in found:
        assert all(text[span.start : span.stop] == span.text and span.kind == "tag" for span in pair)


BLOCKS = ["# ", "#", "> ", "- ", "1. ", "[ ] ", "|", "---", "```", "~~~", "    ", "\t", "a", "Dog.", ":",
          "[x]: ", "*", "**", "_",
          "[", "](u)", "![", "`", "\\", "<b>", "=", " ", "中"]  # fmt: skip
SEPARATORS = ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\n\n"]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from([*BLOCKS, *SEPARATORS])).map("".join))


@given(TEXTS)
def test_the_pieces_are_the_text(text: str) -> None:
    for piece in translated(text):
        assert piece == piece.strip() != ""


@given(TEXTS)
def test_marks_are_nested_pairs(text: str) -> None:
    pairs = find_markup(text)
    for opening, closing in pairs:
        assert opening.stop <= closing.start
        for other, end in pairs:
            assert not opening.start < other.start < closing.start < end.start


HOSTILE = ["```x\n", "|-", "a|\n|-\n", "*a", "[a](", "](", "*a **", "` ``", "> > ", "\\|", "- - ", "_a ", "#  ", "[*a"]


@pytest.mark.parametrize("unit", [*BLOCKS, *HOSTILE])
def test_hostile_markdown_takes_linear_time(unit: str) -> None:
    for text in (unit * 10_000, "---\n" + unit * 10_000 + "x", "*" + f"{unit}\n" * 10_000):
        start = time.process_time()
        split_markdown(text)
        find_markup(text)
        assert time.process_time() - start < 3  # a tenth of it on one core; a quadratic pattern takes longer
