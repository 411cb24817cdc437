"""From attention to word links, on numbers made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.alignment import AlignedPair, links_of, read_pairs, shares
from serve.alignment import links, widen, word_of_each
from serve.engines import load


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


def test_the_hand_aligned_pairs_are_50_and_their_links_lie_inside() -> None:
    pairs = read_pairs()
    assert len({pair.source for pair in pairs}) == 50
    for pair in pairs:
        words = len(pair.source.split()), len(pair.target.split())
        assert pair.links
        assert all(source < words[0] and target < words[1] for source, target in pair.links)


def test_shares_of_links() -> None:
    pairs = [AlignedPair("a b", "x y z", frozenset({(0, 0), (1, 1)}))]
    assert shares(pairs, [{(0, 0), (0, 1), (1, 2)}]) == (0.5, 0.5)  # z has no hand-made link: not counted
    assert shares(pairs, [set()]) == (0.0, 0.0)


def test_a_given_target_is_aligned(base: Path) -> None:
    predictor = load(base / "model")
    found = links_of(predictor, AlignedPair("I see the dog.", "the big red house", frozenset()))
    assert {target for _, target in found} >= {0, 1, 2}
    predictor.close()
