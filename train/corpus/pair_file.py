"""Sentence pairs that stand on disk instead of in memory, for corpora that do not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from train.corpus.formats import Pair

READ_BYTES = 1 << 22


class Span(NamedTuple):
    """The bytes of some whole lines of a file."""

    path: Path
    start: int
    stop: int

    def pairs(self) -> list[Pair]:
        with self.path.open("rb") as file:
            file.seek(self.start)
            return [_pair(line) for line in file.read(self.stop - self.start).splitlines()]


class PairFile(Sequence[Pair]):
    """N pairs, `source TAB target` a line in UTF-8: reads like a list of pairs, and holds 8 bytes of memory a pair.

    Line i is `[ends[i-1], ends[i])` of the file (int64 [N]). Cleaned text holds no tab and no line end
    (`container.text.normalise`), so lines need no quoting.
    """

    def __init__(self, path: Path, ends: np.ndarray) -> None:
        self.path, self.ends = path, ends

    @classmethod
    def write(cls, path: Path, pairs: Sequence[Pair]) -> PairFile:
        lines = [line_of(pair) for pair in pairs]
        path.write_bytes(b"".join(lines))
        return cls(path, np.cumsum([len(line) for line in lines], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[Pair]:
        with self.path.open("rb") as file:
            yield from map(_pair, file)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return self._span(number, number + 1).pairs()[0]

    def blocks(self) -> Iterator[bytes]:
        """The file's bytes from start to end, in pieces."""
        with self.path.open("rb") as file:
            while block := file.read(READ_BYTES):
                yield block

    def spans(self, pairs: int) -> Iterator[Span]:
        """The file in order, so many pairs at a time."""
        for first in range(0, len(self), pairs):
            yield self._span(first, min(first + pairs, len(self)))

    def only(self, kept: np.ndarray, path: Path) -> PairFile:
        """Write the pairs where `kept` (bool [N]) holds to `path`, in order."""
        edges = np.flatnonzero(np.diff(kept, prepend=False, append=False))  # where runs of kept lines begin and end
        offsets = np.concatenate(([0], self.ends))[edges]
        with self.path.open("rb") as file, path.open("wb") as out:
            for start, stop in offsets.reshape(-1, 2):
                file.seek(start)
                out.write(file.read(stop - start))
        return PairFile(path, np.cumsum(np.diff(self.ends, prepend=0)[kept]))

    def _span(self, first: int, stop: int) -> Span:
        return Span(self.path, int(self.ends[first - 1]) if first else 0, int(self.ends[stop - 1]))


def line_of(pair: Pair) -> bytes:
    return f"{pair.source}\t{pair.target}\n".encode()


def _pair(line: bytes) -> Pair:
    source, target = line.decode().rstrip("\n").split("\t")
    return Pair(source, target)
