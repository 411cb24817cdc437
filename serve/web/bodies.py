"""Bodies in: from the bytes of a request to its records, with a reader for each content type.

Every refusal is one sentence that names the line or the field.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from container.errors import UserError
from serve.text.parameters import Parameters, check_names, kind_of_json, read_parameters
from serve.text.records import Record
from serve.text.segmentation import split_structure_of_lines

UNPACKED = 2**30  # bytes; the limit of an unpacked body where there is no other

Shape = Literal["instances", "inputs"]
SHAPES = ("instances", "inputs")
# Clients of Hugging Face send `options` and those of TensorFlow Serving `signature_name`: both are read and not used.
UNUSED = ("options", "signature_name")
KNOWN = dict.fromkeys((*SHAPES, "parameters", *UNUSED))


@dataclass(frozen=True)
class Body:
    """A parsed body: its records in order, the JSON shape to answer in, and whether its last line was ended."""

    records: tuple[Record, ...]
    shape: Shape = "instances"
    ends_line: bool = True


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """`body` without its content encoding, which is gzip or none.

    No more than `limit` bytes (0 is UNPACKED) are ever unpacked: `RequestEntityTooLarge` beyond them.
    `UnsupportedMediaType` for another encoding, `UserError` for a broken file.
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise UnsupportedMediaType(f"The content encoding {encoding[:40]!r} is not read: send gzip or plain bytes.")
    limit = limit or UNPACKED
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            text = file.read(limit + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UserError("The body is no whole gzip file: send it again, or without Content-Encoding.") from None
    if len(text) > limit:
        raise RequestEntityTooLarge(f"The body unpacks to more than {limit // 2**20} MB: send fewer texts at a time.")
    return text


def decode(body: bytes, charset: str) -> str:
    """The text of a body; `UserError` names the line that is not of this charset."""
    if not body:
        raise UserError("The body is empty: send at least one text.")
    try:
        return body.decode(charset).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise UserError(f"Line {line} of the body is not {charset.upper()}: convert it to UTF-8.") from None


# ---- a reader for each content type --------------------------------------------------------------------
# With `record_errors` a malformed instance or JSON line becomes a record with an `error`, and the others are read.


def read_json(text: str, record_errors: bool) -> Body:
    """`{"instances": […]}`, `{"inputs": …}`, a list of texts, or one text."""
    if not text.strip():
        raise UserError("The body is empty: send at least one text.")
    document = _parse(text, "The body")
    if not isinstance(document, dict):
        return Body(_records(document, "body", Parameters(), record_errors))
    check_names(document, KNOWN, "body")
    shapes: list[Shape] = [shape for shape in ("instances", "inputs") if shape in document]
    if len(shapes) != 1:
        raise UserError('The body needs one of `instances` and `inputs`: send {"instances": ["Hello."]}.')
    shape = shapes[0]
    shared = read_parameters({} if document.get("parameters") is None else document["parameters"], "parameters")
    if shape == "instances" and not isinstance(document[shape], list):
        raise UserError(f"`instances` is {kind_of_json(document[shape])}: give a list of texts.")
    return Body(_records(document[shape], shape, shared, record_errors), shape)


def read_json_lines(text: str, record_errors: bool) -> Body:
    """A text or an object with `text` a line; an empty line is an empty text."""

    def record(number: int, line: str) -> Record:
        value = _parse(line, f"Line {number} of the body") if line.strip() else ""
        return _record(value, f"line {number}", Parameters())

    numbered = enumerate(split_lines(text), 1)
    records = (_or_its_error(partial(record, *each), record_errors) for each in numbered)
    return Body(tuple(records), ends_line=text.endswith("\n"))


def read_text(text: str, record_errors: bool) -> Body:
    """A text a line; lines may be those of Markdown or subtitles, whose structure is not translated."""
    lines = split_lines(text)
    records = (
        Record(line, Parameters(), pieces=pieces)
        for line, pieces in zip(lines, split_structure_of_lines(text, lines), strict=True)
    )
    return Body(tuple(records), ends_line=text.endswith("\n"))


def read_csv(text: str, record_errors: bool) -> Body:
    """A text in the first column of each row."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    records = []
    try:
        for row in rows:
            records.append(Record(row[0] if row else "", Parameters()))
    except csv.Error as error:
        raise UserError(f"Line {rows.line_num} of the body is not CSV: {error}.") from None
    return Body(tuple(records), ends_line=text.endswith("\n"))


def split_lines(text: str) -> list[str]:
    """The lines of a text, split at line feeds only, so that no other character changes their number."""
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


# ---- records of JSON -----------------------------------------------------------------------------------


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _parse(text: str, what: str) -> Any:
    """The JSON value of `text`; `UserError` says what is wrong and where."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UserError(f"{what} is not valid JSON ({place}): {error.msg}.") from None
    except RecursionError:
        raise UserError(f"{what} is JSON nested too deep: send texts in one list.") from None
    except ValueError as error:  # a number of thousands of digits
        raise UserError(f"{what} is not valid JSON: {str(error).partition(';')[0]}.") from None


def _records(value: Any, where: str, shared: Parameters, record_errors: bool) -> tuple[Record, ...]:
    """The records of a text or of a list of instances."""
    if isinstance(value, str):
        return (Record(value, shared),)
    if not isinstance(value, list):
        raise UserError(f"`{where}` is {kind_of_json(value)}: give a text or a list of texts.")
    numbered = ((entry, f"{where}[{index}]", shared) for index, entry in enumerate(value))
    return tuple(_or_its_error(partial(_record, *each), record_errors) for each in numbered)


def _record(value: Any, where: str, shared: Parameters) -> Record:
    """One instance: a string, or an object with `text` and parameters of its own on top of the shared ones."""
    if isinstance(value, str):
        return Record(value, shared)
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        given = "an object without a string `text`" if isinstance(value, dict) else kind_of_json(value)
        raise UserError(f'`{where}` is {given}: give a string, or an object such as {{"text": "Hello."}}.')
    own = {name: entry for name, entry in value.items() if name != "text"}
    return Record(value["text"], read_parameters(own, where, shared) if own else shared)


def _or_its_error(record: Callable[[], Record], record_errors: bool) -> Record:
    """The record, or with `record_errors` one that holds what is wrong with it."""
    try:
        return record()
    except UserError as error:
        if not record_errors:
            raise
        return Record("", Parameters(), error=error)
