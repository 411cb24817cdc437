"""What is done to a hypothesis before its spans return."""

from __future__ import annotations

from typing import Any

import pytest

from container.vocabulary import PLACEHOLDERS
from serve.engine.interface import Hypothesis, TextRules
from serve.text.finishing import finish
from serve.text.parameters import Parameters
from serve.text.records import Record, Sentence
from serve.text.segmentation import segment


def sentence_of(text: str, **parameters: Any) -> Sentence:
    rules = TextRules(placeholders=PLACEHOLDERS, usual_tokens=6)
    return segment(Record(text, Parameters(**parameters)), rules).sentences[-1]


@pytest.mark.parametrize(
    ("source", "hypothesis", "expected"),
    [
        ("I LOVE YOU.", "Te quiero.", "TE QUIERO."),
        ("my sister has a dog", "Mi hermana tiene un perro.", "mi hermana tiene un perro"),
        ("The soup is cold", "La sopa está fría.", "La sopa está fría"),
        ("The soup is cold", "La sopa está fría...", "La sopa está fría..."),
        ("The soup is cold.", "La sopa está fría.", "La sopa está fría."),
        ("Is it cold", "¿Hace frío?", "¿Hace frío?"),
        ("I see it now.", "Veo \ufffd eso⁇.", "Veo eso."),
        ("I see it now.", "Yo no sé qué no sé qué no sé qué no sé qué", "Yo no sé qué"),
        ("I see one two three four, and the others.", "Y los otros.", "y los otros."),
    ],
)
def test_a_hypothesis_is_written_as_its_source(source: str, hypothesis: str, expected: str) -> None:
    sentence = sentence_of(source)
    assert finish(Hypothesis(hypothesis, -1.0), sentence, sentence.mask).text == expected


def test_the_model_sees_capitals_in_sentence_case_and_spans_stay() -> None:
    sentence = sentence_of("SEE THE FILE notes.txt NOW")
    (symbol,) = (span.symbol for span in sentence.mask.spans)
    assert sentence.mask.text == f"See the file {symbol} now"
    finished = finish(Hypothesis(f"Ve {symbol} ya", -1.0), sentence, sentence.mask)
    assert sentence.mask.write_targets(finished.text) == "VE notes.txt YA"


def test_a_prefix_stays_as_it_was_asked_for() -> None:
    sentence = sentence_of("I LOVE YOU.", prefix="Te")
    assert finish(Hypothesis("Te quiero.", -1.0), sentence, sentence.mask).text == "Te QUIERO."


def test_links_go_with_the_words_that_are_cut() -> None:
    sentence = sentence_of("I see it now.")
    links = tuple((0, word) for word in range(8))
    finished = finish(Hypothesis("la la la la la la la la", -1.0, alignment=links), sentence, sentence.mask)
    assert finished.text == "la"
    assert finished.alignment == ((0, 0),)
