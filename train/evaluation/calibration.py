"""What the model's own probability is worth: learnt on the validation part, checked on the test part.

A translation is *good* when its sentence chrF2 against the closest reference is at least `GOOD_CHRF`. How probable that
is given the mean log-probability of its tokens is one logistic curve (Platt 1999, "Probabilistic Outputs for Support
Vector Machines"); `serve` answers it as `confidence`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
import sacrebleu
import sentencepiece

from container.artifact import READABLE, Calibration, Decoding, Score, mean_log_probability
from train.evaluation.scores import TOKENS_A_BATCH, ReferenceSet

GOOD_CHRF = 60.0
FEWEST = 50  # sentences to learn from; a curve through fewer says nothing
BINS = 10  # of equal mass
UNUSUAL = 0.005  # of the validation sources have fewer characters a token than those that are called unlike


@dataclass(frozen=True)
class Judged:
    """N translations: mean log-probability of a token [N], and whether each is good [N]."""

    log_probabilities: np.ndarray
    good: np.ndarray


def judge(
    model: Path,
    tokenizer: sentencepiece.SentencePieceProcessor,
    test_set: ReferenceSet,
    decoding: Decoding,
    prefix: Sequence[str] = (),
) -> Judged:
    """Translate with the exported model in the folder `model`, and compare with the closest reference."""
    translator = ctranslate2.Translator(str(model), device="cpu", inter_threads=os.cpu_count() or 1, intra_threads=1)
    results = translator.translate_batch(
        [[*prefix, *pieces] for pieces in tokenizer.encode(test_set.sources, out_type=str)],
        max_batch_size=TOKENS_A_BATCH,
        batch_type="tokens",
        beam_size=decoding.beam_size,
        length_penalty=decoding.length_penalty,
        max_decoding_length=decoding.max_target_length,
        return_scores=True,
    )
    metric = sacrebleu.CHRF()
    log_probabilities, good = [], []
    for result, references in zip(results, test_set.references, strict=True):
        tokens = result.hypotheses[0]
        log_probabilities.append(mean_log_probability(result.scores[0], len(tokens), decoding.length_penalty))
        good.append(metric.sentence_score(tokenizer.decode(tokens), references).score >= GOOD_CHRF)
    return Judged(np.array(log_probabilities), np.array(good))


def fit(judged: Judged) -> tuple[float, float] | None:
    """Intercept and slope of the logistic curve; None when there is too little to learn from."""
    y = judged.good.astype(float)
    if len(y) < FEWEST or y.min() == y.max():
        return None
    x = np.stack([np.ones_like(y), judged.log_probabilities], axis=1)
    weights = np.zeros(2)
    for _ in range(50):  # Newton's method; the little ridge keeps it finite where the two kinds do not overlap
        p = _logistic(x @ weights)
        gradient = x.T @ (p - y) + 1e-3 * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(2)
        weights -= np.linalg.solve(hessian, gradient)
    return float(weights[0]), float(weights[1])


def _logistic(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(z, -50, 50)))


def reliability(confidences: np.ndarray, good: np.ndarray) -> list[tuple[int, float, float]]:
    """Bins of equal mass, by rising confidence: sentences, their mean confidence, the share that is good."""
    order = np.argsort(confidences, kind="stable")
    bins = [each for each in np.array_split(order, BINS) if len(each)]
    return [(len(each), float(confidences[each].mean()), float(good[each].mean())) for each in bins]


def calibration_error(bins: Sequence[tuple[int, float, float]]) -> float:
    """Expected calibration error: the mean distance between confidence and the share that is good.

    Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", with bins of equal mass.
    """
    total = sum(count for count, _, _ in bins)
    return sum(count * abs(confidence - share) for count, confidence, share in bins) / total


def calibrate(
    model: Path,
    tokenizer: sentencepiece.SentencePieceProcessor,
    validation: ReferenceSet,
    decoding: Decoding,
    prefix: Sequence[str] = (),
) -> Calibration | None:
    """The curve learnt on the validation part; None when that is too small, or nothing or everything in it is good."""
    if len(validation.sources) < FEWEST:
        return None
    curve = fit(judge(model, tokenizer, validation, decoding, prefix))
    if curve is None:
        return None
    return Calibration(
        good_chrf=GOOD_CHRF,
        intercept=curve[0],
        slope=curve[1],
        sentences=len(validation.sources),
        characters_a_token=usual_density(tokenizer, validation.sources),
    )


def usual_density(tokenizer: sentencepiece.SentencePieceProcessor, sources: Sequence[str]) -> float | None:
    """Characters a token that all but a few sources reach: text in another language falls apart into more tokens."""
    readable = [source for source in sources if len(source) >= READABLE]
    if len(readable) < FEWEST:
        return None
    densities = [len(source) / len(tokenizer.encode(source)) for source in readable]
    return round(float(np.quantile(densities, UNUSUAL)), 3)


def error_on(calibration: Calibration, judged: Judged) -> Score:
    """The expected calibration error on translations that the curve was not learnt from."""
    confidences = np.array([calibration.confidence(each) for each in judged.log_probabilities])
    error = calibration_error(reliability(confidences, judged.good))
    signature = f"good:chrF2>={GOOD_CHRF:g}|bins:{BINS}|mass:equal|sentences:{len(judged.good)}"
    return Score(value=round(error, 4), signature=signature)
