"""The part of a global batch that one replica computes."""

from __future__ import annotations

import numpy as np

from train.backends.replica import replica_batch
from train.corpus.encoding import Encoded

CORPUS = Encoded(
    np.array([5, 3, 6, 3, 7, 3], np.int32), np.array([2, 4, 6]), np.array([2, 8, 3] * 3, np.int32), np.array([3, 6, 9])
)


def test_the_replicas_share_a_batch_among_them() -> None:
    parts = [replica_batch(CORPUS, np.array([2, 0, 1]), replica, 2).source.tolist() for replica in (0, 1)]
    assert parts == [[[7, 3], [6, 3]], [[5, 3]]]


def test_a_replica_without_a_sentence_gets_one_row_of_padding() -> None:
    batch = replica_batch(CORPUS, np.array([1]), 1, 2)
    assert (batch.source.tolist(), batch.target.tolist(), batch.target_tokens) == ([[0]], [[0, 0]], 0)
