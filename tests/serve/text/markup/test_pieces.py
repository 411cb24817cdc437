"""Documents in pieces, and the examples in the docstrings of what takes them apart."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from serve.text import casing, spans, warnings
from serve.text.markup import markdown, pieces, subtitles
from serve.text.markup.pieces import Piece, join_pieces, split_edges


def test_pieces_that_stay_are_one() -> None:
    assert join_pieces([Piece("a", False), Piece("", False), Piece("", True), Piece("b", False)]) == [
        Piece("ab", False)
    ]
    assert join_pieces([]) == []
    assert [piece.text for piece in split_edges(" \u2028")] == [" \u2028", "", ""]


@pytest.mark.parametrize(
    "module", [casing, warnings, markdown, pieces, spans, subtitles], ids=lambda module: module.__name__
)
def test_examples(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert tried > 0 == failed
