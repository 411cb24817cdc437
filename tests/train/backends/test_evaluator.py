"""The loss on held-out sentences, against the formula in float64."""

from __future__ import annotations

import numpy as np
import pytest

from container.vocabulary import BOS, EOS
from tests.train.frameworks import backend, to_numpy
from train.corpus.batches import collate
from train.corpus.encoding import Encoded
from train.model.config import TransformerConfig
from train.model.transformer import NoNoise, Transformer

SMALL = TransformerConfig(vocab_size=64, d_model=16, ffn_dim=32, n_heads=2, encoder_layers=1, decoder_layers=1)


@pytest.fixture(scope="module")
def corpus() -> Encoded:
    """12 pairs of random tokens: 3 batches of 4 an epoch."""
    rng = np.random.default_rng(1)
    sources = [[*rng.integers(4, 64, rng.integers(1, 6)), EOS] for _ in range(12)]
    targets = [[BOS, *rng.integers(4, 64, rng.integers(1, 6)), EOS] for _ in range(12)]
    arrays = []
    for side in (sources, targets):
        arrays += [np.concatenate(side).astype(np.int32), np.cumsum([len(sentence) for sentence in side])]
    return Encoded(*arrays)


def test_the_evaluator_is_the_model_in_float32_without_dropout(corpus: Encoded) -> None:
    config = TransformerConfig(**{**vars(SMALL), "precision": "bfloat16"})
    state, evaluator = backend().make_state(config, 1), backend().make_evaluator(config)
    evaluator.load(state.averaged_weights())
    assert evaluator.model.config.precision == "float32"
    batch = collate(corpus, np.arange(len(corpus)))
    exact = Transformer(SMALL, seed=1)
    hidden = exact(batch.source, batch.target[:, :-1], noise=NoNoise())
    logits = to_numpy(exact.logits(hidden)).astype(np.float64)
    labels = batch.target[:, 1:]
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    nll = -log_p[np.arange(labels.size), labels.ravel()].reshape(labels.shape) * (labels != 0)
    np.testing.assert_allclose(evaluator.token_nll(batch), nll, atol=1e-4)
    assert evaluator.mean_nll(corpus, batch_tokens=16) == pytest.approx(nll.sum() / (labels != 0).sum(), rel=1e-4)
