"""From attention to word links, on numbers made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
from numpy.typing import ArrayLike

from benchmarks.serving.alignment import AlignedPair, links_of, read_pairs, shares
from container.artifact import open_artifact
from serve.engine.alignment import Links, align_words, index_words, widen_links
from serve.engine.interface import Options, Source
from serve.engine.loading import load
from serve.engine.tokenization import Tokenization


def test_pieces_of_a_word() -> None:
    assert index_words(["▁I", "▁se", "e", "▁it", "."]).tolist() == [0, 1, 1, 2, 2]
    assert index_words(["I", "t"]).tolist() == [0, 0]


def test_each_target_word_is_linked_to_its_strongest_source_word() -> None:
    attention = np.array([[0.1, 0.8], [0.5, 0.2]])
    assert align_words(["▁a", "▁b"], ["▁x", "▁y"], attention) == ((1, 0), (0, 1))


def test_a_row_that_looked_at_the_end_counts_as_much_as_its_neighbour() -> None:
    # The second piece spends .9 on the end, which is no column: what is left of it clearly says `a`.
    attention = np.array([[0.44, 0.56], [0.095, 0.005]])
    assert align_words(["▁a", "▁b"], ["▁x", "y"], attention) == ((0, 0),)


def test_the_pieces_of_a_source_word_add_up() -> None:
    attention = np.array([[0.3, 0.3, 0.4]])
    assert align_words(["▁a", "a", "▁b"], ["▁x"], attention) == ((0, 0),)


def test_nothing_is_aligned_with_nothing() -> None:
    assert align_words([], [], np.zeros((0, 0))) == ()


def test_a_symbol_stands_for_all_words_of_its_span() -> None:
    assert widen_links(((0, 0), (1, 1)), [1, 1], [2, 1]) == ((0, 0), (0, 1), (1, 2))


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


TEXTS = [
    "I see the dog.",
    "the big red house",
    "Hello! we buy a small cat book now",
    "you eat",
    "cat",
    "we see the dog and",
]


def test_sentences_that_share_a_batch_keep_their_own_attention(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CTranslate2 4.8 gives the first rows of some sentences of a batch to others: the engine must not let it."""
    seen: list[np.ndarray] = []

    def record(self: Tokenization, source: Source, tokens: Sequence[str], attention: ArrayLike) -> Links:
        seen.append(np.asarray(attention, dtype=float)[: len(tokens), : len(source.tokens)])
        return ()

    monkeypatch.setattr(Tokenization, "align", record)
    predictor = load(base / "model")
    options = Options(beam_size=4, num_hypotheses=1, length_penalty=1, max_length=24, return_alignment=True)
    sources = predictor.prepare(TEXTS)
    predictor.decode(sources, options)
    for source in sources:
        predictor.decode([source], options)
    for together, alone in zip(seen[: len(TEXTS)], seen[len(TEXTS) :], strict=True):
        assert np.allclose(together, alone, atol=1e-2)
    predictor.close()


def test_the_trap_is_still_there(base: Path) -> None:
    """Once this fails, CTranslate2 has cured it, and the engine may align sentences in batches."""
    model = open_artifact(base / "model")
    translator = ctranslate2.Translator(str(model.ctranslate2), intra_threads=1)
    tokens = [list(source.tokens) for source in Tokenization(model).prepare(TEXTS)]
    asked = {"beam_size": 4, "return_attention": True, "max_decoding_length": 24}
    together = translator.translate_batch(tokens, **asked)
    alone = [translator.translate_batch([each], **asked)[0] for each in tokens]
    first_rows = [
        (np.array(one.attention[0][0][: len(each)]), np.array(other.attention[0][0][: len(each)]))
        for each, one, other in zip(tokens, together, alone, strict=True)
    ]
    assert not all(np.allclose(one, other, atol=1e-2) for one, other in first_rows)
