"""Calibration: how probable it is that a translation is good, learnt on the validation part.

A translation is *good* when its sentence chrF2 against the closest reference is at least `GOOD_CHRF`. The probability
of that, given the mean log-probability of the translation's tokens, is one logistic curve (Platt 1999, "Probabilistic
Outputs for Support Vector Machines"). `serve` answers it as `confidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sacrebleu
import sentencepiece

from container.artifact import READABLE, Calibration, Score
from train.evaluation.decode import Hypothesis
from train.evaluation.scores import ReferenceSet

GOOD_CHRF = 60.0
FEWEST = 50  # sentences; a curve through fewer says nothing
BINS = 10  # of equal mass
UNUSUAL = 0.005  # of the validation sources have fewer characters a token than those that are called unlike


@dataclass(frozen=True)
class Judged:
    """N translations: mean log-probability of a token [N], and whether each is good [N]."""

    log_probabilities: np.ndarray
    good: np.ndarray


def judge(hypotheses: Sequence[Hypothesis], sentences: ReferenceSet) -> Judged:
    """Compare each hypothesis with the closest of its references."""
    metric = sacrebleu.CHRF()
    scores = [
        metric.sentence_score(hypothesis.text, references).score
        for hypothesis, references in zip(hypotheses, sentences.references, strict=True)
    ]
    return Judged(np.array([each.log_probability for each in hypotheses]), np.array(scores) >= GOOD_CHRF)


def fit_curve(judged: Judged) -> tuple[float, float] | None:
    """Intercept and slope of the logistic curve; None when there is too little to learn from."""
    y = judged.good.astype(float)
    if len(y) < FEWEST or y.min() == y.max():
        return None
    x = np.stack([np.ones_like(y), judged.log_probabilities], axis=1)
    weights = np.zeros(2)
    for _ in range(50):  # Newton's method; a small ridge keeps it finite where good and bad do not overlap
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
    tokenizer: sentencepiece.SentencePieceProcessor, validation: ReferenceSet, hypotheses: Sequence[Hypothesis]
) -> Calibration | None:
    """The curve learnt on the validation part; None when that is too small, or nothing or everything in it is good."""
    curve = fit_curve(judge(hypotheses, validation))
    if curve is None:
        return None
    return Calibration(
        good_chrf=GOOD_CHRF,
        intercept=curve[0],
        slope=curve[1],
        sentences=len(validation.sources),
        characters_a_token=find_usual_density(tokenizer, validation.sources),
    )


def find_usual_density(tokenizer: sentencepiece.SentencePieceProcessor, sources: Sequence[str]) -> float | None:
    """Characters a token that all but a few sources reach. Text in another language has fewer: it needs more tokens."""
    readable = [source for source in sources if len(source) >= READABLE]
    if len(readable) < FEWEST:
        return None
    densities = [len(source) / len(tokenizer.encode(source)) for source in readable]
    return round(float(np.quantile(densities, UNUSUAL)), 3)


def measure_error(calibration: Calibration, judged: Judged) -> Score:
    """The expected calibration error on translations that the curve was not learnt from."""
    confidences = np.array([calibration.confidence(each) for each in judged.log_probabilities])
    error = calibration_error(reliability(confidences, judged.good))
    signature = f"good:chrF2>={GOOD_CHRF:g}|bins:{BINS}|mass:equal|sentences:{len(judged.good)}"
    return Score(value=round(error, 4), signature=signature)
