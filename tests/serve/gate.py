"""A gate before the engine of a running server: what a test holds there is in flight for as long as the test wants.

No answer comes before its moment was seen, however fast or slow the machine is.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSIDE = Path(__file__).with_name("inside")  # changes the server, which imports what is in there
HELD = "Now I see the red house."  # a batch with such a sentence in it waits at the gate
WORD = "house"  # by which it is known


class Gate:
    """The gate of the servers that are started with its `environment`; open but within `shut`.

    It is the lock of a file: the kernel wakes who waits there, and opens it when this process ends.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "gate"
        self._file.touch()

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(INSIDE), "TEST_GATE": str(self._file), "TEST_GATE_WORD": WORD}

    @contextmanager
    def shut(self) -> Iterator[None]:
        """No batch with a `HELD` sentence in it is decoded within; all that wait are at the end."""
        with self._file.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
