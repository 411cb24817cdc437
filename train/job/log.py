"""The log of a training job: what it says and its metrics on standard output, errors on standard error.

Every module says things through `LOG`. One handler writes all lines, above the progress bar where there is one.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

LOG = logging.getLogger("train")
METRICS_LOG = LOG.getChild("metrics")  # its lines stand alone, for they are read by regular expressions


def start_logging() -> None:
    """Write the job's log to the standard streams; a second call changes nothing."""
    if not LOG.handlers:
        handler = _ConsoleHandler()
        handler.setFormatter(_Formatter())
        LOG.addHandler(handler)
        LOG.setLevel(logging.INFO)
        LOG.propagate = False  # TensorFlow's libraries may give the root logger a handler of their own


class _Formatter(logging.Formatter):
    """`train: message`; a metrics line as it is."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line if record.name == METRICS_LOG.name else f"train: {line}"


class _ConsoleHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr if record.levelno >= logging.ERROR else sys.stdout
        tqdm.write(self.format(record), file=stream)  # a bar that is drawn moves down
        stream.flush()


@contextmanager
def hold_stderr() -> Iterator[None]:
    """Keep what the block writes to standard error, and print it only when the block fails.

    This holds for the file descriptor, to which C++ code writes: TensorFlow announces its optimisations when it is
    imported, whatever its log level is, and would put them in front of every user's log.
    """
    with tempfile.TemporaryFile() as kept:
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
