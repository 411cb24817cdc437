"""What a probability is worth: the curve, its error, and both for a model that a real job wrote."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from container.artifact import Artifact, Calibration, Decoding, mean_log_probability, open_artifact
from data.sample import read_part
from train.corpus.directions import FORWARD, Direction
from train.corpus.pairs import Pair
from train.corpus.split import Corpus
from train.corpus.tokenizer import load_tokenizer
from train.evaluation import calibration
from train.evaluation.calibration import (
    FEWEST,
    Judged,
    calibrate,
    calibration_error,
    error_on,
    fit,
    judge,
    reliability,
)
from train.evaluation.evaluate import Exported, learn_confidence
from train.evaluation.scores import ReferenceSet, make_reference_set
from train.job.describe import METRICS
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress


def judged(count: int, intercept: float, slope: float) -> Judged:
    generator = np.random.default_rng(7)
    x = generator.uniform(-1.5, 0, count)
    return Judged(x, generator.uniform(size=count) < 1 / (1 + np.exp(-(intercept + slope * x))))


def test_the_curve_is_found_and_is_calibrated_on_other_sentences() -> None:
    curve = fit(judged(20_000, 2.0, 5.0))
    assert curve == pytest.approx((2.0, 5.0), abs=0.2)
    learnt = Calibration(good_chrf=60, intercept=curve[0], slope=curve[1], sentences=20_000)
    score = error_on(learnt, judged(5_000, 2.0, 5.0))
    assert score.value < 0.03
    assert score.signature == "good:chrF2>=60|bins:10|mass:equal|sentences:5000"
    boastful = learnt.model_copy(update={"intercept": learnt.intercept + 2})
    assert error_on(boastful, judged(5_000, 2.0, 5.0)).value > 0.1


def test_the_error_by_hand() -> None:
    bins = reliability(np.array([0.1, 0.9, 0.2, 0.8]), np.array([False, True, False, True]))
    assert [count for count, _, _ in bins] == [1, 1, 1, 1]
    assert [share for _, _, share in bins] == [0, 0, 1, 1]
    assert calibration_error(bins) == pytest.approx((0.1 + 0.2 + 0.2 + 0.1) / 4)
    assert calibration_error([(10, 0.5, 0.5), (30, 0.9, 0.5)]) == pytest.approx(0.3)


def test_too_little_teaches_nothing() -> None:
    assert fit(judged(FEWEST - 1, 2.0, 5.0)) is None
    alike = judged(FEWEST, 2.0, 5.0)
    assert fit(Judged(alike.log_probabilities, np.zeros(FEWEST, dtype=bool))) is None
    apart = fit(Judged(np.linspace(-1, 0, FEWEST), np.arange(FEWEST) >= FEWEST // 2))
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


def test_a_real_models_probabilities_are_those_of_its_tokens(toy_model: Path) -> None:
    model = open_artifact(toy_model)
    tokenizer = load_tokenizer(model.tokenizer)
    test_set = ReferenceSet(["I am tired.", "Where is my house?"], [["Estoy cansado."], ["¿Dónde está mi casa?"]])
    plain = judge(model.ctranslate2, tokenizer, test_set, Decoding(beam_size=1, length_penalty=1.0))
    other = judge(model.ctranslate2, tokenizer, test_set, Decoding(beam_size=1, length_penalty=0.3))
    # The toy writes to its limit: without the end, which is counted, the mean is off by one part in 256.
    assert plain.log_probabilities == pytest.approx(other.log_probabilities, rel=0.01)
    assert calibrate(model.ctranslate2, tokenizer, test_set, Decoding()) is None


@pytest.fixture
def learnable(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> Artifact:
    """The toy model, and an idea of good by which some of its nonsense is good and some is not."""
    model = open_artifact(toy_model)
    part = make_reference_set([Pair(*row) for row in read_part("test")], 100)
    tokenizer = load_tokenizer(model.tokenizer)
    for chrf in (1.0, 2.0, 4.0, 6.0, 8.0, 10.0):
        monkeypatch.setattr(calibration, "GOOD_CHRF", chrf)
        if 20 < judge(model.ctranslate2, tokenizer, part, model.manifest.decoding).good.sum() < 80:
            return model
    raise AssertionError("the toy model's translations are all alike")


@pytest.mark.parametrize("direction", [FORWARD, Direction(("<2en>",), backwards=True)], ids=["forward", "reverse"])
def test_publishing_learns_the_curve_and_measures_its_error(
    direction: Direction, learnable: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = [Pair(*row) for row in read_part("test")]
    prepared = SimpleNamespace(
        corpus=Corpus([], held_out[:150], held_out[150:]), tokenizer=load_tokenizer(learnable.tokenizer)
    )
    hp = Hyperparameters.model_validate(learnable.manifest.hyperparameters)
    model = learnable.ctranslate2
    exported = Exported(model, model, prepared, hp, Progress(hp), threading.Event())  # type: ignore[arg-type]
    curve, scores = learn_confidence(exported, direction)
    assert curve is not None
    assert curve.sentences == len({pair.source for pair in direction.of(held_out[:150])})
    validation, decoding = make_reference_set(direction.of(held_out[:150])), learnable.manifest.decoding
    assert curve == calibrate(learnable.ctranslate2, prepared.tokenizer, validation, decoding, direction.tag)
    error = scores["calibration_error"]
    assert 0 <= error.value < 0.5
    (metric,) = (metric for metric in METRICS if metric.name == f"test:calibration_error{direction.suffix}")
    assert [float(value) for value in re.findall(metric.regex, capsys.readouterr().out)] == [error.value]
