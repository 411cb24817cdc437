"""From attention to word links, on numbers made by hand."""

from __future__ import annotations

import numpy as np

from serve.alignment import links, widen, word_of_each


def test_pieces_of_a_word() -> None:
    assert word_of_each(["▁I", "▁se", "e", "▁it", "."]).tolist() == [0, 1, 1, 2, 2]
    assert word_of_each(["I", "t"]).tolist() == [0, 0]


def test_each_target_word_is_linked_to_its_strongest_source_word() -> None:
    attention = np.array([[0.1, 0.8], [0.5, 0.2]])
    assert links(["▁a", "▁b"], ["▁x", "▁y"], attention) == ((1, 0), (0, 1))


def test_a_row_that_looked_at_the_end_counts_as_much_as_its_neighbour() -> None:
    # The second piece spends .9 on the end, which is no column: what is left of it clearly says `a`.
    attention = np.array([[0.44, 0.56], [0.095, 0.005]])
    assert links(["▁a", "▁b"], ["▁x", "y"], attention) == ((0, 0),)


def test_the_pieces_of_a_source_word_add_up() -> None:
    attention = np.array([[0.3, 0.3, 0.4]])
    assert links(["▁a", "a", "▁b"], ["▁x"], attention) == ((0, 0),)


def test_nothing_is_aligned_with_nothing() -> None:
    assert links([], [], np.zeros((0, 0))) == ()


def test_a_symbol_stands_for_all_words_of_its_span() -> None:
    assert widen(((0, 0), (1, 1)), [1, 1], [2, 1]) == ((0, 0), (0, 1), (1, 2))
