"""Which part of a global batch one replica computes, for every framework."""

from __future__ import annotations

import numpy as np

from container.vocabulary import PAD
from train.corpus.batches import Batch, collate
from train.corpus.encoding import Encoded


def replica_batch(corpus: Encoded, members: np.ndarray, replica: int, replicas: int) -> Batch:
    """Every `replicas`-th sentence of the global batch `members`, from number `replica` on.

    When there are none: one row of padding, which adds nothing to loss or gradient.
    """
    part = members[replica::replicas]
    if len(part):
        return collate(corpus, part)
    return Batch(np.full((1, 1), PAD, np.int32), np.full((1, 2), PAD, np.int32))
