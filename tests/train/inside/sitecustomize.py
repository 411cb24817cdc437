"""What tests change inside the jobs they start: Python imports this by itself, where its folder is on PYTHONPATH."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any


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
    """Stop this process right after it has logged its `number`-th line with `wanted` in it, for a test to send SIGTERM.

    After SIGCONT it waits until its handler of SIGTERM has run: a thread other than the main one may take the signal,
    and the main thread could make another update before it hears of it.
    """
    handle, install, logged = logging.Logger.handle, signal.signal, 0
    told, tell = os.pipe()

    def install_and_tell(which: int, handler: Any) -> Any:
        def handle_and_tell(*arguments: Any) -> None:
            handler(*arguments)
            os.write(tell, b"!")

        return install(which, handle_and_tell if which == signal.SIGTERM and callable(handler) else handler)

    def handle_and_freeze(logger: logging.Logger, record: logging.LogRecord) -> None:
        nonlocal logged
        handle(logger, record)
        logged += wanted in record.getMessage()
        if logged == number:
            logged += 1
            os.kill(os.getpid(), signal.SIGSTOP)
            os.read(told, 1)

    signal.signal = install_and_tell
    logging.Logger.handle = handle_and_freeze  # type: ignore[method-assign]


if "TEST_FREEZE_IN_WRITE" in os.environ:
    freeze_in_write(int(os.environ["TEST_FREEZE_IN_WRITE"]))
if "TEST_FREEZE_AFTER_LINE" in os.environ:
    count, line = os.environ["TEST_FREEZE_AFTER_LINE"].split(":", 1)
    freeze_after_line(int(count), line)
