"""Training pairs made from others."""

from __future__ import annotations

import pytest

from container.vocabulary import PLACEHOLDERS
from train.corpus.augmentation import placeholder_copies
from train.corpus.pairs import Pair


def test_copies_carry_one_symbol_in_the_place_of_a_shared_word() -> None:
    pairs = [Pair(f"Call {n} now, Tom!", f"¡Llama al {n} ya, Tom!") for n in range(100, 600)]
    copies = placeholder_copies(pairs, seed=1)
    assert copies
    symbols = ["".join(c for c in copy.source if c in PLACEHOLDERS) for copy in copies]
    assert len(set(symbols)) > 1
    for symbol, copy in zip(symbols, copies, strict=True):
        number_gone = copy == Pair(f"Call {symbol} now, Tom!", f"¡Llama al {symbol} ya, Tom!")
        name_gone = Pair(*(text.replace(symbol, "Tom") for text in copy)) in pairs
        assert number_gone != name_gone


def test_copies_are_bounded_and_a_function_of_the_seed() -> None:
    pairs = [Pair(f"Tom{n} sleeps.", f"Tom{n} duerme.") for n in range(1000)]
    assert len(placeholder_copies(pairs, seed=1)) == 20
    assert placeholder_copies(pairs, seed=1) == placeholder_copies(pairs, seed=1)
    assert placeholder_copies(pairs, seed=1) != placeholder_copies(pairs, seed=2)


@pytest.mark.parametrize(
    "pair",
    [
        Pair("I sleep.", "Duermo."),  # nothing shared
        Pair("Tom and Tom.", "Tom y Tom."),  # which Tom is which?
        Pair("A or B.", "A o B."),  # a single letter is shared by chance
    ],
)
def test_no_copy_without_exactly_one_shared_word(pair: Pair) -> None:
    assert placeholder_copies([pair] * 200, seed=1) == []
