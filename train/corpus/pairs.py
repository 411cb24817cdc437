"""Sentence pairs, and the file that holds more of them than memory could."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np


class Pair(NamedTuple):
    """A sentence and its translation. Either may be empty until the corpus is cleaned."""

    source: str
    target: str

    @property
    def line(self) -> bytes:
        """The pair as a line of a `PairFile`."""
        return f"{self.source}\t{self.target}\n".encode()

    @classmethod
    def from_line(cls, line: bytes) -> Pair:
        source, target = line.decode().rstrip("\n").split("\t")
        return cls(source, target)


class PairFile(Sequence[Pair]):
    """N pairs in a file, `source TAB target` a line in UTF-8. It reads like a list and holds 8 bytes of memory a pair.

    Line i is `[edges[i], edges[i + 1])` of the file (int64 [N + 1]). A slice is a `PairFile` of a part of the same
    file. Cleaned text holds no tab and no line end (`container.text.normalise`), so lines need no quoting.
    """

    def __init__(self, path: Path, edges: np.ndarray) -> None:
        self.path, self.edges = path, edges

    def __len__(self) -> int:
        return len(self.edges) - 1

    def __iter__(self) -> Iterator[Pair]:
        return map(Pair.from_line, self.lines())

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> PairFile: ...
    def __getitem__(self, index: int | slice) -> Pair | PairFile:
        """The pair at a number, or a part of the file; `ValueError` for a slice that leaves pairs out in between."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise ValueError(f"a PairFile has no slice in steps of {step}: take a slice of its list")
            return PairFile(self.path, self.edges[start : max(start, stop) + 1])
        number = range(len(self))[index]
        return next(iter(self[number : number + 1]))

    def lines(self) -> Iterator[bytes]:
        """Each pair's line in order."""
        with self.path.open("rb") as file:
            file.seek(self.edges[0])
            yield from islice(file, len(self))

    def select(self, kept: np.ndarray, path: Path) -> PairFile:
        """Write the pairs where `kept` (bool [N]) holds to the file `path`, in order."""
        ends_of_runs = np.flatnonzero(np.diff(kept, prepend=False, append=False))  # [start, stop, start, stop, …]
        with self.path.open("rb") as file, path.open("wb") as out:
            for start, stop in self.edges[ends_of_runs].reshape(-1, 2):
                file.seek(start)
                out.write(file.read(stop - start))
        return PairFile(path, edges_of(np.diff(self.edges)[kept]))


def edges_of(lengths: np.ndarray) -> np.ndarray:
    """Where N consecutive stretches of these lengths (int64 [N]) begin and end (int64 [N + 1])."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)))
