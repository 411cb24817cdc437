"""The learning rate from update to update."""

from __future__ import annotations

import pytest

from train.backends.schedule import learning_rate, warmup_steps
from train.job.hyperparameters import parse


@pytest.mark.parametrize(("step", "rate"), [(1, 1e-5), (50, 5e-4), (100, 1e-3), (400, 5e-4), (10_000, 1e-4)])
def test_the_learning_rate_rises_to_its_peak_and_falls_with_the_root(step: int, rate: float) -> None:
    assert learning_rate(step, 1e-3, 100) == pytest.approx(rate, rel=1e-5)


@pytest.mark.parametrize(("wanted", "planned", "steps"), [(800, 20_000, 800), (800, 100, 10), (800, 3, 1), (5, 100, 5)])
def test_the_warm_up_is_at_most_a_tenth_of_the_updates(wanted: int, planned: int, steps: int) -> None:
    assert warmup_steps(parse({"warmup_steps": wanted}), planned) == steps
