"""Settings from the environment: each variable's default and range, and the sentence that refuses another value."""

from __future__ import annotations

import pytest

from container.errors import UserError
from serve.settings import SIGNS_OF_SAGEMAKER, Settings


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "70000", "a whole number from 1 to 65535"),
        ("NMT_MAX_REQUESTS", "0", "a whole number from 1 to 900"),
        ("NMT_MAX_REQUESTS", "+8", "a whole number from 1 to 900"),
        ("NMT_DEADLINE_SECONDS", "8.0", "a whole number from 0 to 86400"),
        ("NMT_EMF", "yes", "a whole number from 0 to 1"),
        ("NMT_LOG_TEXT", "2", "a whole number from 0 to 1"),
        ("NMT_ENGINE", "onnx", "ctranslate2 or tensorflow"),
        ("NMT_DEVICE", "1", "auto, cpu or cuda"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_name(variable: str, value: str, wanted: str) -> None:
    with pytest.raises(UserError) as refused:
        Settings.from_environment({variable: value})
    assert str(refused.value) == f"The environment variable {variable} is {value!r}: give {wanted}."


def test_each_variable_sets_its_field() -> None:
    given = {"NMT_MAX_BODY_MB": "7", "NMT_EMF": "1", "NMT_EMF_SECONDS": "9", "NMT_ENGINE": "tensorflow"}
    settings = Settings.from_environment(given)
    assert (settings.max_body_mb, settings.emf, settings.emf_seconds, settings.engine) == (7, True, 9, "tensorflow")
    assert settings.threads > settings.max_requests
    assert Settings.from_environment({"SAGEMAKER_MULTI_MODEL": "True"}).multi_model
    assert not Settings.from_environment({"SAGEMAKER_MULTI_MODEL": "1"}).multi_model


def test_an_empty_variable_is_one_that_is_not_given() -> None:
    assert Settings.from_environment({"NMT_MAX_BODY_MB": "", SIGNS_OF_SAGEMAKER[0]: "x"}) == Settings()


def test_limits_are_lifted_for_batch_transform() -> None:
    assert (Settings().max_body_mb, Settings().deadline_seconds) == (25, 55)
    lifted = Settings.from_environment({"SAGEMAKER_BATCH": "true"})
    assert (lifted.max_body_mb, lifted.deadline_seconds) == (0, 0)
    kept = Settings.from_environment({"SAGEMAKER_BATCH": "true", "NMT_MAX_BODY_MB": "7", "NMT_DEADLINE_SECONDS": "9"})
    assert (kept.max_body_mb, kept.deadline_seconds) == (7, 9)
