"""Which framework a job trains with, decided before either is imported."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from container.errors import HyperparameterError
from train.backends import choice as framework
from train.backends.choice import PACKAGES, TITLES, with_framework
from train.job.hyperparameters import parse

INSTALLED = [name for name, package in PACKAGES.items() if find_spec(package)]


def test_what_is_installed_is_the_default() -> None:
    assert with_framework(parse({})).framework == INSTALLED[0]


@pytest.mark.parametrize("wanted", PACKAGES)
def test_what_is_not_installed_is_refused_in_one_sentence(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = next(name for name in PACKAGES if name != wanted)
    monkeypatch.setattr(framework, "find_spec", lambda package: package == PACKAGES[other] or None)
    with pytest.raises(HyperparameterError) as refused:
        with_framework(parse({"framework": wanted}))
    assert str(refused.value) == (
        f"framework={wanted} was asked for, and this image has {other}: "
        f"use the image with {TITLES[wanted]}, or leave framework out."
    )


@pytest.mark.parametrize(
    ("installed", "remedy"),
    [(("torch", "tensorflow"), "set framework=tensorflow"), (("torch",), "use the image with TensorFlow")],
)
def test_a_saved_model_needs_tensorflow(
    installed: tuple[str, ...], remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framework, "find_spec", lambda package: package if package in installed else None)
    with pytest.raises(HyperparameterError, match=f"saved_model=true needs TensorFlow, .*: {remedy}, or"):
        with_framework(parse({"framework": "pytorch", "saved_model": "true"}))
