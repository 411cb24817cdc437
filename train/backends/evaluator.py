"""The loss on held-out sentences, for every framework."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from keras import ops

from container.vocabulary import PAD
from train.corpus.batches import Batch, in_order
from train.corpus.encoding import Encoded
from train.model.config import TransformerConfig
from train.model.transformer import NoNoise, Tensor, Transformer, weights_by_name


class Evaluator:
    """See `train.backends.backend.Evaluator`.

    prepare: what the framework does to a function of (source [B, S], target [B, T+1]) that needs no gradient.
    """

    def __init__(self, config: TransformerConfig, prepare: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self.model = Transformer(replace(config, precision="float32"))
        self._nll = prepare(self._compute_nll)

    def load(self, weights: dict[str, np.ndarray]) -> None:
        for name, variable in weights_by_name(self.model).items():
            variable.assign(weights[name])

    def token_nll(self, batch: Batch) -> np.ndarray:
        return np.asarray(ops.convert_to_numpy(self._nll(batch.source, batch.target)))

    def mean_nll(self, corpus: Encoded, batch_tokens: int = 4096) -> float:
        total = tokens = 0.0
        for batch in in_order(corpus, batch_tokens):
            total, tokens = total + float(self.token_nll(batch).sum()), tokens + batch.target_tokens
        return total / tokens

    def _compute_nll(self, source: Tensor, target: Tensor) -> Tensor:
        """source [B, S], target [B, T+1] -> nll [B, T], zero at padding."""
        labels = ops.convert_to_tensor(target)[:, 1:]
        logits = self.model.logits(self.model(source, target[:, :-1], noise=NoNoise()))
        of_label = ops.take_along_axis(ops.log_softmax(logits), ops.reshape(labels, (-1, 1)), axis=1)
        return ops.where(labels == PAD, 0.0, -ops.reshape(of_label, ops.shape(labels)))
