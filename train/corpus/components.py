"""Connected components of millions of pairs, in numpy: what `corpus.components` says, without an object a pair."""

from __future__ import annotations

import numpy as np


def connected(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The component of each of N pairs, given by the 64-bit keys of their sentences (uint64 [N] each side).

    Pairs with an equal key on either side share one; its number is that of its first pair (int32 [N]).
    Rounds of: each pair takes the smallest number among its neighbours', its old root takes it too, then every
    pair jumps to its root. Real corpora need a handful of rounds. Source: Zhang, Azad and Hu 2020, "FastSV: a
    distributed-memory connected component algorithm with fast convergence" (arXiv:1910.05971).
    """
    sides = [np.unique(keys, return_inverse=True)[1].astype(np.int32) for keys in (source, target)]
    root = np.arange(len(source), dtype=np.int32)
    while True:
        smallest = root
        for group in sides:
            smallest = _smallest_of_group(group, smallest)
        if np.array_equal(smallest, root):
            return root
        hooked = root.copy()
        np.minimum.at(hooked, root, smallest)
        np.minimum(hooked, smallest, out=hooked)
        root = _jump(hooked)


def _smallest_of_group(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """For each element the smallest value among those of its group (int32 [N], groups numbered from 0)."""
    smallest = np.full(int(group.max(initial=-1)) + 1, np.iinfo(values.dtype).max, dtype=values.dtype)
    np.minimum.at(smallest, group, values)
    return smallest[group]


def _jump(parent: np.ndarray) -> np.ndarray:
    """Every element's root: parents of parents, until nothing changes."""
    while not np.array_equal(grandparent := parent[parent], parent):
        parent = grandparent
    return parent


def smallest_members(component: np.ndarray, opening: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that may hold their component's smallest source key, and whether that leaves a doubt, each [N] bool.

    `opening` (uint64 [N]) is the key's first eight bytes as a big-endian number. Where all pairs of a component
    with the smallest opening have one and the same `key` (its hash), there is no doubt; elsewhere only the texts tell.
    """
    count, none = int(component.max(initial=-1)) + 1, np.iinfo(np.uint64).max
    smallest, low, high = np.full(count, none), np.full(count, none), np.zeros(count, dtype=np.uint64)
    np.minimum.at(smallest, component, opening)
    candidates = opening == smallest[component]
    np.minimum.at(low, component[candidates], key[candidates])
    np.maximum.at(high, component[candidates], key[candidates])
    return candidates, candidates & (low != high)[component]
