"""Whatever the model does, each glossary term and each untouched span is in its translation, as often as it was.

The tiny model is random: it loses and doubles symbols, which a good one does now and then.
"""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from container.vocabulary import PLACEHOLDERS
from serve.engine.interface import Hypothesis
from serve.text.masking import mask_spans
from serve.text.recovery import insert_symbols
from tests.serve.server import Server

GLOSSARY = {"dog": "can Grande", "big red house": "caserón", "C++": "C++", "cat": "minino"}
SPANS = ["https://a.example/b?c=1", "1,234.50", "10:30", "me@mail.example.org", "<b>", "</b>", "<br/>", "25"]
WORDS = ["I", "see", "the", "dog", "big red house", "C++", "cat", "now", *SPANS]


def sentences(count: int) -> list[list[str]]:
    generator = random.Random(5)
    return [generator.choices(WORDS, k=generator.randint(1, 30)) for _ in range(count)]


@pytest.mark.parametrize("parameters", [{}, {"beam_size": 1}, {"num_hypotheses": 4}, {"prefix": "Hello"}])
def test_every_term_and_span_is_honoured(server: Server, parameters: dict[str, Any]) -> None:
    given = sentences(25)
    body = {"instances": [" ".join(words) for words in given], "parameters": {"glossary": GLOSSARY, **parameters}}
    predictions = server.invoke(body).json()["predictions"]
    assert len(predictions) == len(given)
    for words, entry in zip(given, predictions, strict=True):
        for text in [entry["translation"], *(each["translation"] for each in entry.get("hypotheses", []))]:
            for word in {*GLOSSARY, *SPANS}:
                assert text.count(GLOSSARY.get(word, word)) >= words.count(word), (word, words, text)
            assert re.sub("<[^>]*>", "", text).lstrip().startswith(parameters.get("prefix", ""))  # a tag may open it
            assert not any(symbol in text for symbol in PLACEHOLDERS)


def test_alignment_stays_within_the_words_when_spans_are_forced(server: Server) -> None:
    for words in sentences(10):
        asked = {"text": " ".join(words), "glossary": GLOSSARY, "return_alignment": True}
        entry = server.invoke([asked]).json()["predictions"][0]
        sizes = len(" ".join(words).split()), len(entry["translation"].split())
        assert all(0 <= source < sizes[0] and 0 <= target < sizes[1] for source, target in entry["alignment"])


@pytest.mark.parametrize(
    ("translation", "links", "expected"),
    [
        ("Veo.", "0-0", "Veo 25."),  # behind what the words before it became, in front of the full stop
        ("Veo gatos.", "0-0 2-1", "Veo 25 gatos."),
        ("Veo gatos.", "0-0 1-1", "Veo 25 gatos."),
        ("\ue000 veo \ue000 gatos \ue000.", "0-1 2-3", "25 veo gatos."),
        ("", "", "25"),
    ],
)
def test_a_symbol_is_mended(translation: str, links: str, expected: str) -> None:
    ((mask, _),) = mask_spans("see 25 cats.", PLACEHOLDERS, {})
    alignment = tuple((int(link[0]), int(link[2])) for link in links.split())
    mended = insert_symbols(mask, Hypothesis(translation, -1.0, alignment=alignment))
    assert mask.has_all_symbols(mended.text)
    assert mask.write_targets(mended.text).replace(" .", ".") == expected
    assert all(target < len(mended.text.split()) for _, target in mended.alignment)
