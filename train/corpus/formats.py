"""Reads the sentence pairs of a channel's files, line by line, in any of the usual formats.

    *.tsv, *.txt       source TAB target; more columns (Tatoeba's attribution) are ignored
    *.csv              the same, comma-separated and quoted
    *.jsonl, *.json    {"source": …, "target": …}, {"en": …, "es": …} or {"translation": {"en": …, "es": …}}
    text.en, text.es   two parallel files, line by line

A header line of TSV or CSV that names the columns (`source` and `target`, or the two languages) is used.
Any file may be gzipped (`*.gz`). The format of a fifo, or of a file with another name, is what the channel's
content type says, or else what the first line looks like. Text is UTF-8, with or without a byte order mark.
Lines end at `\\n` or `\\r\\n` and nowhere else: characters such as U+2028 belong to the sentence.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import NamedTuple

from container.errors import ChannelError
from train.corpus.pairs import Pair
from train.job.channels import PIPE_SECONDS, Channel, binary_lines, files, find_file, sources


class Line(NamedTuple):
    """One decoded line without its end, and where it stands."""

    path: Path
    number: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.path}, line {self.number}"


class Languages(NamedTuple):
    """The codes that name columns, keys and parallel files."""

    source: str
    target: str


Reader = Callable[[Iterator[Line], Languages], Iterator[Pair]]


def read_pairs(
    channel: Channel,
    source_lang: str,
    target_lang: str,
    *,
    train_file: str | None = None,
    exclude: Collection[str] = (),
    patience: float = PIPE_SECONDS,
) -> Iterator[Pair]:
    """All pairs of `channel` in the order of its sorted files; blank lines are skipped.

    Args:
        train_file: read this file of the channel only (one of two parallel files stands for both).
        exclude: file names that are no corpus (lists of non-breaking prefixes, say).
        patience: how many seconds to wait for the fifo of Pipe mode.

    A host that got no part of a sharded channel gets no pair. `ChannelError` names the file and line that is
    malformed, or the file that holds no pair.
    """
    languages = Languages(source_lang, target_lang)
    if train_file is not None:
        if channel.mode == "Pipe":
            raise ChannelError("train_file names a file, but the channel is in Pipe mode: use File mode, or drop it.")
        one = find_file(channel, train_file)
        wanted = (_key(one), _other_half(one, languages))
        paths = [path for path in files(channel) if _key(path) in wanted]
    else:
        paths = [path for path in sources(channel, patience=patience) if path.name not in exclude]
    for corpus in _corpora(paths, languages):
        pairs = _parallel(*corpus) if len(corpus) == 2 else _single(corpus[0], channel, languages)
        yield from _not_empty(pairs, corpus[0])


def _not_empty(pairs: Iterator[Pair], path: Path) -> Iterator[Pair]:
    first = next(pairs, None)
    if first is None:
        raise ChannelError(f"{path} is empty, it holds no sentence pair: fill the file or take it away.")
    yield first
    yield from pairs


# Which files belong together


def _key(path: Path) -> tuple[Path, str]:
    """Name and extension with `.gz` put aside: `dir/a.tsv.gz` -> (`dir/a`, `.tsv`)."""
    plain = path.with_name(path.name.removesuffix(".gz"))
    return plain.with_suffix(""), plain.suffix.lower()


def _other_half(path: Path, languages: Languages) -> tuple[Path, str] | None:
    """The key of the file that is parallel to `path`; `None` when the name of `path` does not end in a language."""
    stem, suffix = _key(path)
    source, target = (f".{language.lower()}" for language in languages)
    return {source: (stem, target), target: (stem, source)}.get(suffix)


def _corpora(paths: Sequence[Path], languages: Languages) -> Iterator[tuple[Path, ...]]:
    """Each file alone, or the two files of a parallel corpus, source first. `ChannelError` where one is missing."""
    by_key = {_key(path): path for path in paths}
    for path in paths:
        key = _other_half(path, languages)
        if key is None:
            yield (path,)
        elif key not in by_key:
            missing = f"{key[0].name}{key[1]}"
            raise ChannelError(f"{path} is one half of a parallel corpus: put {missing} beside it.")
        elif _key(path)[1] == f".{languages.source.lower()}":
            yield path, by_key[key]


# One file


def _single(path: Path, channel: Channel, languages: Languages) -> Iterator[Pair]:
    lines = decoded_lines(path)
    first = next(lines, None)
    if first is None:
        return iter(())
    return _reader(path, channel, first)(chain([first], lines), languages)


def _reader(path: Path, channel: Channel, first: Line) -> Reader:
    """The reader for a file: by its name, else by the channel's content type, else by its first line."""
    by_suffix: dict[str, Reader] = {
        ".tsv": _tsv, ".csv": _csv, ".jsonl": _json, ".json": _json, ".ndjson": _json, ".jsonlines": _json
    }  # fmt: skip
    by_type: dict[str, Reader] = {
        "text/csv": _csv,
        "text/tab-separated-values": _tsv,
        "application/jsonlines": _json,
        "application/x-ndjson": _json,
        "application/json": _json,
    }
    content_type = (channel.content_type or "").split(";")[0].strip().lower()
    looks_like = _json if first.text.lstrip().startswith('{"') else _tsv
    return by_suffix.get(_key(path)[1]) or by_type.get(content_type) or looks_like


