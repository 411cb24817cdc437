"""A document in pieces: what is translated, and the structure that stays, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text. The texts of all pieces in order are the whole text again."""

    text: str
    translated: bool


def join_pieces(pieces: Iterable[Piece]) -> list[Piece]:
    """The pieces without empty ones, with neighbours that stay made one.

    >>> join_pieces([Piece("# ", False), Piece("", True), Piece("- ", False), Piece("Hello.", True)])
    [Piece(text='# - ', translated=False), Piece(text='Hello.', translated=True)]
    """
    joined: list[Piece] = []
    kept: list[str] = []
    for piece in pieces:
        if not piece.translated:
            kept.append(piece.text)
        elif piece.text:
            joined += [Piece("".join(kept), False)] if any(kept) else []
            joined.append(piece)
            kept = []
    return [*joined, Piece("".join(kept), False)] if any(kept) else joined


def split_edges(text: str) -> tuple[Piece, Piece, Piece]:
    """The white space in front, the text within, which is translated, and the white space behind.

    >>> [piece.text for piece in split_edges("  Hello. \\n")]
    ['  ', 'Hello.', ' \\n']
    """
    body = text.strip()
    start = len(text) - len(text.lstrip()) if body else len(text)
    stop = start + len(body)
    return Piece(text[:start], False), Piece(body, True), Piece(text[stop:], False)
