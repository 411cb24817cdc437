"""Bodies in and out: what each content type means, and how an answer is written.

A reader turns a body into items and remembers the shape it came in; a writer turns translations into a
body. Every refusal is one sentence that names the line or field.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from container.errors import NmtError, NotAcceptable, PayloadTooLarge, UnsupportedMediaType, UserError, error_body
from serve.engine.interface import Hypothesis, Translation
from serve.text.parameters import Parameters, check_names, kind_of_json, read_parameters
from serve.text.records import Record

JSON, JSON_LINES, TEXT, CSV = "application/json", "application/jsonlines", "text/plain", "text/csv"
ALIASES = {
    "application/x-jsonlines": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/x-ndjson": JSON_LINES,
}
CHARSETS = {"utf-8", "utf-16", "utf-32", "ascii", "iso8859-1", "cp1252"}  # as `codecs` names them
HEADERS = 64  # different ones whose meaning is remembered: clients send few
UNPACKED = 2**30  # bytes; the limit of an unpacked body where there is no other

Shape = Literal["instances", "inputs"]


@dataclass(frozen=True)
class Request:
    """A parsed body: the items in order, the JSON shape to answer in, whether its last line was ended."""

    items: tuple[Record, ...]
    shape: Shape = "instances"
    ends_line: bool = True


# ---- content negotiation -------------------------------------------------------------------------------


@lru_cache(maxsize=HEADERS)
def content_type(header: str) -> tuple[str, str]:
    """Media type and charset of a Content-Type header; without one, JSON in UTF-8."""
    media, options = parse_options_header(header or JSON)
    media = ALIASES.get(media.lower(), media.lower())
    if media not in READERS:
        raise UnsupportedMediaType(f"The content type {media!r} is not read: send one of {', '.join(READERS)}.")
    charset = options.get("charset", "utf-8")
    try:
        known = codecs.lookup(charset).name
    except LookupError:
        known = ""
    if known not in CHARSETS:
        raise UnsupportedMediaType(f"The charset {charset!r} is not read: send UTF-8.")
    return media, known


@lru_cache(maxsize=HEADERS)
def accepted(header: str | None, own: str) -> str:
    """The media type to answer with: the client's choice by q-values; `own`, the body's, where it is free."""
    if not header or not header.strip():
        return own
    offers = [own, *(media for media in WRITERS if media != own)]
    choice = parse_accept_header(header, MIMEAccept).best_match([*offers, *ALIASES])
    if choice is None:
        raise NotAcceptable(f"Accept names none of the types made here: ask for one of {', '.join(offers)}.")
    return ALIASES.get(choice, choice)


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """`body` without its content encoding, gzip or none. `PayloadTooLarge` beyond `limit` bytes, 0 for UNPACKED.

    No more than the limit is ever unpacked, whatever the body claims.
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
        raise PayloadTooLarge(f"The body unpacks to more than {limit // 2**20} MB: send fewer texts at a time.")
    return text


# ---- reading -------------------------------------------------------------------------------------------


def read(body: bytes, media: str, charset: str, record_errors: bool = False) -> Request:
    """Parse a body of content type `media`; `UserError` says in one sentence what is wrong where.

    record_errors: a malformed instance or JSON line becomes an item with an `error`, and the others are read.
    """
    if not body:
        raise UserError("The body is empty: send at least one text.")
    return READERS[media](_decode(body, charset), record_errors)


