"""What is protected from translation, and how it comes back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from container.vocabulary import PLACEHOLDERS
from serve.text.masking import Mask, mask_spans


def mask_one(sentence: str, symbols: Sequence[str], glossary: Mapping[str, str]) -> Mask:
    ((mask, _),) = mask_spans(sentence, symbols, glossary)
    return mask


@pytest.mark.parametrize(
    ("sentence", "spans"),
    [
        ("See https://a.example/b?c=1, please.", ["https://a.example/b?c=1"]),
        ("See (www.example.org).", ["www.example.org"]),
        ("Write to a.b+c@mail.example.org.", ["a.b+c@mail.example.org"]),
        ("I <b>am</b> here<br/>.", []),  # tags are no spans: see test_tags.py
        ("1 < 2 and 3 > 2.", ["1", "2", "3", "2"]),
        ("I have 25 dogs and 3 cats.", ["25", "3"]),
        ("It costs 1,234.50 at 10:30 on 2024-01-02.", ["1,234.50", "10:30", "2024-01-02"]),
        ("The 25th of B52.", ["25th", "B52"]),
        ("You see.", []),
    ],
)
def test_untouched_spans(sentence: str, spans: list[str]) -> None:
    mask = mask_one(sentence, PLACEHOLDERS, {})
    assert [span.source for span in mask.spans] == spans
    assert not any(map(str.isdigit, mask.text)) and "http" not in mask.text
    assert mask.has_all_symbols(mask.text)
    assert mask.original == sentence


def test_a_glossary_term_is_a_whole_word_in_any_case_and_the_longest_wins() -> None:
    glossary = {"dog": "can", "hot dog": "perrito caliente", "c++": "C++"}
    mask = mask_one("Dog, hot dog, dogs and C++.", PLACEHOLDERS, glossary)
    assert mask.write_targets(mask.text) == "can, perrito caliente, dogs and C++."
    assert mask.write_sources(mask.text) == "Dog, hot dog, dogs and C++."


def test_a_lost_or_doubled_symbol_is_noticed() -> None:
    mask = mask_one("I have 25 dogs.", PLACEHOLDERS, {})
    symbol = mask.spans[0].symbol
    assert mask.has_all_symbols(f"Tengo {symbol} perros.")
    assert not mask.has_all_symbols("Tengo perros.")
    assert not mask.has_all_symbols(f"Tengo {symbol}o perros.")
    assert mask.write_targets(f"Tengo{symbol}o perros.") == "Tengo 25 o perros."
    assert not mask.has_all_symbols(f"Tengo {symbol} {symbol} perros.")


def test_more_spans_than_symbols_make_more_parts() -> None:
    parts = mask_spans("10 20 a 30", PLACEHOLDERS[:2], {})
    assert [(mask.original, gap) for mask, gap in parts] == [("10 20 a", " "), ("30", " ")]
    parts = mask_spans("x10-20-30, 40-50-60", PLACEHOLDERS[:2], {"x": "equis"})
    assert "".join(mask.original + gap for mask, gap in parts).strip() == "x10-20-30, 40-50-60"


def test_a_word_with_more_spans_than_symbols_is_cut_inside() -> None:
    parts = mask_spans('"'.join(["http://a.b", "http://c.d", "http://e.f"]), PLACEHOLDERS[:2], {})
    assert [(mask.original, gap) for mask, gap in parts] == [('http://a.b"http://c.d', ""), ('"http://e.f', " ")]


def test_what_is_too_long_is_shortened_between_spans() -> None:
    parts = mask_spans("a hot dog at 10 <b>b</b>", PLACEHOLDERS, {"hot dog": "perrito"}, lambda text: text.split(" "))
    assert [mask.original for mask, _ in parts] == ["a", "hot dog", "at", "10", "<b>b</b>"]


def test_without_symbols_spans_stand_as_they_are() -> None:
    mask = mask_one("I have 25 hot dogs", (), {"hot dogs": "perritos"})
    assert (mask.text, mask.left_out) == ("I have 25 hot dogs", ("25", "perritos"))


def test_a_translation_without_symbols_may_honour_them() -> None:
    mask = mask_one("10 and 10 cats", PLACEHOLDERS, {"cats": "gatos"})
    assert mask.without_symbols().text == "10 and 10 cats"
    assert mask.has_all_targets("10 y 10 gatos")
    assert not mask.has_all_targets("10 y gatos")
    assert not mask.has_all_targets("10 y 105 gatos")


@pytest.mark.parametrize("part", ["a", "1", "1.", "<a", "a@", "a.", "http://", "-", "1a"])
def test_no_text_takes_long(part: str) -> None:
    started = time.process_time()
    mask_one(part * 100_000, PLACEHOLDERS, {"dog": "can"})
    assert time.process_time() - started < 5
