"""Stage 7 as well: what the model's own probability is worth; learnt on the validation part, checked on the test part.

    python -m train.evaluation.calibration MODEL_DIRECTORY CORPUS.tsv

A translation is *good* when its sentence chrF2 against the closest reference is at least `GOOD_CHRF`. How probable that
is given the mean log-probability of its tokens is one logistic curve (Platt 1999, "Probabilistic Outputs for Support
Vector Machines"); `serve` answers it as `confidence`. The command fits and checks an existing model again, on the parts
into which its own settings split the corpus, and prints Markdown.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ctranslate2
import numpy as np
import sacrebleu
import sentencepiece

from container.artifact import READABLE, Artifact, Calibration, Decoding, Score, mean_log_probability, open_artifact
from container.text import clean, default_prefixes
from train.corpus.directions import directions
from train.corpus.split import Corpus, clean_pairs, sample, split
from train.corpus.tokenizer import load_tokenizer
from train.evaluation.scores import TOKENS_A_BATCH, ReferenceSet, make_reference_set
from train.job.hyperparameters import Hyperparameters

GOOD_CHRF = 60.0
FEWEST = 50  # sentences to learn from; a curve through fewer says nothing
BINS = 10  # of equal mass
SOURCES = 2000  # of each part, at most
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model directory")
    parser.add_argument("corpus", type=Path, help="the TSV file that it was trained on")
    given = parser.parse_args()
    model = open_artifact(given.model)
    tokenizer = load_tokenizer(model.tokenizer)
    hp = Hyperparameters.model_validate(
        {name: value for name, value in model.manifest.hyperparameters.items() if name in Hyperparameters.model_fields}
    )
    corpus, decoding = _split(model, hp, given.corpus), model.manifest.decoding
    for direction, manifest in zip(directions(hp), model.manifest.directions, strict=True):
        prefix = manifest.source_tokens_prefix
        validation = make_reference_set(direction.of(corpus.validation), SOURCES)
        test = make_reference_set(direction.of(corpus.test), SOURCES)
        calibration = calibrate(model.ctranslate2, tokenizer, validation, decoding, prefix)
        if calibration is None:
            raise SystemExit("The validation part is too small, or all good or all bad: there is nothing to learn.")
        judged = judge(model.ctranslate2, tokenizer, test, decoding, prefix)
        confidences = np.array([calibration.confidence(each) for each in judged.log_probabilities])
        print(f"{calibration.model_dump_json()}\n\n| test sentences | mean confidence | good |\n|---|---|---|")
        for count, confidence, share in reliability(confidences, judged.good):
            print(f"| {count} | {confidence:.3f} | {share:.3f} |")
        score = error_on(calibration, judged)
        print(f"\nExpected calibration error {score.value:.3f} ({score.signature})")


def _split(model: Artifact, hp: Hyperparameters, path: Path) -> Corpus:
    """The parts of a TSV corpus, split as the model's own settings say; SystemExit when they are not the model's.

    Non-breaking prefixes of a target language are not in a model of one direction: ours are taken.
    """
    manifest = model.manifest
    targets = (
        manifest.reverse.clean_up.non_breaking_prefixes if manifest.reverse else default_prefixes(manifest.target_lang)
    )
    cleaners = (
        partial(clean, clean_dots=hp.clean_dots, prefixes=prefixes)
        for prefixes in (manifest.clean_up.non_breaking_prefixes, targets)
    )
    with path.open(encoding="utf-8") as lines:
        rows = (line.rstrip("\r\n").split("\t")[:2] for line in lines)
        pairs, _ = clean_pairs(((source, target) for source, target in rows), *cleaners)
    corpus = split(
        sample(pairs, hp.nsamples, hp.seed),
        validation_fraction=hp.validation_fraction,
        test_fraction=hp.test_fraction,
    )
    if corpus.fingerprint != manifest.corpus.get("fingerprint"):
        raise SystemExit(
            f"{path} does not make the parts that the model was trained with, so a test sentence may have been learnt: "
            "give the TSV file that was its whole training channel."
        )
    return corpus


if __name__ == "__main__":
    main()
