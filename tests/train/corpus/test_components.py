"""Components by numpy are those of the plain union-find."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.corpus.components import connected
from train.corpus.formats import Pair
from train.corpus.large_corpus import Keys, first_of_equals
from train.corpus.split import components

WORDS = st.sampled_from(["a", "A!", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"])


@given(st.lists(st.builds(Pair, WORDS, WORDS), max_size=40))
def test_components_of_any_pairs(pairs: list[Pair]) -> None:
    keys = Keys.of(pairs)
    assert connected(keys.source, keys.target).tolist() == components(pairs)


def test_a_long_chain_in_any_order_is_one_component() -> None:
    links = np.random.default_rng(1).permutation(10_000)
    sides = ((links + 1) // 2).astype(np.uint64), (links // 2).astype(np.uint64)
    assert not connected(*sides).any()


def test_the_first_of_equals() -> None:
    assert first_of_equals(np.array([5, 3, 5, 3, 9], np.uint64)).tolist() == [True, True, False, False, True]
