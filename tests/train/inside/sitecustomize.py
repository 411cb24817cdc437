"""What tests change inside the jobs they start: Python imports this by itself, where its folder is on PYTHONPATH."""

from __future__ import annotations

import builtins
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
    """Stop this process right after it has printed its `number`-th line with `wanted` in it; SIGCONT lets it go on."""
    write, printed = builtins.print, 0

    def write_and_freeze(*values: Any, **settings: Any) -> None:
        nonlocal printed
        write(*values, **settings)
        printed += any(wanted in str(value) for value in values)
        if printed == number:
            printed += 1
            os.kill(os.getpid(), signal.SIGSTOP)

    builtins.print = write_and_freeze


if "TEST_FREEZE_IN_WRITE" in os.environ:
    freeze_in_write(int(os.environ["TEST_FREEZE_IN_WRITE"]))
if "TEST_FREEZE_AFTER_LINE" in os.environ:
    count, line = os.environ["TEST_FREEZE_AFTER_LINE"].split(":", 1)
    freeze_after_line(int(count), line)
