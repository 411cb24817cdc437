"""What tests change inside the jobs they start: Python imports this by itself, where its folder is on PYTHONPATH."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path


def freeze_in_write(number: int) -> None:
    """Stop this process for good inside its `number`-th write of a checkpoint: half of the file is there."""
    replace, written = os.replace, 0

    def freeze_or_replace(source: str | Path, destination: str | Path) -> None:
        nonlocal written
        if Path(destination).name.startswith("checkpoint-"):
            written += 1
            if written == number:
                os.truncate(source, Path(source).stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGSTOP)
                threading.Event().wait()
        replace(source, destination)

    os.replace = freeze_or_replace  # type: ignore[assignment]


def freeze_after_line(number: int, wanted: str) -> None:
    """Stop this process right after it has logged its `number`-th line with `wanted` in it; SIGCONT lets it go on."""
    handle, logged = logging.Logger.handle, 0

    def handle_and_freeze(logger: logging.Logger, record: logging.LogRecord) -> None:
        nonlocal logged
        handle(logger, record)
        logged += wanted in record.getMessage()
        if logged == number:
            logged += 1
            os.kill(os.getpid(), signal.SIGSTOP)

    logging.Logger.handle = handle_and_freeze  # type: ignore[method-assign]


if "TEST_FREEZE_IN_WRITE" in os.environ:
    freeze_in_write(int(os.environ["TEST_FREEZE_IN_WRITE"]))
if "TEST_FREEZE_AFTER_LINE" in os.environ:
    count, line = os.environ["TEST_FREEZE_AFTER_LINE"].split(":", 1)
    freeze_after_line(int(count), line)
