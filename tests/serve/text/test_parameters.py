"""What a request may ask of a translation, and what the engine is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from container.artifact import MAX_BEAM_SIZE, Decoding
from serve.engine.interface import default_options
from serve.text.parameters import Parameters
from tests.serve.server import Server


@pytest.mark.parametrize("decoding", [Decoding(), Decoding(beam_size=1, length_penalty=0.5, max_target_length=9)])
def test_what_is_left_open_is_the_models(decoding: Decoding) -> None:
    assert Parameters().options(decoding) == default_options(decoding)


def test_more_hypotheses_widen_a_default_beam() -> None:
    assert Parameters(num_hypotheses=7).options(Decoding(beam_size=4)).beam_size == 7


def test_a_beam_may_be_as_wide_as_in_training(server: Server) -> None:
    answer = server.invoke({"inputs": "the dog", "parameters": {"beam_size": MAX_BEAM_SIZE}})
    assert answer.status_code == 200, answer.text
    refused = server.invoke({"inputs": "the dog", "parameters": {"beam_size": MAX_BEAM_SIZE + 1}})
    assert refused.status_code == 400
    assert f"less than or equal to {MAX_BEAM_SIZE}" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"glossary": {"": "x"}}, "parameters.glossary"),
        ({"glossary": {"a": 3}}, "parameters.glossary"),
        ({"glossary": ["a"]}, "parameters.glossary"),
        ({"prefix": 3}, "parameters.prefix"),
        ({"prefix": "x" * 1001}, "parameters.prefix"),
    ],
)
def test_bad_text_parameters(server: Server, parameters: dict[str, Any], named: str) -> None:
    response = server.invoke({"inputs": "a", "parameters": parameters})
    assert response.status_code == 400
    assert named in response.json()["error"]["message"]
