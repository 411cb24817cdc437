"""Tags leave the sentence and come back at the words that theirs became."""

from __future__ import annotations

import re

import pytest

from container.vocabulary import PLACEHOLDERS
from serve.engine.interface import Hypothesis
from serve.text.masking import mask_spans, unmask
from tests.serve.server import Server


def translated(sentence: str, translation: str, links: str) -> Hypothesis:
    ((mask, _),) = mask_spans(sentence, PLACEHOLDERS, {})
    alignment = tuple((int(link[0]), int(link[2])) for link in links.split())
    return unmask(Hypothesis(translation, -1.0, alignment=alignment), mask)


@pytest.mark.parametrize(
    "sentence",
    [
        "I <b>am</b> here<br/>.",
        "<p>I see the <b>dog.</b></p>",
        "a <br/> b",
        '<a href="x y">one</a>, two',
        "<b>",
        "<i><b>a</b></i> b",
        "a</b> <b>b",
    ],
)
def test_what_is_not_translated_is_as_it_was(sentence: str) -> None:
    ((mask, _),) = mask_spans(sentence, PLACEHOLDERS, {})
    assert "<" not in mask.text
    assert mask.original == sentence


@pytest.mark.parametrize(
    ("sentence", "translation", "links", "expected"),
    [
        ("the <b>red</b> car.", "el coche rojo.", "0-0 2-1 1-2", "el coche <b>rojo</b>."),
        ("the <b>red car</b>.", "el coche rojo.", "0-0 2-1 1-2", "el <b>coche rojo</b>."),
        ("a <br/> b", "x y", "0-0 1-1", "x <br/> y"),
        ("one <br/>", "uno", "0-0", "uno <br/>"),
        ("<p>one two</p>", "uno dos", "0-0 1-1", "<p>uno dos</p>"),
        ("a <b>b</b> c", "x z", "0-0 2-1", "x</b> <b>z"),  # what became nothing: side by side at least
        ("a b", "x", "", "x"),
    ],
)
def test_tags_follow_their_words(sentence: str, translation: str, links: str, expected: str) -> None:
    assert translated(sentence, translation, links).text == expected


def test_links_count_the_words_of_the_text_with_tags() -> None:
    found = translated('go <br/> <a href="x">home now</a>', "vete a casa ya", "0-0 1-2 2-3")
    assert found.text == 'vete a <br/> <a href="x">casa ya</a>'
    words = found.text.split()
    assert [(i, words[j]) for i, j in found.alignment] == [(0, "vete"), (3, 'href="x">casa'), (4, "ya</a>")]


def test_more_words_to_the_tokenizer_than_to_us_do_no_harm(server: Server) -> None:
    asked = {"text": "´ ´ ´ <b>the dog</b> ´", "return_alignment": True}
    answer = server.invoke([asked])
    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["translation"].count("b>") == 2
    assert translated("a <b>b</b>", "x y", "0-0 1-1 7-1 1-7").text == "x <b>y</b>"


def test_no_tag_is_ever_lost_whatever_the_alignment() -> None:
    sentence = "<p>a <b>b</b> <i>c</p> d</i> <br/> e</x>"
    for links in ("", "0-0", "4-0 0-1", "2-5 1-5", "3-0 3-1 3-2"):
        text = translated(sentence, "u v w x y z", links).text
        assert sorted(re.findall("<[^>]*>", text)) == sorted(re.findall("<[^>]*>", sentence))
