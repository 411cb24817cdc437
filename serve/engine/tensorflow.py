"""The other engine: the SavedModel that `train` exports with saved_model=true, run by TensorFlow.

It searches as CTranslate2 does, in float32, and gives the same answers. It takes more memory and time. It serves to
check the default engine, and hosts where TensorFlow suits better.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from container.artifact import Artifact, longest_translation
from container.errors import PlatformError
from container.vocabulary import EOS
from serve.engine.alignment import Links
from serve.engine.interface import Hypothesis, Options, Predictor, Source, Translation
from serve.engine.tokenization import Tokenization


class TensorFlowPredictor(Predictor):
    """One copy of the weights. It decodes `threads` batches side by side on CPU, one at a time on a GPU."""

    def __init__(self, artifact: Artifact, threads: int, device: str = "auto") -> None:
        self._tf = _start_tensorflow(threads, device)
        self.threads = 1 if self._tf.config.get_visible_devices("GPU") else threads
        self._tokenization = Tokenization(artifact)
        self.rules = self._tokenization.rules
        self._signatures: Mapping[str, Any] = self._tf.saved_model.load(str(artifact.saved_model)).signatures

    def prepare(self, texts: Sequence[str], target_lang: str | None = None) -> list[Source]:
        return self._tokenization.prepare(texts, target_lang)

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        prefix = self._ids(self._tokenization.encode_target(options.prefix))
        if options.alternatives:
            return [self._alternatives(source, prefix, options) for source in sources]
        bound = max(longest_translation(len(source.tokens)) for source in sources) + len(prefix)
        longest = min(options.max_length, bound)
        found = self._search(sources, prefix, options.beam_size, options.length_penalty, longest)
        ids, lengths, scores = found["ids"], found["lengths"], found["scores"]
        return [
            self._translation(
                source,
                [ids[index, rank, : lengths[index, rank]].tolist() for rank in range(options.num_hypotheses)],
                scores[index].tolist(),
                options,
            )
            for index, source in enumerate(sources)
        ]

    def _search(
        self, sources: Sequence[Source], prefix: Sequence[int], beam_size: int, length_penalty: float, max_length: int
    ) -> dict[str, np.ndarray]:
        """ids [B, K, T], lengths [B, K] and scores [B, K] of the K best hypotheses that begin with `prefix`."""
        given = {"beam_size": beam_size, "length_penalty": float(length_penalty), "max_length": max_length}
        options = {name: self._tf.constant(value) for name, value in given.items()}
        ids = self._pad([[*self._ids(source.tokens), EOS] for source in sources])
        if prefix:
            found = self._signatures["continue_from"](source=ids, prefix=self._tf.constant(prefix), **options)
        else:
            found = self._signatures["serving_default"](source=ids, **options)
        return {name: value.numpy() for name, value in found.items()}

    def _alternatives(self, source: Source, prefix: Sequence[int], options: Options) -> Translation:
        """The best hypothesis for each of the most probable tokens behind the prefix."""
        first = self._search([source], prefix, options.num_hypotheses, 0.0, len(prefix) + 1)
        begun = [ids.tolist() for ids, length in zip(first["ids"][0], first["lengths"][0], strict=True) if length]
        hypotheses = []
        for ids in begun:
            if ids[-1]:  # not the end of the sentence
                one = self._search([source], ids, options.beam_size, options.length_penalty, options.max_length)
                hypotheses.append(one["ids"][0, 0, : one["lengths"][0, 0]].tolist())
        log_probs = self._score(source, hypotheses)["log_probs"]
        scores = []
        for ids, row in zip(hypotheses, log_probs, strict=True):
            length = min(len(ids) + 1, max(options.max_length, len(prefix) + 1))  # a hypothesis cut there has no end
            scores.append(float(row[:length].sum()) / length**options.length_penalty)
        return self._translation(source, hypotheses, scores, options)

    def _translation(
        self, source: Source, hypotheses: Sequence[list[int]], scores: Sequence[float], options: Options
    ) -> Translation:
        pieces = [self._tokenization.tokenizer.id_to_piece(ids) for ids in hypotheses]
        links: list[Links] = [()] * len(pieces)
        log_probs: list[float] = []
        if options.return_alignment or options.return_token_scores:
            scored = self._score(source, hypotheses)
            if options.return_alignment:
                rows = zip(pieces, scored["attention"], strict=True)
                links = [self._tokenization.align(source, tokens, attention) for tokens, attention in rows]
            if options.return_token_scores:
                log_probs = scored["log_probs"][0].tolist()
        answers = [
            Hypothesis(self._tokenization.decode(tokens), score, len(tokens), aligned)
            for tokens, score, aligned in zip(pieces, scores, links, strict=False)
        ]
        token_scores = tuple(zip(pieces[0], log_probs, strict=False))  # the end has a score and no piece
        answers[0] = replace(answers[0], token_scores=token_scores)
        return Translation(tuple(answers), self._tokenization.find_warning(source, len(pieces[0]), options))

    def _score(self, source: Source, hypotheses: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
        """log_probs [K, T+1] of the tokens of each hypothesis and of its end; attention [K, T+1, S+1]."""
        sources = self._pad([[*self._ids(source.tokens), EOS]] * len(hypotheses))
        found = self._signatures["score"](source=sources, target=self._pad([[*ids, EOS] for ids in hypotheses]))
        return {name: value.numpy() for name, value in found.items()}

    def _ids(self, pieces: Sequence[str]) -> list[int]:
        return [self._tokenization.tokenizer.piece_to_id(piece) for piece in pieces]

    def _pad(self, sequences: Sequence[Sequence[int]]) -> Any:
        """[B, longest], padded with 0."""
        longest = max(map(len, sequences))
        return self._tf.constant([[*ids, *[0] * (longest - len(ids))] for ids in sequences], self._tf.int32)

    def close(self) -> None:
        self._signatures = {}


def _start_tensorflow(threads: int, device: str) -> ModuleType:
    """Import TensorFlow, set up for `threads` batches side by side, each on one core, and for the device asked for.

    `PlatformError` when the device is "cuda" and TensorFlow sees no GPU.
    """
    settings = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": str(threads),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)  # read when TensorFlow starts
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if device == "cuda" and not gpus:
        raise PlatformError(
            "NMT_DEVICE is cuda but TensorFlow sees no GPU: take an instance type with one and the image for it, "
            "start Docker with --gpus all, or set NMT_DEVICE=auto."
        )
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    return tf
