"""What a probability is worth: the curve, its error, and both learnt from the translations of a real model."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from container.artifact import Artifact, Calibration, mean_log_probability, open_artifact
from data.sample import read_part
from tests.train.contexts import make_job
from train.corpus.directions import FORWARD, Direction
from train.corpus.pairs import Pair
from train.corpus.split import Corpus
from train.corpus.tokenizer import load_tokenizer
from train.evaluation import calibration, evaluate
from train.evaluation.calibration import (
    FEWEST,
    Judged,
    calibrate,
    calibration_error,
    fit_curve,
    judge,
    measure_error,
    reliability,
)
from train.evaluation.decode import Hypothesis, translate
from train.evaluation.evaluate import evaluate_model
from train.evaluation.scores import ReferenceSet, make_reference_set
from train.job.describe import METRICS
from train.job.hyperparameters import Hyperparameters


def judged(count: int, intercept: float, slope: float) -> Judged:
    generator = np.random.default_rng(7)
    x = generator.uniform(-1.5, 0, count)
    return Judged(x, generator.uniform(size=count) < 1 / (1 + np.exp(-(intercept + slope * x))))


def test_the_curve_is_found_and_is_calibrated_on_other_sentences() -> None:
    curve = fit_curve(judged(20_000, 2.0, 5.0))
    assert curve == pytest.approx((2.0, 5.0), abs=0.2)
    learnt = Calibration(good_chrf=60, intercept=curve[0], slope=curve[1], sentences=20_000)
    score = measure_error(learnt, judged(5_000, 2.0, 5.0))
    assert score.value < 0.03
    assert score.signature == "good:chrF2>=60|bins:10|mass:equal|sentences:5000"
    boastful = learnt.model_copy(update={"intercept": learnt.intercept + 2})
    assert measure_error(boastful, judged(5_000, 2.0, 5.0)).value > 0.1


def test_the_error_by_hand() -> None:
    bins = reliability(np.array([0.1, 0.9, 0.2, 0.8]), np.array([False, True, False, True]))
    assert [count for count, _, _ in bins] == [1, 1, 1, 1]
    assert [share for _, _, share in bins] == [0, 0, 1, 1]
    assert calibration_error(bins) == pytest.approx((0.1 + 0.2 + 0.2 + 0.1) / 4)
    assert calibration_error([(10, 0.5, 0.5), (30, 0.9, 0.5)]) == pytest.approx(0.3)


def test_too_little_teaches_nothing() -> None:
    assert fit_curve(judged(FEWEST - 1, 2.0, 5.0)) is None
    alike = judged(FEWEST, 2.0, 5.0)
    assert fit_curve(Judged(alike.log_probabilities, np.zeros(FEWEST, dtype=bool))) is None
    apart = fit_curve(Judged(np.linspace(-1, 0, FEWEST), np.arange(FEWEST) >= FEWEST // 2))
    assert apart is not None and np.isfinite(apart).all() and apart[1] > 0


def test_the_mean_does_not_depend_on_the_length_penalty() -> None:
    total, tokens = -6.0, 3
    for penalty in (0.0, 0.6, 1.0, 2.0):
        score = total / (tokens + 1) ** penalty
        assert mean_log_probability(score, tokens, penalty) == pytest.approx(-1.5)


def test_confidence_is_a_probability_at_any_score() -> None:
    curve = Calibration(good_chrf=60, intercept=1.0, slope=6.0, sentences=100)
    values = [curve.confidence(x) for x in (-1e9, -1.0, -0.5, 0.0)]
    assert values == sorted(values)
    assert 0 <= values[0] < 1e-9 and values[-1] == pytest.approx(0.731, abs=1e-3)


def test_a_translation_is_good_when_it_is_close_to_one_of_its_references() -> None:
    hypotheses = [Hypothesis("el perro duerme mucho", -0.25), Hypothesis("nada de eso", -1.5)]
    references = [["el gato come poco", "el perro duerme mucho"], ["el tren llega tarde"]]
    found = judge(hypotheses, ReferenceSet(["The dog sleeps a lot.", "The train is late."], references))
    assert found.log_probabilities.tolist() == [-0.25, -1.5]
    assert found.good.tolist() == [True, False]


@pytest.fixture
def learnable(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> Artifact:
    """The toy model, and an idea of good by which some of its nonsense is good and some is not."""
    model = open_artifact(toy_model)
    part = make_reference_set([Pair(*row) for row in read_part("test")], 100)
    tokenizer = load_tokenizer(model.tokenizer)
    hypotheses = translate(model.ctranslate2, tokenizer, part.sources, model.manifest.decoding)
    for chrf in (1.0, 2.0, 4.0, 6.0, 8.0, 10.0):
        monkeypatch.setattr(calibration, "GOOD_CHRF", chrf)
        if 20 < judge(hypotheses, part).good.sum() < 80:
            return model
    raise AssertionError("the toy model's translations are all alike")


@pytest.mark.parametrize("direction", [FORWARD, Direction(("<2en>",), backwards=True)], ids=["forward", "reverse"])
def test_the_curve_is_learnt_on_the_validation_part_and_its_error_measured_on_the_test_part(
    direction: Direction,
    learnable: Artifact,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held_out = [Pair(*row) for row in read_part("test")]
    prepared = SimpleNamespace(
        corpus=Corpus([], held_out[:150], held_out[150:]),
        tokenizer=load_tokenizer(learnable.tokenizer),
        prefixes=SimpleNamespace(source=("Mr",), target=("Sr",)),
    )
    monkeypatch.setattr(evaluate, "directions", lambda hp: (direction,))
    job = make_job(Hyperparameters.model_validate(learnable.manifest.hyperparameters), tmp_path)
    model = learnable.ctranslate2
    (evaluated,) = evaluate_model(job, prepared, model, model)  # type: ignore[arg-type]
    curve = evaluated.manifest.calibration
    assert curve is not None
    assert curve.sentences == len({pair.source for pair in direction.of(held_out[:150])})
    validation = make_reference_set(direction.of(held_out[:150]))
    hypotheses = translate(
        model, prepared.tokenizer, validation.sources, learnable.manifest.decoding, prefix=direction.tag
    )
    assert curve == calibrate(prepared.tokenizer, validation, hypotheses)
    assert evaluated.manifest.clean_up.non_breaking_prefixes == (("Sr",) if direction.backwards else ("Mr",))
    error = evaluated.manifest.scores["calibration_error"]
    assert 0 <= error.value < 0.5
    (metric,) = (metric for metric in METRICS if metric.name == f"test:calibration_error{direction.suffix}")
    assert [float(value) for value in re.findall(metric.regex, capsys.readouterr().out)] == [error.value]
