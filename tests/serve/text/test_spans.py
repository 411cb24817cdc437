"""Spans that a translation must keep: found in whole texts of any script, the longer first, in linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serve.text.spans import Span, find_spans


def found(text: str, glossary: dict[str, str] | None = None) -> list[tuple[str, str]]:
    return [(span.kind, span.text) for span in find_spans(text, glossary)]


NUMBERS = [
    "25", "70kg", "70 kg", "5 €", "$5", "US$5.50", "€ 5", "20 °C", "-5 °C", "−3", "+7", "3rd", "2ª", "10-12",
    "1990–2000",
    "1,234.5", "1.234,5", "1 234 567", "1\u202f234\u202f567", "1'234'567.89", "12.5%", "12 %", "5'7\"",
    "v2.0.1", "10:30",
    "2024-01-02", "2024-01-02T10:30:00Z", "2024-01-02T10:30:00+02:00", "12/31/2024", "3/4", "½", "+34 600 123 456",
    "(555) 123-4567", "+1 (555) 123-4567", "06 12 34 56 78", "20 km/h", "5 m²", "#5", "№ 5", "§ 7", "COVID-19",
    "F-16",
    "H2O", "R2-D2", "192.168.0.1:8080", "3.14e-10", "50%-60%", "$5-$10", "18+", "٢٥", "٣٫١٤", "۱۲۳٬۴۵۶٫۷۸",
    "१२", "２５",
    "5*3=15", ".5 kg", "500 MB", "25dogs", "4️⃣",
]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_one_span(number: str) -> None:
    kind = "hashtag" if number == "#5" else "number"
    assert found(number) == [(kind, number)]
    assert found(f"It is {number}, he said.") == [(kind, number)]
    assert found(f"({number})") == [(kind, number)]


OTHERS = {
    "url": [
        "https://example.com", "http://a.org/b?c=d,e&f=1#g", "https://en.wikipedia.org/wiki/A_(b)",
        "www.example.com/x",
        "HTTP://EXAMPLE.COM", "ftp://x.org/f.txt", "mailto:a@b.org", "https://zh.wikipedia.org/wiki/中文",
    ],
    "email": ["dog@example.com", "first.last+tag@sub.example.co.uk", "ñandú@correo.es"],
    "placeholder": [
        "{name}", "{0}", "{}", "{{ x }}", "{{x}}", "${x}", "%s", "%d", "%(x)d", "%1$s", "%.2f", "%@", "%%", "{0:.2f}",
        "{user.name}", "{count, number}", "{% if x %}", "<%= x %>", "$HOME", "%name%", ":smile:", "\\n", "#{x}",
    ],
    "handle": ["@good_morning", "@a.b", "@user@example.com"],
    "hashtag": ["#travel", "#日本", "#año2024"],
    "path": [
        "/usr/bin/env", "~/notes", "./run", "../x/y.z", "C:\\Users\\x", "\\\\server\\share", "a/b.txt", "report.pdf",
        "archive.tar.gz", "example.com", "example.com/path",
    ],
    "code": ["`a.b()`", "``x ` y``"],
    "tag": [
        "<b>", "</b>", "<br/>", '<a href="x > y. Z" title=\'q\'>', "<a\n  href='x'\n>", "<!-- One. Two. -->",
        "<!-- <b> -->",
        "<![CDATA[x < y]]>", "<!DOCTYPE html>", "<?xml version='1.0'?>", "<code>x = 1. Y</code>", "<b class=x\"y>",
        "<script>if (a < b) alert('X. Y')</script>", "<a " + "data-x='yes. No' " * 100 + ">", "<https://example.com>",
    ],
    "symbol": ["🐶", "👩‍👩‍👧", "👍🏽", "🇪🇸", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "→", "€", "≤", ":-)", "🐶🐱", "™"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in OTHERS.items() for text in texts])
def test_each_kind(kind: str, text: str) -> None:
    assert found(text) == [(kind, text)]
    assert found(f"Look at {text} now.") == [(kind, text)]
    assert (kind, text) in found(f"一个 {text} 。")


@pytest.mark.parametrize(
    "text",
    [
        "I love you.", "Mr. Brown is a teacher.", "and so on...", "Inc. CEO", "end.The next", "the dog's tail",
        "a.m.",
        "“Quoted” (in brackets) — and more; ¿no?", "{not a span, but words in braces}", "Привет, мир!", "我喜欢狗。",
        "สวัสดีครับ", "हिन्दी", "a \x00 b \ud800 c", "", " \n ",
    ],
)  # fmt: skip
def test_ordinary_text_has_none(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("See https://a.org/b_(c)).", ["https://a.org/b_(c)"]),
        ("Is it www.a.org?", ["www.a.org"]),
        ("访问https://example.com。谢谢", ["https://example.com"]),
        ("写信给dog@example.com吧", ["dog@example.com"]),
        ("我有25只狗", ["25"]),
        ("ฉันมี25ตัว", ["25"]),
        ("100% sure, 50% off", ["100%", "50%"]),
        ("10:30 pm", ["10:30"]),
        ("In 2000, 300 people.", ["2000", "300"]),
        ("10-year-old", ["10"]),
        ("1. Open the door. 2. Close it.", ["1", "2"]),
        ('He said "25".', ["25"]),
        ("if x<y then z", ["<"]),
        ("I <3 you", ["<3"]),
        ("Hello\\nWorld", ["\\n"]),
        ("Price: $5, $6.", ["$5", "$6"]),
        ("**https://a.org**", ["**", "https://a.org", "**"]),
    ],
)
def test_where_a_span_ends(text: str, spans: list[str]) -> None:
    kept = [span.text for span in find_spans(text)]
    assert kept == spans


def test_an_entity_says_which_character_it_stands_for() -> None:
    spans = find_spans("Tom &amp; Jerry&#39;s &#x1F436; &nosuch; &#0;")
    assert [(span.text, span.value) for span in spans if span.kind == "entity"] == [
        ("&amp;", "&"), ("&#39;", "'"), ("&#x1F436;", "🐶"), ("&#0;", "&#0;"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "glossary", "spans"),
    [
        ("Write to dog@example.com.", {"dog": "can"}, [("email", "dog@example.com")]),
        ("At 10:30, 10 dogs.", {"10": "diez"}, [("number", "10:30"), ("glossary", "10")]),
        ("the dog's tail", {"dog": "can"}, [("glossary", "dog")]),
        ("hotdog dogs", {"dog": "can"}, []),
        ("A New York dog", {"York": "x", "New York": "Nueva York"}, [("glossary", "New York")]),
        ("NEW\nYORK", {"New York": "Nueva York"}, [("glossary", "NEW\nYORK")]),
        ("我喜欢狗和猫", {"狗": "dog"}, [("glossary", "狗")]),
        ("cafe\u0301 cafe", {"café": "coffee"}, [("glossary", "cafe\u0301")]),
        ("हिन्दी", {"हिन्द": "x"}, []),
        ("C++ or C", {"C++": "C++"}, [("glossary", "C++")]),
        ("STRASSE", {"straße": "calle"}, [("glossary", "STRASSE")]),
        ("dog 12.5 kg", {"dog 12": "x", "dog": "can"}, [("glossary", "dog"), ("number", "12.5 kg")]),
        ("nothing", {"": "x", " ": "y"}, []),
    ],
)
def test_the_longer_span_wins(text: str, glossary: dict[str, str], spans: list[tuple[str, str]]) -> None:
    assert found(text, glossary) == spans


def test_a_glossary_term_counts_more_than_a_span_of_its_length() -> None:
    assert find_spans("25", {"25": "veinticinco"}) == [Span(0, 2, "glossary", "25", "veinticinco")]


def test_words_with_characters_that_the_model_lacks_are_symbols() -> None:
    spans = find_spans("Łukasz (and “you”) like 狗 €", is_known=lambda each: each.isascii() and each not in "()")
    assert [(span.kind, span.text) for span in spans] == [
        ("symbol", "Łukasz"), ("symbol", "("), ("symbol", "“"), ("symbol", "”)"), ("symbol", "狗"), ("symbol", "€"),
    ]  # fmt: skip
    assert found("A & B") == [("symbol", "&")]
    assert find_spans("A & B", is_known=str.isprintable) == []
    composed = "cafe\u0301"
    assert find_spans(composed, is_known=lambda each: each in "café") == []


PIECES = ["25", "1", "a", "A-", "dog", " ", "\n", ".", ",", "<", ">", "<b ", "='", '"', "'", "&amp;", "@",
          "://", "http", "%",
          "{", "}", "`", "$", "(", ")", "中", "٣", "🐶", "\u200d", "\u0301", "€", "\ufe0f", "-", "+", "/", "\\",
          "½", "²", "Ⅳ",
          "<!--", "-->", "\ud800", "\x00", "#", ":"]  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join))


@given(TEXTS, st.dictionaries(TEXTS, st.text(), max_size=3))
@example("1 2<b x='1", {})
@example("http://1.", {})
def test_spans_are_in_order_and_every_digit_is_in_one(text: str, glossary: dict[str, str]) -> None:
    spans = find_spans(text, glossary)
    position = 0
    for span in spans:
        assert position <= span.start < span.stop <= len(text)
        assert span.text == text[span.start : span.stop]
        assert not any(map(str.isdecimal, text[position : span.start]))
        position = span.stop
    assert not any(map(str.isdecimal, text[position:]))


SIZE = 40_000  # characters
HOSTILE = [
    "<a ", "<a b='", "<a b=\"'\" c='\"", "<!--", "<![CDATA[", "<code>", "&", "&#", "A-", "-km", "1 ", "12 ",
    "123 ", "1.a",
    "a.", "a/", "@a", "a@", "a@a.", "://", "http://)", "{", "{a,", "{{", "%(", "$", "`", "` ``", "12-", "(12",
    "🐶\u200d", "\\",
    "中1", "#", ":a", "'1\"", "x", "1", " ", "<", "\u0301", "€ ",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    text = (unit * SIZE)[:SIZE] + "A"  # what cannot go on at the end is what makes a pattern try again
    start = time.process_time()
    find_spans(text)
    assert time.process_time() - start < 3  # a tenth of it on one core; a quadratic pattern takes 15 s and more


def test_a_megabyte_of_the_worst() -> None:
    start = time.process_time()
    find_spans("".join(HOSTILE) * (1_000_000 // len("".join(HOSTILE))))
    assert time.process_time() - start < 60
