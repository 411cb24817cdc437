"""Decoding with an exported model. This is the only file of `train` that drives CTranslate2.

It decodes as `serve` does: the lengths, the beam and the length penalty are those of the manifest's `Decoding`, so
that a score in the manifest is the score of what an endpoint answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
import sentencepiece

from container.artifact import Decoding, longest_translation, mean_log_probability
from container.resources import available_cpus
from train.job.hyperparameters import Hyperparameters

TOKENS_A_BATCH = 2048
SCORED_A_BATCH = 32  # sentences


@dataclass(frozen=True)
class Hypothesis:
    """A translation, and the mean log-probability of one of its tokens, its end among them."""

    text: str
    log_probability: float


@dataclass(frozen=True)
class AttentionMap:
    """`weights` [T, S]: how much of its attention each target token gave to each source token; each row sums to 1."""

    source: list[str]
    target: list[str]
    weights: np.ndarray


def decoding_of(hp: Hyperparameters) -> Decoding:
    """How a model of this job is decoded where a request does not say otherwise."""
    return Decoding(
        beam_size=hp.beam_size,
        length_penalty=hp.length_penalty,
        max_source_length=hp.max_len,
        max_target_length=2 * hp.max_len,
    )


def translate(
    model: Path,
    tokenizer: sentencepiece.SentencePieceProcessor,
    sources: Sequence[str],
    decoding: Decoding,
    prefix: Sequence[str] = (),
) -> list[Hypothesis]:
    """The best hypothesis of each source.

    model: the folder of a CTranslate2 model. prefix: tokens in front of every source (the tag of a direction).
    """
    tokens = _tokenize(tokenizer, sources, decoding, prefix)
    results = _open_translator(model).translate_batch(
        tokens,
        max_batch_size=TOKENS_A_BATCH,
        batch_type="tokens",
        return_scores=True,
        **_options(decoding, tokens),
    )
    hypotheses = []
    for result in results:
        best = result.hypotheses[0]
        mean = mean_log_probability(result.scores[0], len(best), decoding.length_penalty)
        hypotheses.append(Hypothesis(tokenizer.decode(best), mean))
    return hypotheses


def score_tokens(model: Path, source: Sequence[Sequence[str]], target: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """log p of each target token and of the end, computed in float32, for each pair; tokens are pieces."""
    translator = _open_translator(model, compute_type="float32")
    results = translator.score_batch(
        [list(tokens) for tokens in source], [list(tokens) for tokens in target], max_batch_size=SCORED_A_BATCH
    )
    return [np.array(result.log_probs) for result in results]


def attend(
    model: Path,
    tokenizer: sentencepiece.SentencePieceProcessor,
    sources: Sequence[str],
    decoding: Decoding,
    prefix: Sequence[str] = (),
) -> list[AttentionMap]:
    """Where the model looks while it writes each token: the mean over the heads of the last layer but one.

    CTranslate2 leaves out the column of the end-of-sentence token that it added to the source itself, which
    often takes a third of the weight, so the rows are scaled to sum to 1 again. An empty translation has no map.
    """
    tokens = _tokenize(tokenizer, sources, decoding, prefix)
    results = _open_translator(model).translate_batch(
        tokens,
        return_attention=True,
        max_batch_size=1,  # in a larger batch, beam search gives the first token the attention of another sentence
        **_options(decoding, tokens),
    )
    maps = []
    for source, result in zip(tokens, results, strict=True):
        target = result.hypotheses[0]
        weights = np.array(result.attention[0], dtype=np.float64)[: len(target), : len(source)]
        if target:
            maps.append(AttentionMap(source, target, weights / weights.sum(axis=1, keepdims=True)))
    return maps


def _open_translator(model: Path, compute_type: str = "default") -> ctranslate2.Translator:
    """The model in a folder. One thread a batch: the cores are used by batches side by side."""
    return ctranslate2.Translator(
        str(model), device="cpu", compute_type=compute_type, inter_threads=available_cpus(), intra_threads=1
    )


def _tokenize(
    tokenizer: sentencepiece.SentencePieceProcessor, sources: Sequence[str], decoding: Decoding, prefix: Sequence[str]
) -> list[list[str]]:
    """The pieces of each source behind the prefix, cut so that they and the end are `max_source_length` at most."""
    longest = max(1, decoding.max_source_length - len(prefix) - 1)
    return [[*prefix, *pieces[:longest]] for pieces in tokenizer.encode(list(sources), out_type=str)]


def _options(decoding: Decoding, sources: Sequence[Sequence[str]]) -> dict[str, float]:
    bound = max((longest_translation(len(tokens)) for tokens in sources), default=decoding.max_target_length)
    return {
        "beam_size": decoding.beam_size,
        "length_penalty": decoding.length_penalty,
        "max_decoding_length": min(decoding.max_target_length, bound),
        "max_input_length": 0,  # `_tokenize` has cut the source
    }
