"""What is protected from translation, and how it comes back."""

from __future__ import annotations

import time

import pytest

from container.text import PLACEHOLDERS
from serve.spans import mask


@pytest.mark.parametrize(
    ("sentence", "spans"),
    [
        ("See https://a.example/b?c=1, please.", ["https://a.example/b?c=1"]),
        ("See (www.example.org).", ["www.example.org"]),
        ("Write to a.b+c@mail.example.org.", ["a.b+c@mail.example.org"]),
        ("I <b>am</b> here<br/>.", ["<b>", "</b>", "<br/>"]),
        ("1 < 2 and 3 > 2.", []),
        ("I have 25 dogs and 3 cats.", ["25"]),
        ("It costs 1,234.50 at 10:30 on 2024-01-02.", ["1,234.50", "10:30", "2024-01-02"]),
        ("The 25th of B52.", []),
        ("You see.", []),
    ],
)
def test_untouched_spans(sentence: str, spans: list[str]) -> None:
    masked = mask(sentence, PLACEHOLDERS, {})
    assert [span.source for span in masked.spans] == spans
    assert not any(span in masked.text for span in spans)
    assert masked.kept_by(masked.text)
    assert masked.fill(masked.text) == masked.fill_source(masked.text) == sentence


def test_a_glossary_term_is_a_whole_word_in_any_case_and_the_longest_wins() -> None:
    glossary = {"dog": "can", "hot dog": "perrito caliente", "c++": "C++"}
    masked = mask("Dog, hot dog, dogs and C++.", PLACEHOLDERS, glossary)
    assert masked.fill(masked.text) == "can, perrito caliente, dogs and C++."
    assert masked.fill_source(masked.text) == "Dog, hot dog, dogs and C++."


def test_a_lost_or_doubled_symbol_is_noticed() -> None:
    masked = mask("I have 25 dogs.", PLACEHOLDERS, {})
    symbol = masked.spans[0].symbol
    assert masked.kept_by(f"Tengo {symbol} perros.")
    assert not masked.kept_by("Tengo perros.")
    assert not masked.kept_by(f"Tengo {symbol} {symbol} perros.")


def test_more_spans_than_symbols_are_left_out() -> None:
    masked = mask("10 20 30", PLACEHOLDERS[:2], {})
    assert masked.left_out == ("30",)
    assert mask("10 20", (), {}).text == "10 20"


@pytest.mark.parametrize("part", ["a", "1", "1.", "<a", "a@", "a.", "http://", "-", "1a"])
def test_no_text_takes_long(part: str) -> None:
    started = time.monotonic()
    mask(part * 100_000, PLACEHOLDERS, {"dog": "can"})
    assert time.monotonic() - started < 5
