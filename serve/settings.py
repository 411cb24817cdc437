"""What the environment may change about the server; every other number is a decision of the code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from container.errors import PlatformError, UserError

# What SageMaker sets in its containers and nobody else does; SAGEMAKER_BIND_TO_PORT is useful anywhere.
SIGNS_OF_SAGEMAKER = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "SAGEMAKER_BATCH",
    "SAGEMAKER_MULTI_MODEL",
    "SAGEMAKER_SAFE_PORT_RANGE",
)
ENGINES = ("ctranslate2", "tensorflow")
DEVICES = ("auto", "cpu", "cuda")
SPARE_THREADS = 8  # beyond the request slots, so that /ping and refusals never wait for a translation


@dataclass(frozen=True)
class Settings:
    """Limits of one server process.

    port: TCP port of nginx. SageMaker sets SAGEMAKER_BIND_TO_PORT in multi-container endpoints.
    max_body_mb: MiB of request body, also once unpacked; 25 is what real-time endpoints pass on. 0 is no limit.
    deadline_seconds: for one answer; real-time endpoints hang up after 60. 0 is no limit.
    max_requests: requests answered at the same time; one more is told to come back.
    max_waiting: sentences that may wait for the engine before a further request is refused.
    batch_tokens: source tokens that go through the engine together, about 28 short sentences. Measured on 2 cores: with
        1,024 a beam of 4 is less than half as fast, and memory grows by a third (benchmarks/RESULTS.md).
    multi_model: models come and go by /models; SageMaker sets SAGEMAKER_MULTI_MODEL in such endpoints.
    models_memory_mb: MiB that all loaded models may take; 0 is half of the container's memory.
    engine: ctranslate2, or tensorflow for a model that was trained with saved_model=true.
    device: of the engine; auto is the GPU where there is one.
    emf_seconds: between two lines of CloudWatch metrics on stdout; 0 is none.
    record_errors: a malformed record of a batch is answered by an `error` in its place, not a 400 for all.
    log_text: messages of unexpected failures are logged, which may quote what was sent.
    page: the page for people at `/`; by itself where no sign of SageMaker is, and never with several models.
    """

    port: int = 8080
    max_body_mb: int = 25
    deadline_seconds: int = 55
    max_requests: int = 256
    max_waiting: int = 8192
    batch_tokens: int = 256
    multi_model: bool = False
    models_memory_mb: int = 0
    engine: str = "ctranslate2"
    device: str = "auto"
    page: bool = False
    emf_seconds: int = 0
    record_errors: bool = False
    log_text: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings; `UserError` names the variable that is no number, out of range or no known name.

        A batch transform job (SAGEMAKER_BATCH=true) has neither limit unless it is given: SageMaker sets its own.
        """
        transform = _is_true(environment, "SAGEMAKER_BATCH")
        body, deadline = (0, 0) if transform else (cls.max_body_mb, cls.deadline_seconds)
        multi_model = _is_true(environment, "SAGEMAKER_MULTI_MODEL")
        emf = _number(environment, "NMT_EMF", 0, 0, 1)
        outside = not any(environment.get(sign) for sign in SIGNS_OF_SAGEMAKER)
        return cls(
            port=_number(environment, "SAGEMAKER_BIND_TO_PORT", cls.port, 1, 65535),
            max_body_mb=_number(environment, "NMT_MAX_BODY_MB", body, 0, 4096),
            deadline_seconds=_number(environment, "NMT_DEADLINE_SECONDS", deadline, 0, 86_400),
            max_requests=_number(environment, "NMT_MAX_REQUESTS", cls.max_requests, 1, 900),
            max_waiting=_number(environment, "NMT_MAX_WAITING", cls.max_waiting, 1, 10_000_000),
            batch_tokens=_number(environment, "NMT_BATCH_TOKENS", cls.batch_tokens, 1, 1_000_000),
            multi_model=multi_model,
            models_memory_mb=_number(environment, "NMT_MODELS_MEMORY_MB", cls.models_memory_mb, 0, 10_000_000),
            engine=_choice(environment, "NMT_ENGINE", ENGINES),
            device=_choice(environment, "NMT_DEVICE", DEVICES),
            emf_seconds=_number(environment, "NMT_EMF_SECONDS", 60, 1, 86_400) if emf else 0,
            record_errors=bool(_number(environment, "NMT_RECORD_ERRORS", 0, 0, 1)),
            log_text=bool(_number(environment, "NMT_LOG_TEXT", 0, 0, 1)),
            page=bool(_number(environment, "NMT_UI", int(outside), 0, 1)) and not multi_model,
        )

    @property
    def threads(self) -> int:
        return self.max_requests + SPARE_THREADS


def check_engine(engine: str) -> None:
    """`PlatformError` when the package of the engine is not installed here. Imports nothing of it."""
    if engine == "tensorflow" and find_spec("tensorflow") is None:
        raise PlatformError(
            "NMT_ENGINE is tensorflow and that package is not installed here: "
            "use the image with TensorFlow, or set NMT_ENGINE=ctranslate2."
        )


def _is_true(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() == "true"


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """One of `choices`; the first is the default."""
    value = environment.get(name) or choices[0]
    if value not in choices:
        raise UserError(
            f"The environment variable {name} is {value!r}: give {', '.join(choices[:-1])} or {choices[-1]}."
        )
    return value


def _number(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise UserError(f"The environment variable {name} is {text!r}: give a whole number from {low} to {high}.")
    return int(text)
