"""What tests change inside the servers they start: Python imports this by itself, where its folder is on PYTHONPATH."""

from __future__ import annotations

import fcntl
import os
import select
import time
from collections.abc import Sequence
from typing import Any

from serve.engine.batching import Batcher
from serve.engine.interface import Options, Predictor, Source, Translation


def put_a_gate_before_the_engine(gate: str, word: str) -> None:
    """A batch with `word` in it waits for as long as somebody has the file `gate` locked for himself alone.

    There is a thread more, so that one such batch leaves the others what they have, also on a single processor.
    """
    make = Batcher.__init__

    def make_gated(self: Batcher, predictor: Predictor, threads: int, *arguments: Any, **options: Any) -> None:
        decode = predictor.decode

        def decode_behind_the_gate(sources: Sequence[Source], options: Options) -> list[Translation]:
            if any(word in "".join(source.tokens) for source in sources):
                with open(gate) as file:
                    fcntl.flock(file, fcntl.LOCK_SH)
            return decode(sources, options)

        predictor.decode = decode_behind_the_gate  # type: ignore[method-assign]
        make(self, predictor, threads + 1, *arguments, **options)

    Batcher.__init__ = make_gated  # type: ignore[method-assign]


def sleep_under_libfaketime() -> None:
    """Debian's libfaketime 0.9.10 refuses to sleep until a moment of the monotonic clock, as Python's sleep does."""
    time.sleep = lambda seconds: select.select([], [], [], seconds)  # type: ignore[assignment,return-value]


if "TEST_GATE" in os.environ:
    put_a_gate_before_the_engine(os.environ["TEST_GATE"], os.environ["TEST_GATE_WORD"])
if "FAKETIME_TIMESTAMP_FILE" in os.environ:
    sleep_under_libfaketime()
