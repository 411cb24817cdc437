"""The content types of bodies and answers, declared once, and how a request chooses between them.

To add one, write a reader (`serve.web.bodies`) and a writer (`serve.web.answers`) and enter both in `FORMATS`.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import NotAcceptable, UnsupportedMediaType
from werkzeug.http import parse_accept_header, parse_options_header

from serve.engine.interface import Translation
from serve.web.answers import write_csv, write_json, write_json_lines, write_text
from serve.web.bodies import Body, decode, read_csv, read_json, read_json_lines, read_text

JSON, JSON_LINES, TEXT, CSV = "application/json", "application/jsonlines", "text/plain", "text/csv"
CHARSETS = {"utf-8", "utf-16", "utf-32", "ascii", "iso8859-1", "cp1252"}  # as `codecs` names them
HEADERS = 64  # different ones whose meaning is remembered: clients send few


@dataclass(frozen=True)
class Format:
    """A content type: its reader and writer, and for the docs what stands in a body and in an answer.

    read: gets the text of a body and whether a malformed record becomes a record with an `error`.
    write: gets the body and the translations of its records; one line for each record where the type has lines.
    aliases: other names of the type.
    """

    read: Callable[[str, bool], Body]
    write: Callable[[Body, Sequence[Translation]], str]
    body: tuple[str, ...]
    answer: tuple[str, ...]
    aliases: tuple[str, ...] = ()


FORMATS = {
    JSON: Format(
        read_json,
        write_json,
        (
            '`{"instances": ["text" or {"text": …, parameters of its own}], "parameters": {…}}`',
            '`{"inputs": "text" or […], "parameters": {…}}`',
            "a string or a list",
        ),
        ('`{"predictions": [{"translation": …}]}`', '`[{"translation_text": …}]`', "as `instances`"),
    ),
    JSON_LINES: Format(
        read_json_lines,
        write_json_lines,
        ('a string or `{"text": …, parameters of its own}` a line',),
        ('`{"translation": …}` a line',),
        ("application/x-jsonlines", "application/jsonl", "application/x-ndjson"),
    ),
    TEXT: Format(read_text, write_text, ("a text a line",), ("a translation a line",)),
    CSV: Format(read_csv, write_csv, ("a text in the first column of each row",), ("a translation a row",)),
}


def read(body: bytes, media: str, charset: str, record_errors: bool = False) -> Body:
    """Parse a body of content type `media`; `UserError` says in one sentence what is wrong and where."""
    return FORMATS[media].read(decode(body, charset), record_errors)


def write(body: Body, translations: Sequence[Translation], media: str) -> str:
    """The answer in content type `media`: one entry or line for each record of the body, in order."""
    return FORMATS[media].write(body, translations)


def content_type_of(media: str) -> str:
    """The Content-Type header of an answer; only JSON is UTF-8 without saying so."""
    return media if media.startswith("application/") else f"{media}; charset=utf-8"


@lru_cache(maxsize=HEADERS)
def content_type(header: str) -> tuple[str, str]:
    """Media type and charset of a Content-Type header, JSON in UTF-8 without one; raises `UnsupportedMediaType`."""
    media, options = parse_options_header(header or JSON)
    media = _own_name(media.lower())
    if media not in FORMATS:
        raise UnsupportedMediaType(f"The content type {media!r} is not read: send one of {', '.join(FORMATS)}.")
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
    """The media type to answer with: the client's choice by q-values, or `own`, the body's, where any is accepted."""
    if not header or not header.strip():
        return own
    offers = [own, *(media for media in FORMATS if media != own)]
    aliases = [alias for format_ in FORMATS.values() for alias in format_.aliases]
    choice = parse_accept_header(header, MIMEAccept).best_match([*offers, *aliases])
    if choice is None:
        raise NotAcceptable(f"Accept names none of the types made here: ask for one of {', '.join(offers)}.")
    return _own_name(choice)


def _own_name(media: str) -> str:
    """The name under which FORMATS knows a media type that may be an alias."""
    return next((name for name, format_ in FORMATS.items() if media in format_.aliases), media)
