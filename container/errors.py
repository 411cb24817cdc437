"""The kinds of failure, and the exit code and HTTP status of each.

There are three, by who can cure the failure: whoever gave the input (`UserError`), us (`AlgorithmError`), whoever runs
the machine (`PlatformError`). Every message is one sentence that says what is wrong, where, and what to do.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

FAILURE_LIMIT = 1024  # bytes; SageMaker keeps the first 1,024 characters as FailureReason


@dataclass(frozen=True)
class Kind:
    """How a failure shows outside: `exit_code` of the process, HTTP `status`, and a `code` for programs."""

    exit_code: int
    status: int
    code: str


class NmtError(Exception):
    """Base of every failure that has a name. The message is for the person who has to cure it."""

    kind = Kind(exit_code=1, status=500, code="internal_error")


class UserError(NmtError):
    """The input is wrong: data, hyperparameter, channel, request."""

    kind = Kind(exit_code=2, status=400, code="bad_request")


class AlgorithmError(NmtError):
    """A bug of ours, or one of our own checks failed, such as the parity of an export."""

    kind = Kind(exit_code=3, status=500, code="internal_error")


class PlatformError(NmtError):
    """The machine failed: disk full, a lost host, no memory."""

    kind = Kind(exit_code=4, status=503, code="unavailable")


class HyperparameterError(UserError):
    """One or more hyperparameters are unknown or out of range; the message names each."""


class ChannelError(UserError):
    """A channel is missing, empty or malformed; the message names channel, file and line."""


class ArtifactError(UserError):
    """A model directory is missing, damaged or of an unknown format; the message names the file."""

    kind = Kind(exit_code=2, status=503, code="model_unavailable")


class Stopped(Exception):
    """The job was told to stop before it had anything to keep. This is no failure, but there is no model either."""


class Overloaded(PlatformError):
    """The queue is full or the server is stopping; another try after `retry_after` seconds may succeed."""

    kind = Kind(exit_code=4, status=503, code="overloaded")

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def kind_of(error: BaseException) -> Kind:
    """The kind of any exception; one that is not ours is the machine's (memory, files) or a bug."""
    if isinstance(error, NmtError):
        return error.kind
    if isinstance(error, (MemoryError, OSError)):
        return PlatformError.kind
    return AlgorithmError.kind


def write_failure(path: Path, error: BaseException) -> None:
    """Write SageMaker's failure file: first the sentence, then the traceback unless the input was wrong.

    The file has at most `FAILURE_LIMIT` bytes of UTF-8, cut between characters. SageMaker shows the text as the
    job's FailureReason ("/opt/ml/output/failure", training contract).
    """
    sentence = str(error) if isinstance(error, NmtError) else f"{type(error).__name__}: {error}"
    text = f"{type(error).__name__}: {sentence}" if isinstance(error, NmtError) else sentence
    if not isinstance(error, UserError):
        trace = "".join(traceback.format_exception(error))
        text = f"{text}\n{trace}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        text.encode("utf-8", errors="backslashreplace")[:FAILURE_LIMIT].decode("utf-8", errors="ignore").encode("utf-8")
    )
