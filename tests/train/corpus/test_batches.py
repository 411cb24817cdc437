"""Batches of equal work: complete, bounded, repeatable, and hardly padded."""

from __future__ import annotations

import numpy as np
import pytest
import sentencepiece

from container.vocabulary import BOS, EOS, PAD
from data.sample import read_part
from train.corpus.batches import collate, in_order, plan_epoch
from train.corpus.encoding import Encoded, encode
from train.corpus.pairs import Pair

Tokenizer = sentencepiece.SentencePieceProcessor


@pytest.fixture(scope="module")
def corpus(tokenizer: Tokenizer) -> Encoded:
    """2,000 pairs of the sample."""
    pairs = [Pair(*pair) for pair in read_part("train")][:2000]
    return encode(pairs, tokenizer, max_len=100)[0]


def plan(corpus: Encoded, epoch: int = 0, seed: int = 1, **how: int) -> list[list[int]]:
    return [batch.tolist() for batch in plan_epoch(corpus, epoch=epoch, seed=seed, **({"batch_tokens": 1024} | how))]


# The plan of an epoch


@pytest.mark.parametrize("how", [{"batch_tokens": 64}, {"batch_tokens": 4096}, {"batch_size": 7}])
def test_every_sentence_once_an_epoch(corpus: Encoded, how: dict[str, int]) -> None:
    batches = plan(corpus, **how)
    assert sorted(number for batch in batches for number in batch) == list(range(len(corpus)))
    assert all(batches)


@pytest.mark.parametrize("batch_tokens", [64, 1024])
def test_a_batch_with_its_padding_holds_at_most_batch_tokens(corpus: Encoded, batch_tokens: int) -> None:
    batches = plan(corpus, batch_tokens=batch_tokens)
    for batch in batches:
        longest = max(corpus.source_lengths[batch].max(), corpus.target_lengths[batch].max())
        assert len(batch) * longest <= batch_tokens
    full = sum(len(batch) for batch in batches) / len(batches)
    assert full > 0.7 * batch_tokens / np.mean(corpus.target_lengths)


def test_a_sentence_longer_than_a_batch_is_a_batch_of_its_own() -> None:
    lengths = [5, 100, 5]
    ends = np.cumsum(lengths)
    corpus = Encoded(np.ones(110, np.int32), ends, np.ones(113, np.int32), np.cumsum([6, 101, 6]))
    assert sorted(sorted(batch) for batch in plan(corpus, batch_tokens=64)) == [[0, 2], [1]]


def test_batch_size_counts_pairs(corpus: Encoded) -> None:
    sizes = sorted((len(batch) for batch in plan(corpus, batch_size=300)), reverse=True)
    assert sizes == [300] * 6 + [200]


def test_the_plan_is_a_function_of_seed_and_epoch(corpus: Encoded) -> None:
    assert plan(corpus) == plan(corpus)
    assert plan(corpus) != plan(corpus, epoch=1)
    assert plan(corpus) != plan(corpus, seed=2)
    first, second = ({frozenset(batch) for batch in plan(corpus, epoch=epoch)} for epoch in (0, 1))
    assert len(first & second) < len(first) / 2  # other batches, not the same ones in another order


def test_batches_do_not_go_from_short_to_long(corpus: Encoded) -> None:
    longest = np.maximum(corpus.source_lengths, corpus.target_lengths)
    lengths = [int(longest[batch].max()) for batch in plan(corpus)]
    assert lengths != sorted(lengths)


def test_little_is_padding(corpus: Encoded) -> None:
    cells = tokens = 0
    for members in plan_epoch(corpus, epoch=0, seed=1, batch_tokens=4096):
        batch = collate(corpus, members)
        cells += batch.target[:, 1:].size
        tokens += batch.target_tokens
    assert tokens == corpus.target_lengths.sum()
    assert 1 - tokens / cells < 0.15


# Collating


def test_collate_pads_behind_each_side() -> None:
    corpus = Encoded(
        source=np.array([7, 8, EOS, 9, EOS], np.int32),
        source_ends=np.array([3, 5]),
        target=np.array([BOS, 11, EOS, BOS, 12, 13, 14, EOS], np.int32),
        target_ends=np.array([3, 8]),
    )
    batch = collate(corpus, np.array([1, 0]))
    assert batch.source.tolist() == [[9, EOS, PAD], [7, 8, EOS]]
    assert batch.target.tolist() == [[BOS, 12, 13, 14, EOS], [BOS, 11, EOS, PAD, PAD]]
    assert batch.source.dtype == batch.target.dtype == np.int32
    assert batch.target_tokens == 6


def test_in_order_gives_every_sentence(corpus: Encoded) -> None:
    batches = list(in_order(corpus, 1024))
    assert sum(len(batch.source) for batch in batches) == len(corpus)
    assert sum(batch.target_tokens for batch in batches) == corpus.target_lengths.sum()
