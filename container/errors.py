"""The one place where a failure gets its kind, and each kind its exit code and HTTP status.

Three kinds, after who can cure it: the caller (`UserError`), us (`AlgorithmError`), the machine
(`PlatformError`). Every message is one sentence that says what is wrong, where, and what to do.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

FAILURE_LIMIT = 1024  # bytes; SageMaker keeps the first 1,024 characters as FailureReason


@dataclass(frozen=True)
class Kind:
    """How one kind of failure shows outside: `exit_code` of the process, HTTP `status`, machine-readable `code`."""

    exit_code: int
    status: int
    code: str


class NmtError(Exception):
    """Base of every failure we name. The message is for the person who has to cure it."""

    kind = Kind(exit_code=1, status=500, code="internal_error")


class UserError(NmtError):
    """The input is wrong: data, hyperparameter, channel, request."""

    kind = Kind(exit_code=2, status=400, code="bad_request")


class AlgorithmError(NmtError):
    """Our own bug, or a check of ours that failed (the parity gate, say)."""

    kind = Kind(exit_code=3, status=500, code="internal_error")


class PlatformError(NmtError):
    """The machine around us failed: disk full, a lost host, no memory."""

    kind = Kind(exit_code=4, status=503, code="unavailable")


class HyperparameterError(UserError):
    """One or more hyperparameters are unknown or out of range; the message names each."""


class ChannelError(UserError):
    """A channel is missing, empty or malformed; the message names channel, file and line."""


class ArtifactError(UserError):
    """A model directory is missing, damaged or of an unknown format; the message names the file."""

    kind = Kind(exit_code=2, status=503, code="model_unavailable")


class Stopped(Exception):
    """The job was told to stop before there was anything to keep: no failure, and no model either."""


class Overloaded(PlatformError):
    """The queue is full or the server is draining; worth another try after `retry_after` seconds."""

    kind = Kind(exit_code=4, status=503, code="overloaded")

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def kind_of(error: BaseException) -> Kind:
    """The kind of any exception: our own say theirs; the machine's are told apart from our bugs."""
    if isinstance(error, NmtError):
        return error.kind
    if isinstance(error, (MemoryError, OSError)):
        return PlatformError.kind
    return AlgorithmError.kind


def write_failure(path: Path, error: BaseException) -> None:
    """Write SageMaker's failure file: the sentence first, the traceback after it where it is our bug.

    At most `FAILURE_LIMIT` bytes of UTF-8, cut between characters. SageMaker shows the text as the
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
