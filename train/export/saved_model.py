"""The model as a TensorFlow SavedModel, which includes the beam search, and the gate that it must pass; on request.

It is for TensorFlow Serving, and for `serve` with NMT_ENGINE=tensorflow. The gate has two parts: without the cache
the SavedModel must give each token the log-probability that the trained model gives it, and the score that the
search with its cache gives a hypothesis must be the score that the SavedModel computes for it without the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from container.errors import AlgorithmError
from container.vocabulary import EOS, PAD
from train.export.beam_search import SearchModel
from train.model.config import TransformerConfig

SEARCH_TOLERANCE = 1e-3  # in the score of a hypothesis
BATCH = 32  # sentences to score together


def export_saved_model(weights: Mapping[str, np.ndarray], config: TransformerConfig, folder: Path) -> None:
    """Write the SavedModel of `weights` to `folder`; its signatures are the three functions of `SearchModel`."""
    model = SearchModel(weights, config)
    signatures = {"serving_default": model.translate, "continue_from": model.continue_from, "score": model.score}
    tf.saved_model.save(model, str(folder), signatures=signatures)


def saved_model_log_probs(
    folder: Path, source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]
) -> list[np.ndarray]:
    """log p of each token of `target`, by the SavedModel in `folder`; all are ids, each sequence with its end."""
    score = tf.saved_model.load(str(folder)).signatures["score"]
    found: list[np.ndarray] = []
    for start in range(0, len(source), BATCH):
        some = slice(start, start + BATCH)
        log_probs = score(source=_padded(source[some]), target=_padded(target[some]))["log_probs"].numpy()
        found += [row[: len(ids)] for row, ids in zip(log_probs, target[some], strict=True)]
    return found


def check_search(
    folder: Path, source: Sequence[Sequence[int]], *, beam_size: int, length_penalty: float, max_length: int
) -> float:
    """Search with the cache, then score the best hypotheses without it; returns the largest difference of a score.

    `AlgorithmError` above `SEARCH_TOLERANCE`. source: ids, each sentence with its end.
    """
    signatures = tf.saved_model.load(str(folder)).signatures
    options = {"beam_size": beam_size, "length_penalty": length_penalty, "max_length": max_length}
    ids = _padded(source)
    result = signatures["serving_default"](source=ids, **{name: tf.constant(value) for name, value in options.items()})
    found = {name: value.numpy()[:, 0] for name, value in result.items()}  # the best of each sentence
    best = [row[:length].tolist() for row, length in zip(found["ids"], found["lengths"], strict=True)]
    ended = [[*tokens, EOS] if len(tokens) < max_length else tokens for tokens in best]
    log_probs = signatures["score"](source=ids, target=_padded(ended))["log_probs"].numpy()
    lengths = np.array([len(tokens) for tokens in ended])
    sums = np.where(np.arange(log_probs.shape[1]) < lengths[:, None], log_probs, 0.0).sum(axis=1)
    worst = float(np.max(np.abs(sums / lengths**length_penalty - found["scores"])))
    if not worst <= SEARCH_TOLERANCE:  # true for NaN too
        raise AlgorithmError(
            f"The search of the SavedModel scores a hypothesis {worst:.2e} away from what the model gives it (allowed: "
            f"{SEARCH_TOLERANCE:.0e}), so nothing was published; please report this with the job's hyperparameters."
        )
    return worst


def _padded(sequences: Sequence[Sequence[int]]) -> tf.Tensor:
    """[B, longest], padded with 0."""
    longest = max(map(len, sequences))
    return tf.constant([[*sequence, *[PAD] * (longest - len(sequence))] for sequence in sequences], tf.int32)
