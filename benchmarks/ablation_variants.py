"""What `benchmarks.ablations` tries that is no hyperparameter: recipes from the literature.

R-Drop (Liang et al. 2021, arXiv:2106.14448): every sentence goes through the model twice, under two dropout masks, and
the two distributions of each token are drawn together. Written plainly, with all logits in memory at once.
Subword sampling: every epoch has the pairs in other subwords, drawn at random (Kudo 2018, arXiv:1804.10959), or with
merges left out at random (BPE-dropout, Provilkov et al. 2020, arXiv:1910.13267). SentencePiece 0.2.3 draws differently
in every process whatever its seed is, so a job that did this could not be resumed bit for bit.
Self-distillation (Kim & Rush 2016, arXiv:1606.07947): the training part and what an earlier model of the same shape
makes of its sources, which is easier to learn than what people wrote.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from sentencepiece import SentencePieceProcessor

from container.artifact import CTRANSLATE2, TOKENIZER
from container.vocabulary import PAD
from train.corpus.batches import Cursor, Encoded, encode
from train.corpus.directions import directions
from train.corpus.formats import Pair
from train.corpus.prepare import Prepared
from train.corpus.split import Corpus, with_placeholders
from train.corpus.tokenizer import load_tokenizer
from train.evaluation.scores import translate
from train.job.hyperparameters import Hyperparameters
from train.training.loop import Step, StepResult

ALPHA = 5.0  # weight of the distance between the two passes
TEACHER = Path(__file__).resolve().parent.parent / "data" / "pretrained" / "model"


def use_r_drop() -> None:
    """Make the TensorFlow loop of this process train by R-Drop; each update then costs two."""
    import tensorflow as tf

    from train.backends.tensorflow import backend as tensorflow_backend

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


def use_subword_sampling(alpha: float) -> None:
    """Make the job of this process draw the subwords of each epoch; `alpha` as SentencePiece has it."""
    from train.corpus import prepare
    from train.training import trainer as fit

    prepare_once, run_epochs = prepare.prepare, fit.run
    prepared: list[Prepared] = []

    def keep_prepared(*arguments: Any, **options: Any) -> Prepared:
        prepared.append(prepare_once(*arguments, **options))
        return prepared[0]

    def run(
        step: Step, _likeliest: Encoded, hp: Hyperparameters, start: Cursor, **options: Any
    ) -> Iterator[StepResult]:
        pairs = with_placeholders(prepared[0].corpus.train, hp.seed)
        for epoch in range(start.epoch, hp.epochs):
            corpus, _ = encode(pairs, _Drawing(prepared[0].tokenizer, alpha), hp.max_len, directions(hp))
            for result in run_epochs(step, corpus, hp.model_copy(update={"epochs": epoch + 1}), start, **options):
                start = result.cursor
                yield result
                if result.stopping:
                    return

    prepare.prepare, fit.run = keep_prepared, run


class _Drawing:
    """A tokenizer that draws."""

    def __init__(self, tokenizer: SentencePieceProcessor, alpha: float) -> None:
        self._tokenizer = tokenizer
        self._options = {"enable_sampling": True, "alpha": alpha, "nbest_size": -1}

    def encode(self, texts: list[str], **options: Any) -> list[list[int]]:
        return self._tokenizer.encode(texts, **self._options, **options)


def distilled(parts: Corpus) -> Corpus:
    """`parts`, and for each source of the training part also its translation by the pretrained model."""
    sources = list(dict.fromkeys(pair.source for pair in parts.train))
    hypotheses = translate(
        TEACHER / CTRANSLATE2,
        load_tokenizer(TEACHER / TOKENIZER),
        sources,
        beam_size=4,
        length_penalty=1.0,
        max_length=100,
        threads=os.cpu_count() or 1,
    )
    taught = [Pair(source, target) for source, target in zip(sources, hypotheses, strict=True) if target]
    return replace(parts, train=list(dict.fromkeys([*parts.train, *taught])))


@dataclass(frozen=True)
class Variant:
    """What differs from a plain job: what its process does before it begins, its corpus, the passes of an update."""

    set_up: Callable[[], None] = lambda: None
    corpus: Callable[[Corpus], Corpus] = lambda parts: parts
    passes: int = 1


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "plain": Variant(),
        "self-distillation": Variant(corpus=distilled),
        "r-drop": Variant(use_r_drop, passes=2),
        "subword-sampling-0.1": Variant(partial(use_subword_sampling, 0.1)),
        "subword-sampling-0.5": Variant(partial(use_subword_sampling, 0.5)),
    }
)
