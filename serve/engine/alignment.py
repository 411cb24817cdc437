"""Which source word each target word comes from, read from the decoder's attention. S and T count pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Links = tuple[tuple[int, int], ...]  # (source word, target word), counted from 0, words split at white space

_SPACE = "▁"  # SentencePiece's mark for the white space before a piece


def index_words(pieces: Sequence[str]) -> np.ndarray:
    """The index of the word that each piece belongs to."""
    starts = np.array([piece.startswith(_SPACE) for piece in pieces], dtype=int)
    return np.maximum(np.cumsum(starts) - 1, 0)


def align_words(source: Sequence[str], target: Sequence[str], attention: np.ndarray) -> Links:
    """Link each target word to the source word with the strongest attention.

    source: S pieces; target: T pieces; attention: [T, S], the mean over heads. CTranslate2 leaves the column
    of the source's end out, so that rows sum to less than 1. Each row is scaled to a sum of 1 before pieces are
    added up to words, or a piece that looked at the end would count less than its neighbours.
    """
    if not source or not target:
        return ()
    rows = attention / np.maximum(attention.sum(axis=1, keepdims=True), 1e-9)
    source_words, target_words = index_words(source), index_words(target)
    weights = np.zeros((target_words[-1] + 1, source_words[-1] + 1))
    np.add.at(weights, (target_words[:, None], source_words[None, :]), rows)
    return tuple((int(best), word) for word, best in enumerate(weights.argmax(axis=1)))


def widen_links(links: Links, source: Sequence[int], target: Sequence[int]) -> Links:
    """Links between masked words as links between all words.

    The i-th masked word stands for `source[i]` or `target[i]` words of the full text: a placeholder is one word and
    its span may be several.
    """
    if not links:  # most requests ask for none
        return ()
    starts, ends = np.cumsum([0, *source]), np.cumsum([0, *target])
    return tuple(
        (one, other)
        for i, j in links
        if i < len(source) and j < len(target)
        for one in range(starts[i], starts[i + 1])
        for other in range(ends[j], ends[j + 1])
    )
