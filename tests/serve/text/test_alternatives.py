"""Other words at a place of a translation, by the real engine of a tiny model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serve.engine.loading import load
from serve.text.parameters import Parameters
from tests.serve.server import Server

TEXT = "I see the dog. Hello!\n- the big red house"


def ask(server: Server, text: str = TEXT, **parameters: Any) -> dict[str, Any]:
    answer = server.invoke({"instances": [text], "parameters": parameters})
    assert answer.status_code == 200, answer.text
    entry: dict[str, Any] = answer.json()["predictions"][0]
    return entry


def test_what_stands_before_the_place_stays_and_the_word_changes(server: Server) -> None:
    plain = ask(server)
    words = plain["translation"].split()
    assert "alternatives" not in plain
    found = 0
    for place in range(len(words)):
        entry = ask(server, alternatives_at=place, num_alternatives=4)
        assert entry["translation"] == plain["translation"]
        others = [each["word"] for each in entry["alternatives"]]
        assert len(set(others)) == len(others) <= 4
        assert words[place] not in others
        for each in entry["alternatives"]:
            assert each["translation"].split()[: place + 1] == [*words[:place], each["word"]]
        scores = [each["score"] for each in entry["alternatives"]]
        assert scores == sorted(scores, reverse=True) and all(score < 0 for score in scores)
        found += len(others)
    assert found > len(words)


def test_the_score_is_that_of_the_whole_translation(base: Path) -> None:
    predictor = load(base / "model")
    options = Parameters(length_penalty=0.7, beam_size=1).options(predictor.rules[0].decoding)
    sources = predictor.prepare(["the dog", "I see the big red house."])
    best = predictor.decode(sources, options)
    parted = predictor.decode(sources, replace(options, alternatives=True, num_hypotheses=3))
    for one, others in zip(best, parted, strict=True):  # the most probable first token leads to the greedy translation
        scores = {each.text: each.score for each in others.hypotheses}
        assert abs(scores[one.hypotheses[0].text] - one.hypotheses[0].score) < 1e-3
    predictor.close()


@pytest.mark.parametrize("place", [1000, 0])
def test_no_word_no_alternatives(server: Server, place: int) -> None:
    entry = ask(server, "- the dog", alternatives_at=place)  # word 0 is the bullet
    assert entry["alternatives"] == []
    assert ask(server, "", alternatives_at=place) == {"translation": "", "alternatives": []}
