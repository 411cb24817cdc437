"""What the environment may change about the server; every other number is a decision of the code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from container.errors import PlatformError, UserError

# SageMaker sets these in its containers and nobody else does. SAGEMAKER_BIND_TO_PORT is useful anywhere.
SIGNS_OF_SAGEMAKER = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "SAGEMAKER_BATCH",
    "SAGEMAKER_MULTI_MODEL",
    "SAGEMAKER_SAFE_PORT_RANGE",
)
SPARE_THREADS = 8  # beyond the request slots, so that /ping and refusals never wait for a translation

Engine = Literal["ctranslate2", "tensorflow"]
Device = Literal["auto", "cpu", "cuda"]


def _setting(
    variable: str, default: object, meaning: str, low: int | None = None, high: int | None = None, **shown: str
) -> Any:
    """A field that the environment variable `variable` sets; `shown` replaces its default in the table of the docs."""
    return Field(default, description=meaning, ge=low, le=high, json_schema_extra={"variable": variable, **shown})


class Settings(BaseModel):
    """Limits and choices of one server process. The table of settings in docs/http.md is made from these fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    port: int = _setting("SAGEMAKER_BIND_TO_PORT", 8080, "TCP port that the server listens on", 1, 65_535)
    max_body_mb: int = _setting(
        "NMT_MAX_BODY_MB", 25, "MiB of a body, also after it is unpacked; more is a 413. 0 is no limit", 0, 4096
    )
    deadline_seconds: int = _setting(
        "NMT_DEADLINE_SECONDS", 55, "for one answer; after that it is a 503. 0 is no limit", 0, 86_400
    )
    max_requests: int = _setting(
        "NMT_MAX_REQUESTS", 256, "requests answered at the same time; one more is a 503", 1, 900
    )
    max_waiting: int = _setting(
        "NMT_MAX_WAITING", 8192, "sentences that may wait for the engine; a further request is a 503", 1, 10_000_000
    )
    # About 28 short sentences. Measured on 2 cores: with 1,024 tokens a beam of 4 is less than half as fast, and memory
    # grows by a third (benchmarks/EXPERIMENTS.md).
    batch_tokens: int = _setting(
        "NMT_BATCH_TOKENS", 256, "source tokens that go through the engine together", 1, 1_000_000
    )
    multi_model: bool = _setting(
        "SAGEMAKER_MULTI_MODEL",
        False,
        "`true` loads and unloads models by `/models`; SageMaker sets it in multi-model endpoints",
        shown_default="`false`",
        shown_values="`true` or `false`",
    )
    models_memory_mb: int = _setting(
        "NMT_MODELS_MEMORY_MB",
        0,
        "MiB for all models of a multi-model endpoint; 0 is half of the container's memory",
        0,
        10_000_000,
    )
    engine: Engine = _setting(
        "NMT_ENGINE", "ctranslate2", "`tensorflow` is for a model that was trained with `saved_model=true`"
    )
    device: Device = _setting("NMT_DEVICE", "auto", "of the engine; `auto` is the GPU where there is one")
    page: bool = _setting(
        "NMT_UI",
        False,
        "1 shows the page for people at `/`, 0 hides it; a multi-model endpoint never has it",
        shown_default="1 outside of SageMaker, else 0",
    )
    emf: bool = _setting(
        "NMT_EMF",
        False,
        "1 writes lines of CloudWatch metrics to stdout, in the embedded metric format; see Metrics",
    )
    emf_seconds: int = _setting("NMT_EMF_SECONDS", 60, "between two such lines", 1, 86_400)
    record_errors: bool = _setting(
        "NMT_RECORD_ERRORS", False, "1 answers a malformed record of a batch by an `error` in its place; see Failures"
    )
    log_text: bool = _setting(
        "NMT_LOG_TEXT", False, "1 logs the messages of unexpected failures, which may quote what was sent"
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings; `UserError` names a variable that is out of its range, and says what the range is.

        In a batch transform job (SAGEMAKER_BATCH=true) body and deadline have no limit unless one is given: SageMaker
        has limits of its own there.
        """
        described = cls.model_json_schema()["properties"]
        variables = {name: field["variable"] for name, field in described.items()}
        defaults: dict[str, Any] = {"page": not any(environment.get(sign) for sign in SIGNS_OF_SAGEMAKER)}
        if _is_true(environment, "SAGEMAKER_BATCH"):
            defaults |= {"max_body_mb": 0, "deadline_seconds": 0}
        given: dict[str, Any] = {
            name: _parse(text, is_flag=described[name]["type"] == "boolean")
            for name, variable in variables.items()
            if (text := environment.get(variable))
        }
        given["multi_model"] = _is_true(environment, variables["multi_model"])
        try:
            settings = cls.model_validate({**defaults, **given})
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            variable = variables[name]
            raise UserError(
                f"The environment variable {variable} is {environment[variable]!r}: give {_wanted(described[name])}."
            ) from None
        return settings.model_copy(update={"page": settings.page and not settings.multi_model})

    @property
    def threads(self) -> int:
        """Threads that the worker has for requests."""
        return self.max_requests + SPARE_THREADS


def check_engine(engine: str) -> None:
    """`PlatformError` when the package of the engine is not installed here. Imports nothing of it."""
    if engine == "tensorflow" and find_spec("tensorflow") is None:
        raise PlatformError(
            "NMT_ENGINE is tensorflow and that package is not installed here: "
            "use the image with TensorFlow, or set NMT_ENGINE=ctranslate2."
        )


def _is_true(environment: Mapping[str, str], variable: str) -> bool:
    """Whether one of SageMaker's own flags is set; it writes them as `true`."""
    return environment.get(variable, "").lower() == "true"


def _parse(text: str, is_flag: bool) -> object:
    """A whole number, or for a flag a boolean; anything else stays a text, which the field of a number refuses."""
    if not (text.isascii() and text.isdecimal()):
        return text
    number = int(text)
    return bool(number) if is_flag and number <= 1 else number


def _wanted(field: Mapping[str, Any]) -> str:
    """The values that a field takes, for the message that refuses another; `field` is its JSON schema."""
    if "enum" in field:
        return f"{', '.join(field['enum'][:-1])} or {field['enum'][-1]}"
    return f"a whole number from {field.get('minimum', 0)} to {field.get('maximum', 1)}"
