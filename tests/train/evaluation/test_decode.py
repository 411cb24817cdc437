"""Decoding with an exported model: lengths and defaults are those that an endpoint uses."""

from __future__ import annotations

from pathlib import Path

import ctranslate2
import numpy as np
import pytest
import sentencepiece

from container.artifact import Artifact, Decoding, open_artifact
from tests.serve.server import start_server
from train.corpus.tokenizer import load_tokenizer
from train.evaluation.decode import attend, decoding_of, translate
from train.job.hyperparameters import parse

SOURCES = ["The cat sleeps all day long.", "I am tired.", "Where is my house?"]


@pytest.fixture(scope="module")
def model(toy_model: Path) -> Artifact:
    return open_artifact(toy_model)


@pytest.fixture(scope="module")
def tokenizer(model: Artifact) -> sentencepiece.SentencePieceProcessor:
    return load_tokenizer(model.tokenizer)


def test_the_defaults_of_a_job_are_those_of_its_model(model: Artifact) -> None:
    assert decoding_of(parse(model.manifest.hyperparameters)) == model.manifest.decoding
    given = decoding_of(parse({"max_len": 30, "beam_size": 2, "length_penalty": 0.5}))
    assert given == Decoding(beam_size=2, length_penalty=0.5, max_source_length=30, max_target_length=60)


def test_a_job_translates_as_an_endpoint_does(
    model: Artifact, tokenizer: sentencepiece.SentencePieceProcessor, tmp_path: Path
) -> None:
    """By beam, length penalty and lengths: the toy model writes until it is stopped."""
    server = start_server(model.path.parent, tmp_path / "serve.log")
    try:
        server.wait_until_ready()
        answer = server.invoke({"instances": SOURCES, "parameters": {"return_scores": True}}).json()
    finally:
        server.stop()
    found = translate(model.ctranslate2, tokenizer, SOURCES, model.manifest.decoding)
    scores = [each["score"] for each in answer["predictions"]]  # the texts of this model differ: `serve` tidies them
    assert scores == pytest.approx([each.log_probability for each in found], abs=1e-6)


def test_a_source_is_cut_at_the_length_that_the_model_was_made_for(
    model: Artifact, tokenizer: sentencepiece.SentencePieceProcessor
) -> None:
    """The prefix and the end count; what is cut off changes nothing."""
    decoding = Decoding(beam_size=1, max_source_length=6, max_target_length=8)
    pieces = tokenizer.encode(SOURCES[0], out_type=str)
    assert len(pieces) > 5
    kept = tokenizer.decode(pieces[:5])
    assert tokenizer.encode(kept, out_type=str) == pieces[:5]
    whole, cut = translate(model.ctranslate2, tokenizer, [SOURCES[0], kept], decoding)
    assert whole == cut
    with_prefix = attend(model.ctranslate2, tokenizer, [SOURCES[0]], decoding, prefix=["<2en>"])
    assert with_prefix[0].source == ["<2en>", *pieces[:4]]


def test_a_target_is_not_longer_than_asked_for(
    model: Artifact, tokenizer: sentencepiece.SentencePieceProcessor
) -> None:
    (found,) = attend(model.ctranslate2, tokenizer, SOURCES[:1], Decoding(beam_size=1, max_target_length=3))
    assert len(found.target) == 3


def test_a_probability_is_that_of_the_tokens_whatever_the_length_penalty(
    model: Artifact, tokenizer: sentencepiece.SentencePieceProcessor
) -> None:
    plain, other = (
        translate(model.ctranslate2, tokenizer, SOURCES, Decoding(beam_size=1, length_penalty=penalty))
        for penalty in (1.0, 0.3)
    )
    # The toy writes to its limit: without the end, which is counted, the mean is off by up to one part in 64.
    expected = [each.log_probability for each in plain]
    assert [each.log_probability for each in other] == pytest.approx(expected, rel=1 / 64)


def test_no_sources_have_no_translations(model: Artifact, tokenizer: sentencepiece.SentencePieceProcessor) -> None:
    assert translate(model.ctranslate2, tokenizer, [], model.manifest.decoding) == []


def test_attention_maps_of_many_sentences_are_those_of_each_alone(toy_model: Path) -> None:
    model = open_artifact(toy_model)
    tokenizer = load_tokenizer(model.tokenizer)
    sources = ["The cat sleeps all day long.", "We have to go to the bank tomorrow morning with my sister.", "Do it."]
    together = attend(model.ctranslate2, tokenizer, sources, model.manifest.decoding)
    assert len(together) == len(sources)
    for source, one in zip(sources, together, strict=True):
        assert one.source == tokenizer.encode(source, out_type=str)
        assert one.weights.shape == (len(one.target), len(one.source))
        np.testing.assert_allclose(one.weights.sum(axis=1), 1.0)  # although the end-of-sentence column is left out
        # The truth: the same tokens forced, without a beam that could mix up rows.
        translator = ctranslate2.Translator(str(model.ctranslate2))
        forced = translator.translate_batch(
            [one.source], [one.target], beam_size=1, max_decoding_length=len(one.target), return_attention=True
        )
        expected = np.array(forced[0].attention[0])[: len(one.target)]
        np.testing.assert_allclose(one.weights, expected / expected.sum(axis=1, keepdims=True), atol=1e-5)