def _decode(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise UserError(f"Line {line} of the body is not {charset.upper()}: convert it to UTF-8.") from None


def _lines(text: str) -> list[str]:
    """Records of a text: split at line feeds only, so that no other character changes their number."""
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _plain(text: str, record_errors: bool) -> Request:
    items = tuple(Record(line, Parameters()) for line in _lines(text))
    return Request(items, ends_line=text.endswith("\n"))


def _csv(text: str, record_errors: bool) -> Request:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    items = []
    try:
        for row in rows:
            items.append(Record(row[0] if row else "", Parameters()))
    except csv.Error as error:
        raise UserError(f"Line {rows.line_num} of the body is not CSV: {error}.") from None
    return Request(tuple(items), ends_line=text.endswith("\n"))


def _json_lines(text: str, record_errors: bool) -> Request:
    def item(number: int, line: str) -> Record:
        value = _parse(line, f"Line {number} of the body") if line.strip() else ""
        return _item(value, f"line {number}", Parameters())

    items = (_record(partial(item, *numbered), record_errors) for numbered in enumerate(_lines(text), 1))
    return Request(tuple(items), ends_line=text.endswith("\n"))


def _record(item: Callable[[], Record], record_errors: bool) -> Record:
    """The item, or where errors are wanted in their places one that holds what is wrong with it."""
    try:
        return item()
    except UserError as error:
        if not record_errors:
            raise
        return Record("", Parameters(), error=error)


def _json(text: str, record_errors: bool) -> Request:
    if not text.strip():
        raise UserError("The body is empty: send at least one text.")
    document = _parse(text, "The body")
    if not isinstance(document, dict):
        return Request(_items(document, "body", Parameters(), record_errors))
    check_names(document, {"instances": 0, "inputs": 0, "parameters": 0}, "body")
    shapes: list[Shape] = [shape for shape in ("instances", "inputs") if shape in document]
    if len(shapes) != 1:
        raise UserError('The body needs one of `instances` and `inputs`: send {"instances": ["Hello."]}.')
    shape = shapes[0]
    shared = read_parameters(document.get("parameters", {}), "parameters")
    if shape == "instances" and not isinstance(document[shape], list):
        raise UserError(f"`instances` is {kind_of_json(document[shape])}: give a list of texts.")
    return Request(_items(document[shape], shape, shared, record_errors), shape)


def _parse(text: str, what: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UserError(f"{what} is not valid JSON ({place}): {error.msg}.") from None
    except RecursionError:
        raise UserError(f"{what} is JSON nested too deep: send texts in one list.") from None
    except ValueError as error:  # a number of thousands of digits
        raise UserError(f"{what} is not valid JSON: {str(error).partition(';')[0]}.") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _items(value: Any, where: str, shared: Parameters, record_errors: bool) -> tuple[Record, ...]:
    if isinstance(value, str):
        return (Record(value, shared),)
    if not isinstance(value, list):
        raise UserError(f"`{where}` is {kind_of_json(value)}: give a text or a list of texts.")
    numbered = ((entry, f"{where}[{index}]", shared) for index, entry in enumerate(value))
    return tuple(_record(partial(_item, *each), record_errors) for each in numbered)


def _item(value: Any, where: str, shared: Parameters) -> Record:
    """One instance: a string, or an object with `text` and its own parameters on top of the shared ones."""
    if isinstance(value, str):
        return Record(value, shared)
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        given = "an object without a string `text`" if isinstance(value, dict) else kind_of_json(value)
        raise UserError(f'`{where}` is {given}: give a string, or an object such as {{"text": "Hello."}}.')
    own = {name: entry for name, entry in value.items() if name != "text"}
    return Record(value["text"], read_parameters(own, where, shared) if own else shared)


# ---- writing -------------------------------------------------------------------------------------------


def write(request: Request, translations: Sequence[Translation], media: str) -> str:
    """The answer's body in content type `media`: one entry or line for each item, in order."""
    return WRITERS[media](request, translations)


def _entry(item: Record, translation: Translation, name: str) -> dict[str, Any]:
    if item.error:
        return {**error_body(item.error)}
    best = translation.hypotheses[0]
    entry: dict[str, Any] = {name: best.text}
    if item.parameters.return_scores:
        entry["score"] = best.score
    if item.parameters.return_confidence:
        entry["confidence"] = best.confidence
    if item.parameters.num_hypotheses > 1:
        entry["hypotheses"] = [_hypothesis(item, each) for each in translation.hypotheses]
    if item.parameters.return_token_scores:
        entry["token_scores"] = [{"token": token, "score": score} for token, score in best.token_scores]
    if item.parameters.return_alignment:
        entry["alignment"] = [list(link) for link in best.alignment]
    if item.parameters.alternatives_at is not None:
        entry["alternatives"] = [
            {"word": each.word, "translation": each.text, "score": each.score} for each in translation.alternatives
        ]
    if translation.warning:
        entry["warning"] = translation.warning
    return entry


def _hypothesis(item: Record, hypothesis: Hypothesis) -> dict[str, Any]:
    entry: dict[str, Any] = {"translation": hypothesis.text, "score": hypothesis.score}
    return {**entry, "confidence": hypothesis.confidence} if item.parameters.return_confidence else entry


def _entries(request: Request, translations: Sequence[Translation], name: str) -> list[dict[str, Any]]:
    return [_entry(*pair, name) for pair in zip(request.items, translations, strict=True)]


def _write_json(request: Request, translations: Sequence[Translation]) -> str:
    if request.shape == "inputs":  # as Hugging Face endpoints answer
        answer: Any = _entries(request, translations, "translation_text")
    else:
        answer = {"predictions": _entries(request, translations, "translation")}
    return json.dumps(answer, ensure_ascii=False)


def _write_lines(request: Request, lines: list[str]) -> str:
    """Exactly one line for each item; the last is ended where the body's last was, so that parts join."""
    return "\n".join(lines) + ("\n" if lines and request.ends_line else "")


def _write_json_lines(request: Request, translations: Sequence[Translation]) -> str:
    entries = _entries(request, translations, "translation")
    return _write_lines(request, [json.dumps(entry, ensure_ascii=False) for entry in entries])


def _one_line(translation: Translation) -> str:
    return re.sub(r"[\r\n]+", " ", translation.hypotheses[0].text)


def _write_plain(request: Request, translations: Sequence[Translation]) -> str:
    return _write_lines(request, [_one_line(translation) for translation in translations])


def _write_csv(request: Request, translations: Sequence[Translation]) -> str:
    rows = []
    for translation in translations:
        row = io.StringIO()
        csv.writer(row, lineterminator="").writerow([_one_line(translation)])
        rows.append(row.getvalue())
    return _write_lines(request, rows)


def write_stream(translations: Iterable[Translation]) -> Iterator[str]:
    """One JSON line a sentence as it comes, then `{"done": true}`: without that line the answer is not whole.

    The status has gone out by then, so a failure on the way is the last line, an `error` as elsewhere.
    """
    try:
        for index, translation in enumerate(translations):
            entry = {"index": index, "translation": translation.hypotheses[0].text}
            if translation.warning:
                entry["warning"] = translation.warning
            yield json.dumps(entry, ensure_ascii=False) + "\n"
        yield json.dumps({"done": True}) + "\n"
    except NmtError as error:
        yield json.dumps(error_body(error)) + "\n"


READERS: dict[str, Callable[[str, bool], Request]] = {JSON: _json, JSON_LINES: _json_lines, TEXT: _plain, CSV: _csv}
WRITERS: dict[str, Callable[[Request, Sequence[Translation]], str]] = {
    JSON: _write_json,
    JSON_LINES: _write_json_lines,
    TEXT: _write_plain,
    CSV: _write_csv,
}
