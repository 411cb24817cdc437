"""`target_lang`: a model of both directions translates into the language asked for, another one says what it can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from container.artifact import Calibration, open_artifact
from serve.engine.tokenization import UNLIKE, Tokenization
from serve.text.parameters import Parameters
from serve.text.pipeline import segment
from serve.text.records import Record, find_rules
from tests.serve.server import Server, start_server

TEXT = "I see the big red dog."
TEXTS = [TEXT, "the cat", "Hello!", "you eat a book now"]


@pytest.fixture(scope="module")
def both(both_ways: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on the model of both directions."""
    running = start_server(both_ways, tmp_path_factory.mktemp("log") / "serve.log")
    running.wait_until_ready()
    yield running
    running.stop()


def translations(server: Server, instances: list[Any], **parameters: Any) -> list[str]:
    answer = server.invoke({"instances": instances, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    return [entry["translation"] for entry in answer.json()["predictions"]]


def test_the_first_token_says_which_language_to_write(both_ways: Path) -> None:
    tokenization = Tokenization(open_artifact(both_ways / "model"))
    plain, spanish, english = (tokenization.prepare([TEXT], language)[0].tokens for language in (None, "es", "en"))
    assert plain == spanish == ("<2es>", *english[1:])
    assert english[0] == "<2en>"
    assert "<2en>" in [tokenization.tokenizer.id_to_piece(index) for index in range(10)]  # one token of the vocabulary


def test_the_language_asked_for_is_written(both: Server) -> None:
    """The tiny model is random: another first token makes another translation."""
    spanish, english = (translations(both, TEXTS, target_lang=language) for language in ("es", "en"))
    assert translations(both, TEXTS) == translations(both, TEXTS, target_lang=None) == spanish
    assert all(one != other for one, other in zip(spanish, english, strict=True))


def test_directions_share_a_request_and_a_batch(both: Server) -> None:
    mixed = [text if index % 2 else {"text": text, "target_lang": "en"} for index, text in enumerate(TEXTS)]
    spanish, english = (translations(both, TEXTS, target_lang=language) for language in ("es", "en"))
    expected = [spanish[index] if index % 2 else english[index] for index in range(len(TEXTS))]
    assert translations(both, mixed) == expected
    lines = "".join(json.dumps(entry) + "\n" for entry in mixed)
    answers = both.invoke(lines, "application/jsonlines").text.splitlines()
    assert [json.loads(answer)["translation"] for answer in answers] == expected


def test_a_stream_is_in_the_language_asked_for(both: Server) -> None:
    body = {"instances": [TEXT], "parameters": {"target_lang": "en", "stream": True}}
    first = json.loads(both.invoke(body).text.splitlines()[0])
    assert first["translation"] == translations(both, [TEXT], target_lang="en")[0]


def test_alternatives_spans_and_alignment_are_of_the_direction(both: Server) -> None:
    words = TEXT.split()
    asked = {"target_lang": "en", "alternatives_at": 0, "return_alignment": True, "glossary": {"dog": "caserón"}}
    body = {"instances": [f"{TEXT} 1234"], "parameters": asked}
    entry = both.invoke(body).json()["predictions"][0]
    assert "caserón" in entry["translation"] and "1234" in entry["translation"]
    count = len(entry["translation"].split())
    assert entry["alignment"]
    assert all(i <= len(words) and j < count for i, j in entry["alignment"])
    assert {i for i, _ in entry["alignment"]} != {0}
    plain = {name: value for name, value in asked.items() if name != "glossary"}
    english, spanish = (
        both.invoke({"instances": [TEXT], "parameters": {**plain, "target_lang": language}}).json()["predictions"][0]
        for language in ("en", "es")
    )
    assert english["translation"] == translations(both, [TEXT], target_lang="en")[0]
    assert english["alternatives"] != spanish["alternatives"]


def test_sentences_end_by_the_rules_of_the_language_read(both_ways: Path) -> None:
    """`Srta.` is an abbreviation in Spanish, `Mrs.` one in English."""
    rules = Tokenization(open_artifact(both_ways / "model")).rules
    text = "Srta. Dog. Mrs. Dog."

    def sentences(**parameters: Any) -> list[str]:
        record = Record(text, Parameters(**parameters))
        return [sentence.text for sentence in segment(record, find_rules(record, rules)).sentences]

    assert sentences() == sentences(target_lang="es") == ["Srta.", "Dog.", "Mrs. Dog."]
    assert sentences(target_lang="en") == ["Srta. Dog.", "Mrs.", "Dog."]


def test_confidence_is_that_of_the_direction(both: Server) -> None:
    asked = {"return_confidence": True}
    entry = both.invoke({"instances": [TEXT], "parameters": asked}).json()["predictions"][0]
    assert 0 < entry["confidence"] < 1
    refused = both.invoke({"instances": [TEXT], "parameters": {**asked, "target_lang": "en"}})
    assert refused.status_code == 400
    assert "no calibration" in refused.json()["error"]["message"]


def test_a_text_is_unlike_the_language_of_its_direction(both_ways: Path) -> None:
    """Each direction has its own measure of what its sources look like."""
    model = open_artifact(both_ways / "model")
    assert model.manifest.reverse is not None
    nothing_is_like = Calibration(good_chrf=60, intercept=0, slope=1, sentences=100, characters_a_token=100)
    back = model.manifest.reverse.model_copy(update={"calibration": nothing_is_like})
    tokenization = Tokenization(replace(model, manifest=model.manifest.model_copy(update={"reverse": back})))
    spanish, english = (tokenization.prepare([TEXT], language)[0].warning for language in ("es", "en"))
    assert (spanish, english) == (None, UNLIKE)


@pytest.mark.parametrize("where", ["parameters", "instance", "stream"])
def test_a_language_that_the_model_does_not_write_is_refused(both: Server, server: Server, where: str) -> None:
    wish = {"target_lang": "fr", **({"stream": True} if where == "stream" else {})}
    body = {"instances": [{"text": TEXT, **wish}]} if where == "instance" else {"instances": [TEXT], "parameters": wish}
    refused = both.invoke(body)
    assert refused.status_code == 400
    assert refused.json()["error"] == {
        "code": "bad_request",
        "message": "`target_lang` is 'fr' but this model translates from en to es and from es to en: "
        "ask for 'es' or 'en', or leave it out.",
    }
    of_one = server.invoke(body)
    assert of_one.status_code == 400
    assert of_one.json()["error"]["message"] == (
        "`target_lang` is 'fr' but this model translates from en to es: ask for 'es', or leave it out."
    )


def test_a_model_of_one_direction_takes_its_own_language(server: Server) -> None:
    assert translations(server, TEXTS, target_lang="es") == translations(server, TEXTS)