def decoded_lines(path: Path) -> Iterator[Line]:
    """The lines of a file or fifo as text; `ChannelError` with the line that is not UTF-8."""
    for number, raw in enumerate(binary_lines(path), start=1):
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            where = f"byte 0x{raw[error.start]:02x} at position {error.start + 1}"
            raise ChannelError(f"{path}, line {number}, is not UTF-8 ({where}): save the file as UTF-8.") from None
        yield Line(path, number, text.removesuffix("\n").removesuffix("\r"))


def _tsv(lines: Iterator[Line], languages: Languages) -> Iterator[Pair]:
    columns = (0, 1)
    for line in lines:
        if not line.text.strip():
            continue
        fields = line.text.split("\t")
        if line.number == 1 and (named := _header(fields, languages)):
            columns = named
            continue
        yield _columns(fields, columns, line.place, "a tab")


def _csv(lines: Iterator[Line], languages: Languages) -> Iterator[Pair]:
    first = next(lines)
    path, columns = first.path, (0, 1)
    rows = csv.reader((f"{line.text}\n" for line in chain([first], lines)), strict=True)
    try:
        for index, fields in enumerate(rows):
            if not any(field.strip() for field in fields):
                continue
            if index == 0 and (named := _header(fields, languages)):
                columns = named
                continue
            yield _columns(fields, columns, f"{path}, line {rows.line_num}", "a comma")
    except csv.Error as error:
        raise ChannelError(f"{path}, line {rows.line_num}, is not valid CSV ({error}): quote it properly.") from None


def _header(fields: Sequence[str], languages: Languages) -> tuple[int, int] | None:
    """The columns of source and target when this row names them."""
    names = [field.strip().lower() for field in fields]
    for source, target in (("source", "target"), (languages.source.lower(), languages.target.lower())):
        if source in names and target in names:
            return names.index(source), names.index(target)
    return None


def _columns(fields: Sequence[str], columns: tuple[int, int], place: str, separator: str) -> Pair:
    if len(fields) <= max(columns):
        count = "one column" if len(fields) == 1 else f"{len(fields)} columns"
        raise ChannelError(f"{place}, has {count}: expected source and target with {separator} between them.")
    return Pair(fields[columns[0]], fields[columns[1]])


def _json(lines: Iterator[Line], languages: Languages) -> Iterator[Pair]:
    for line in lines:
        if not line.text.strip():
            continue
        try:
            record = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            raise ChannelError(f"{line.place}, is not valid JSON ({error}): write one object a line.") from None
        yield _from_record(record, line, languages)


def _from_record(record: object, line: Line, languages: Languages) -> Pair:
    inner = record.get("translation", record) if isinstance(record, dict) else None
    if isinstance(inner, dict):
        for source, target in (("source", "target"), languages):
            pair = inner.get(source), inner.get(target)
            if isinstance(pair[0], str) and isinstance(pair[1], str):
                return Pair(pair[0], pair[1])
    raise ChannelError(
        f"{line.place}, is no sentence pair: expected an object with the texts "
        f'"source" and "target", or "{languages.source}" and "{languages.target}".'
    )


# Two files


def _parallel(source: Path, target: Path) -> Iterator[Pair]:
    """Line n of both files is pair n; lines blank on both sides are skipped."""
    counts = [0, 0]
    for left, right in zip_longest(decoded_lines(source), decoded_lines(target)):
        counts[0] += left is not None
        counts[1] += right is not None
        if left is None or right is None or not (left.text.strip() or right.text.strip()):
            continue
        yield Pair(left.text, right.text)
    if counts[0] != counts[1]:
        raise ChannelError(
            f"{source} has {counts[0]} lines and {target} has {counts[1]}: "
            "parallel files must have a line for each other's line."
        )
