"""What a probability is worth: the curve, its error, and the command on a model that a real job wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from container.artifact import Calibration, Decoding, mean_log_probability, open_artifact
from data.sample import write_channels
from tests.conftest import Job
from train.calibration import FEWEST, Judged, calibrate, calibration_error, error_on, fit, judge, reliability
from train.evaluate import TestSet
from train.tokenizer import load_tokenizer


def judged(count: int, intercept: float, slope: float) -> Judged:
    generator = np.random.default_rng(7)
    x = generator.uniform(-1.5, 0, count)
    return Judged(x, generator.uniform(size=count) < 1 / (1 + np.exp(-(intercept + slope * x))))


def test_the_curve_is_found_and_is_calibrated_on_other_sentences() -> None:
    curve = fit(judged(20_000, 2.0, 5.0))
    assert curve == pytest.approx((2.0, 5.0), abs=0.2)
    calibration = Calibration(good_chrf=60, intercept=curve[0], slope=curve[1], sentences=20_000)
    score = error_on(calibration, judged(5_000, 2.0, 5.0))
    assert score.value < 0.03
    assert score.signature == "good:chrF2>=60|bins:10|mass:equal|sentences:5000"
    boastful = calibration.model_copy(update={"intercept": calibration.intercept + 2})
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
    calibration = Calibration(good_chrf=60, intercept=1.0, slope=6.0, sentences=100)
    values = [calibration.confidence(x) for x in (-1e9, -1.0, -0.5, 0.0)]
    assert values == sorted(values)
    assert 0 <= values[0] < 1e-9 and values[-1] == pytest.approx(0.731, abs=1e-3)


def test_a_real_models_probabilities_are_those_of_its_tokens(toy_model: Path) -> None:
    model = open_artifact(toy_model)
    tokenizer = load_tokenizer(model.tokenizer)
    test_set = TestSet(["I am tired.", "Where is my house?"], [["Estoy cansado."], ["¿Dónde está mi casa?"]])
    plain = judge(model.ctranslate2, tokenizer, test_set, Decoding(beam_size=1, length_penalty=1.0))
    other = judge(model.ctranslate2, tokenizer, test_set, Decoding(beam_size=1, length_penalty=0.3))
    assert plain.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-4)
    assert calibrate(model.ctranslate2, tokenizer, test_set, Decoding()) is None


def test_a_job_with_a_large_enough_validation_part_is_calibrated(job: Job, tmp_path: Path) -> None:
    write_channels(job.paths.data)
    job.configure(
        {"n_layers": "1", "d_model": "32", "n_heads": "2", "ffn_dim": "64", "epochs": "8", "learning_rate": "0.005"}
        | {"nsamples": "1500", "validation_fraction": "0.3", "beam_size": "1", "vocab_size": "1000"}
    )
    finished = job.run()
    assert finished.returncode == 0, finished.stderr
    manifest = open_artifact(job.paths.model).manifest
    assert manifest.calibration is not None, finished.stdout
    assert manifest.calibration.sentences > FEWEST
    error = manifest.scores["calibration_error"]
    assert 0 <= error.value < 0.5
    assert f"calibration_error={error.value};" in finished.stdout
    metrics = json.loads((job.paths.output_data / "metrics.json").read_text())
    assert metrics["scores"]["calibration_error"]["value"] == error.value
    assert "calibration error" in (job.paths.output_data / "report.html").read_text()
    corpus = next((job.paths.data / "training").iterdir())
    command = [sys.executable, "-m", "train.calibration", str(job.paths.model), str(corpus)]
    printed = subprocess.run(command, env=job.environment(), capture_output=True, text=True, check=True).stdout
    assert "Expected calibration error" in printed
    assert printed.count("\n| ") == 1 + 10
