"""What `benchmarks.ablations` tries that is no hyperparameter: two recipes from the literature.

R-Drop (Liang et al. 2021, arXiv:2106.14448): every sentence goes through the model twice, under two dropout masks, and
the two distributions of each token are drawn together. Written plainly, with all logits in memory at once.
Self-distillation (Kim & Rush 2016, arXiv:1606.07947): the training part and what an earlier model of the same shape
makes of its sources, which is easier to learn than what people wrote.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from container.artifact import CTRANSLATE2, TOKENIZER
from train.corpus import Corpus
from train.evaluate import translate
from train.records import Pair
from train.tokenizer import PAD, load_tokenizer

ALPHA = 5.0  # weight of the distance between the two passes


def use_r_drop() -> None:
    """Make the TensorFlow loop of this process train by R-Drop; each update then costs two."""
    import tensorflow as tf

    from train import tensorflow_backend

    feed = tensorflow_backend.feed

    def fed_twice(strategy, rank, corpus, members):  # type: ignore[no-untyped-def]
        return feed(strategy, rank, corpus, np.concatenate([members, members]))

    def loss(hidden: tf.Tensor, table: tf.Tensor, labels: tf.Tensor, smoothing: float) -> tuple[tf.Tensor, tf.Tensor]:
        """As `smoothed_cross_entropy`, for hidden [2N, D] and labels [2N], whose second half repeats the first."""
        logits = tf.cast(tf.matmul(hidden, tf.cast(table, hidden.dtype), transpose_b=True), tf.float32)
        log_p = tf.nn.log_softmax(logits)
        kept = tf.cast(labels != PAD, tf.float32)
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        smoothed = (1.0 - smoothing) * nll - smoothing * tf.reduce_mean(log_p, axis=1)
        one, other = tf.split(log_p, 2)
        apart = tf.reduce_sum((tf.exp(one) - tf.exp(other)) * (one - other), axis=1) / 2  # the mean of both divergences
        distance = tf.reduce_sum(apart * tf.split(kept, 2)[0])
        return tf.reduce_sum(smoothed * kept) + ALPHA * distance, tf.reduce_sum(nll * kept)

    tensorflow_backend.feed = fed_twice
    tensorflow_backend.smoothed_cross_entropy = loss


def distilled(parts: Corpus, teacher: Path) -> Corpus:
    """`parts`, and for each source of the training part also the translation by the model directory `teacher`."""
    sources = list(dict.fromkeys(pair.source for pair in parts.train))
    hypotheses = translate(
        teacher / CTRANSLATE2,
        load_tokenizer(teacher / TOKENIZER),
        sources,
        beam_size=4,
        length_penalty=1.0,
        max_length=100,
        threads=os.cpu_count() or 1,
    )
    taught = [Pair(source, target) for source, target in zip(sources, hypotheses, strict=True) if target]
    return replace(parts, train=list(dict.fromkeys([*parts.train, *taught])))
