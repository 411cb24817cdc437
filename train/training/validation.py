"""Validation at the end of an epoch: the loss in float32, and the scores of greedy translations by the export."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from train.backends.backend import Evaluator
from train.corpus.batches import Cursor
from train.corpus.directions import directions
from train.corpus.prepare import Prepared
from train.evaluation.decode import decoding_of, translate
from train.evaluation.scores import make_reference_set, score
from train.export.ctranslate2 import export_ctranslate2
from train.job.context import JobContext
from train.model.config import TransformerConfig

VALIDATION_SOURCES = 200  # of each direction


class Validator:
    """Measures a model in training on the validation part.

    The loss is of all directions together, as the training loss is; each direction has scores of its own.
    """

    def __init__(self, job: JobContext, prepared: Prepared, config: TransformerConfig, evaluator: Evaluator) -> None:
        self._job, self._prepared, self._config, self._evaluator = job, prepared, config, evaluator
        self._decoding = decoding_of(job.hyperparameters).model_copy(update={"beam_size": 1, "length_penalty": 1.0})
        self._sentences = {
            direction: make_reference_set(direction.of(prepared.corpus.validation), VALIDATION_SOURCES)
            for direction in directions(job.hyperparameters)
        }

    def validate(self, weights: dict[str, np.ndarray], cursor: Cursor) -> None:
        """Write a metrics line about the model with these weights; nothing without a validation part."""
        if not len(self._prepared.validation):
            return
        self._evaluator.load(weights)
        loss = self._evaluator.mean_nll(self._prepared.validation)
        scores = self._score_translations(weights)
        self._job.progress.metrics(epoch=cursor.epoch, step=cursor.step, validation_loss=loss, **scores)
        self._job.progress.restart_clock()

    def _score_translations(self, weights: dict[str, np.ndarray]) -> dict[str, float]:
        tokenizer, quantization = self._prepared.tokenizer, self._job.hyperparameters.quantization
        scores: dict[str, float] = {}
        with tempfile.TemporaryDirectory(dir=self._job.scratch) as folder:
            export_ctranslate2(weights, self._config, tokenizer, Path(folder), quantization=quantization)
            for direction, sentences in self._sentences.items():
                hypotheses = translate(Path(folder), tokenizer, sentences.sources, self._decoding, direction.tag)
                found = score([each.text for each in hypotheses], sentences)
                scores |= {f"validation_{name}{direction.suffix}": found[name].value for name in ("bleu", "chrf")}
        return scores
