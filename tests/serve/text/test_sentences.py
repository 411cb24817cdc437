"""Sentences whose protected spans get lost go through the engine again, before those that have not been there yet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from container.artifact import Decoding
from container.vocabulary import PLACEHOLDERS
from serve.engine.batching import Item
from serve.engine.interface import Hypothesis, TextRules, Translation
from serve.text.documents import cut
from serve.text.sentences import translate_sentences
from serve.web.parameters import Parameters

RULES = TextRules(placeholders=PLACEHOLDERS)


class Recorder:
    """In the place of the batcher: an engine that keeps the symbols of the first `kept` passes only."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.passes: list[tuple[int, bool]] = []  # sentences, and whether they went before the others
        self.decoding = Decoding()

    def rules_of(self, item: Item) -> TextRules:
        return RULES

    def translate(self, items: Sequence[Item], until: float, again: bool = False) -> list[Translation]:
        self.passes.append((len(items), again))
        keeps = len(self.passes) <= self.kept
        return [Translation((Hypothesis(item.text if keeps else "Nada.", -1.0, 2),)) for item in items]


def passes(batcher: Recorder) -> list[str]:
    texts = ["Call the station now.", "He is here."]
    parameters = Parameters(glossary={"station": "estación"})
    sentences = [part for text in texts for part in cut(Item(text, parameters), RULES).sentences]
    answers = translate_sentences(sentences, batcher, math.inf)  # type: ignore[arg-type]
    return [answer.hypotheses[0].text for answer in answers]


def test_what_kept_its_spans_goes_once() -> None:
    batcher = Recorder(kept=1)
    assert passes(batcher) == ["Call the estación now.", "He is here."]
    assert batcher.passes == [(2, False)]


def test_what_lost_a_span_goes_again_before_the_others() -> None:
    batcher = Recorder(kept=0)
    first, second = passes(batcher)
    assert "estación" in first  # put in by force
    assert second == "Nada."
    (whole, *rest) = batcher.passes
    assert whole == (2, False)
    assert len(rest) >= 2  # without symbols, and forced
    assert set(rest) == {(1, True)}
