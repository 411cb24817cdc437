"""Beam search in TensorFlow, for the SavedModel that `train.export.saved_model` writes: token ids in, token ids out.

The search is CTranslate2's, so that both engines give the same answers: a step takes the best 2K continuations
of K beams. Those among the first K that end become hypotheses; the first K that do not end stay alive. A sentence
is done when it has K hypotheses. A step decodes one token for each beam: the keys and values of the tokens before
it are in a cache that follows its beam.

Shapes are written as in `train.model.transformer`, with these in addition:
    K  beams of a sentence    N  B*K    P  tokens of the prefix    T  target tokens so far
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from container.vocabulary import BOS, EOS, PAD
from train.model.config import TransformerConfig
from train.model.transformer import KeysValues, Memory, NoNoise, Transformer, weights_by_name

_IDS = tf.TensorSpec([None, None], tf.int32)
_INT, _FLOAT = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)


class _Options(NamedTuple):
    """What is asked of a search, each a scalar."""

    beam_size: tf.Tensor
    length_penalty: tf.Tensor
    longest: tf.Tensor  # tokens of a hypothesis, its end counted


class _Beams(NamedTuple):
    """The state of a search. Sequences begin with BOS; `done` are hypotheses, best first, -inf where none is yet."""

    alive: tf.Tensor  # [B, K, T+1] token ids
    alive_scores: tf.Tensor  # [B, K] sums of log-probabilities
    done: tf.Tensor  # [B, K, T+1] token ids, padded
    done_scores: tf.Tensor  # [B, K] divided by length ** length_penalty
    done_lengths: tf.Tensor  # [B, K] tokens without the end
    done_count: tf.Tensor  # [B] hypotheses found, kept or not
    cache: tuple[KeysValues, ...]  # of each decoder layer, [N, H, T, D/H]


class SearchModel(tf.Module):
    """The trained Transformer in float32, with beam search around it.

    `weights` are float32 arrays by `train.model.transformer.weights_by_name`.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], config: TransformerConfig) -> None:
        super().__init__()
        self._config = config
        self._model = Transformer(replace(config, precision="float32"))
        for name, variable in weights_by_name(self._model).items():
            variable.assign(weights[name])

    @tf.function(input_signature=[_IDS, _INT, _FLOAT, _INT], autograph=False)
    def translate(
        self, source: tf.Tensor, beam_size: tf.Tensor, length_penalty: tf.Tensor, max_length: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Translate source [B, S] (language tag first, end last, padded with 0) by beam search; 1 beam is greedy.

        ids [B, K, T]: hypotheses, best first, without the end, padded with 0; lengths [B, K]: their tokens;
        scores [B, K]: sum of log-probabilities / length ** length_penalty, the end counted as a token.
        """
        return self._search(source, tf.zeros([0], tf.int32), _Options(beam_size, length_penalty, max_length))

    @tf.function(input_signature=[_IDS, tf.TensorSpec([None], tf.int32), _INT, _FLOAT, _INT], autograph=False)
    def continue_from(
        self,
        source: tf.Tensor,
        prefix: tf.Tensor,
        beam_size: tf.Tensor,
        length_penalty: tf.Tensor,
        max_length: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """As `translate`; every hypothesis begins with the ids prefix [P].

        The prefix counts in every length, not in the sum of log-probabilities.
        """
        longest = tf.maximum(max_length, tf.shape(prefix)[0] + 1)
        return self._search(source, prefix, _Options(beam_size, length_penalty, longest))

    @tf.function(input_signature=[_IDS, _IDS], autograph=False)
    def score(self, source: tf.Tensor, target: tf.Tensor) -> dict[str, tf.Tensor]:
        """log_probs [B, T] of given targets [B, T] (end last, padded with 0) and the attention; of no use at padding.

        attention [B, T, S]: of the decoder layer that aligns words, the mean of its heads.
        """
        inputs = tf.concat([tf.fill([tf.shape(target)[0], 1], BOS), target[:, :-1]], axis=1)
        decoded = self._model.decode(inputs, self._model.encode(source, NoNoise()), NoNoise())
        logits = self._model.logits(decoded.hidden)
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(target, [-1]), logits)
        attention = tf.reduce_mean(decoded.attention[self._config.alignment_layer], axis=1)
        return {"log_probs": -tf.reshape(nll, tf.shape(target)), "attention": attention}

    def _search(self, source: tf.Tensor, prefix: tf.Tensor, options: _Options) -> dict[str, tf.Tensor]:
        memory = self._model.encode(source, NoNoise())
        beams = self._begin(tf.shape(source)[0], prefix, options.beam_size, memory)

        def is_unfinished(state: _Beams) -> tf.Tensor:
            return (tf.shape(state.alive)[2] <= options.longest) & tf.reduce_any(state.done_count < options.beam_size)

        def step(state: _Beams) -> tuple[_Beams]:
            return (self._step(state, memory, options),)

        sequence, rows = tf.TensorShape([None, None, None]), tf.TensorShape([None, None])
        heads = self._config.n_heads
        cached = tf.TensorShape([None, heads, None, self._config.d_model // heads])
        cache = tuple(KeysValues(cached, cached) for _ in beams.cache)
        shapes = _Beams(sequence, rows, sequence, rows, rows, tf.TensorShape([None]), cache)
        (state,) = tf.while_loop(is_unfinished, step, (beams,), shape_invariants=(shapes,))
        return {"ids": state.done[:, :, 1:], "scores": state.done_scores, "lengths": state.done_lengths}

    def _begin(self, batch: tf.Tensor, prefix: tf.Tensor, beam_size: tf.Tensor, memory: tuple[Memory, ...]) -> _Beams:
        """All beams of a sentence begin alike, so only the first may be continued; the prefix is decoded once."""
        start = tf.tile(tf.concat([[BOS], prefix], axis=0)[None], [batch, 1])  # [B, P+1]
        cache = self._model.decode(start[:, :-1], memory, NoNoise()).cache
        alive = tf.repeat(start[:, None], beam_size, axis=1)
        none = tf.fill([batch, beam_size], -math.inf)
        first = tf.where(tf.range(beam_size) == 0, 0.0, -math.inf)
        return _Beams(
            alive=alive,
            alive_scores=tf.tile(first[None], [batch, 1]),
            done=tf.zeros_like(alive),
            done_scores=none,
            done_lengths=tf.zeros_like(none, tf.int32),
            done_count=tf.zeros([batch], tf.int32),
            cache=tf.nest.map_structure(lambda tensor: tf.repeat(tensor, beam_size, axis=0), cache),
        )

    def _step(self, state: _Beams, memory: tuple[Memory, ...], options: _Options) -> _Beams:
        """One more token for every beam."""
        beam_size = options.beam_size
        last = tf.reshape(state.alive[:, :, -1], [-1, 1])
        decoded = self._model.decode(last, memory, NoNoise(), state.cache)
        scores, origins, tokens = self._candidates(state, decoded.hidden, beam_size)
        ends = tokens == EOS
        sequences = tf.concat([tf.gather(state.alive, origins, batch_dims=1), tokens[:, :, None]], axis=2)

        kept_scores, kept = tf.math.top_k(tf.where(ends, -math.inf, scores), beam_size)  # sorted, ends last
        origins = tf.gather(origins, kept, batch_dims=1)
        rows = tf.reshape(origins + tf.range(tf.shape(origins)[0])[:, None] * beam_size, [-1])
        return _collect_ended(state, sequences, scores, ends, options)._replace(
            alive=tf.gather(sequences, kept, batch_dims=1),
            alive_scores=kept_scores,
            cache=tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), decoded.cache),
        )

    def _candidates(
        self, state: _Beams, hidden: tf.Tensor, beam_size: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The best 2K continuations of a sentence's beams: scores, beams they continue, tokens; each [B, 2K]."""
        vocabulary = self._config.vocab_size
        # No translation is empty, as in CTranslate2, whose shortest is one token.
        no_end = tf.one_hot(EOS, vocabulary, on_value=-math.inf, off_value=0.0)
        logits = self._model.logits(hidden) + tf.where(tf.shape(state.alive)[2] == 1, no_end, 0.0)
        log_probs = tf.reshape(tf.nn.log_softmax(logits), [-1, beam_size, vocabulary])
        totals = tf.reshape(state.alive_scores[:, :, None] + log_probs, [-1, beam_size * vocabulary])
        scores, found = tf.math.top_k(totals, 2 * beam_size)
        return scores, found // vocabulary, found % vocabulary


def _collect_ended(
    state: _Beams, sequences: tf.Tensor, scores: tf.Tensor, ends: tf.Tensor, options: _Options
) -> _Beams:
    """`state` with those of the first K candidates that end here among its hypotheses.

    sequences [B, 2K, T+1], scores [B, 2K], ends [B, 2K]: the candidates, best first.
    """
    beam_size, length_penalty, longest = options
    length = tf.shape(sequences)[2] - 1  # without BOS, with the end
    sequences, scores, ends = sequences[:, :beam_size], scores[:, :beam_size], ends[:, :beam_size]
    ending = (ends | (length == longest)) & (state.done_count < beam_size)[:, None]
    normalised = scores / tf.cast(length, tf.float32) ** length_penalty
    pool = tf.concat([state.done_scores, tf.where(ending, normalised, -math.inf)], axis=1)
    done_scores, best = tf.math.top_k(pool, beam_size)
    without_end = tf.where(sequences == EOS, PAD, sequences)
    done = tf.concat([tf.pad(state.done, [[0, 0], [0, 0], [0, 1]]), without_end], axis=1)
    lengths = tf.concat([state.done_lengths, tf.where(ends, length - 1, length)], axis=1)
    return state._replace(
        done=tf.gather(done, best, batch_dims=1),
        done_scores=done_scores,
        done_lengths=tf.gather(lengths, best, batch_dims=1),
        done_count=state.done_count + tf.reduce_sum(tf.cast(ending, tf.int32), axis=1),
    )
