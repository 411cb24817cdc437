"""The log: one JSON line a request on stdout, and never a text that a client sent."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

log = logging.getLogger("serve")
ENCODER = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` would make a new one for each line


class JsonLines(logging.Formatter):
    """Writes log records as JSON objects, one a line; `extra={"fields": {…}}` adds fields.

    The message of an exception may quote what a client sent. Without `log_text` only kind and places are written.
    """

    def __init__(self, log_text: bool = False) -> None:
        super().__init__()
        self._log_text = log_text

    def format(self, record: logging.LogRecord) -> str:
        time_of = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time_of, "level": record.levelname.lower(), "message": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            line["traceback"] = "".join(traceback.format_exception(error)) if self._log_text else _places(error)
        return ENCODER.encode(line)


def _places(error: BaseException) -> str:
    """The traceback of an exception and of its causes, without their messages."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        parts.insert(0, "".join(traceback.format_tb(cause.__traceback__)) + type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return "\n".join(parts)


def log_to_stdout(log_text: bool = False) -> None:
    """Send this server's log to stdout, where SageMaker collects it, and give gunicorn's log the same form.

    No line says which place, thread or process wrote it, so Python's logging is told not to look that up. That halves
    the cost of a line ("Optimization" in Python's logging HOWTO). It holds for every logger of the process.
    """
    logging._srcfile = None  # type: ignore[attr-defined]
    logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False
    formatter = JsonLines(log_text)
    for theirs in logging.getLogger("gunicorn.error").handlers:
        theirs.setFormatter(formatter)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
