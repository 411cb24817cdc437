"""Beam search in TensorFlow, for the SavedModel that `train.export.saved_model` writes: token ids in, token ids out.

The search is CTranslate2's, so that both engines answer alike: a step takes the best 2K continuations
of K beams; those among the first K that end become hypotheses, the first K that do not end live on; a sentence
is done when it has K hypotheses. A step decodes one token a beam: the keys and values of the tokens before it
stand in a cache that follows its beam.

    B  sentences    K  beams of a sentence    N  B*K    S  source tokens    T  target tokens so far
    D  width        H  attention heads        V  vocabulary                 L  target tokens decoded together
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from container.vocabulary import BOS, EOS, PAD
from train.model.config import LAYER_NORM_EPSILON, TransformerConfig

_HIDDEN = -1e9  # added to the score of a position that must not be attended to

_IDS = tf.TensorSpec([None, None], tf.int32)
_INT, _FLOAT = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)


class _Memory(NamedTuple):
    """What the decoder sees of the source: for each layer keys [B, H, D/H, S] and values [B, H, S, D/H]."""

    keys: tuple[tf.Tensor, ...]
    values: tuple[tf.Tensor, ...]
    bias: tf.Tensor  # [B, 1, 1, S], hides padding


class _Beams(NamedTuple):
    """The state of a search. Sequences begin with BOS; `done` are hypotheses, best first, -inf where none is yet."""

    alive: tf.Tensor  # [B, K, T+1] token ids
    alive_scores: tf.Tensor  # [B, K] sums of log-probabilities
    done: tf.Tensor  # [B, K, T+1] token ids, padded
    done_scores: tf.Tensor  # [B, K] divided by length ** length_penalty
    done_lengths: tf.Tensor  # [B, K] tokens without the end
    done_count: tf.Tensor  # [B] hypotheses found, kept or not
    caches: tuple[tf.Tensor, ...]  # for each layer keys and values side by side, [N, T, 2D]


class SearchModel(tf.Module):
    """The trained Transformer in plain TensorFlow operations, float32, with beam search around it.

    The layers are those of `train.model.transformer`, written again because training knows no cache; `weights` are
    float32 arrays by `train.model.transformer.weights_by_name`.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], config: TransformerConfig) -> None:
        super().__init__()
        self._config = config
        self._weights = {
            name: tf.Variable(array, dtype=tf.float32, trainable=False, name=name) for name, array in weights.items()
        }

    @tf.function(input_signature=[_IDS, _INT, _FLOAT, _INT], autograph=False)
    def translate(
        self, source: tf.Tensor, beam_size: tf.Tensor, length_penalty: tf.Tensor, max_length: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Translate source [B, S] (language tag first, end last, padded with 0) by beam search; 1 beam is greedy.

        ids [B, K, T]: hypotheses, best first, without the end, padded with 0; lengths [B, K]: their tokens;
        scores [B, K]: sum of log-probabilities / length ** length_penalty, the end counted as a token.
        """
        return self._search(source, tf.zeros([0], tf.int32), beam_size, length_penalty, max_length)

    @tf.function(input_signature=[_IDS, tf.TensorSpec([None], tf.int32), _INT, _FLOAT, _INT], autograph=False)
    def continue_from(
        self,
        source: tf.Tensor,
        prefix: tf.Tensor,
        beam_size: tf.Tensor,
        length_penalty: tf.Tensor,
        max_length: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """As `translate`, every hypothesis beginning with the ids prefix [P].

        The prefix counts in every length, not in the sum of log-probabilities.
        """
        return self._search(source, prefix, beam_size, length_penalty, max_length)

    @tf.function(input_signature=[_IDS, _IDS], autograph=False)
    def score(self, source: tf.Tensor, target: tf.Tensor) -> dict[str, tf.Tensor]:
        """log_probs [B, T] of given targets [B, T] (end last, padded with 0) and the attention; of no use at padding.

        attention [B, T, S]: of the decoder layer that aligns words, the mean of its heads.
        """
        memory = self._encode(source)
        batch = tf.shape(target)[0]
        inputs = tf.concat([tf.fill([batch, 1], BOS), target[:, :-1]], axis=1)
        hidden, _, attention = self._decode(inputs, self._empty_caches(batch), memory)
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(target, [-1]), self._logits(hidden))
        return {"log_probs": -tf.reshape(nll, tf.shape(target)), "attention": attention}

    # The search

    def _search(
        self,
        source: tf.Tensor,
        prefix: tf.Tensor,
        beam_size: tf.Tensor,
        length_penalty: tf.Tensor,
        max_length: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        memory = self._encode(source)
        beams = self._begin(tf.shape(source)[0], prefix, beam_size, memory)
        longest = tf.maximum(max_length, tf.shape(prefix)[0] + 1)

        def going_on(state: _Beams) -> tf.Tensor:
            return (tf.shape(state.alive)[2] <= longest) & tf.reduce_any(state.done_count < beam_size)

        def step(state: _Beams) -> tuple[_Beams]:
            return (self._step(state, memory, beam_size, length_penalty, longest),)

        sequence, rows = tf.TensorShape([None, None, None]), tf.TensorShape([None, None])
        caches = tuple(tf.TensorShape([None, None, 2 * self._config.d_model]) for _ in beams.caches)
        shapes = _Beams(sequence, rows, sequence, rows, rows, tf.TensorShape([None]), caches)
        (state,) = tf.while_loop(going_on, step, (beams,), shape_invariants=(shapes,))
        return {"ids": state.done[:, :, 1:], "scores": state.done_scores, "lengths": state.done_lengths}

    def _begin(self, batch: tf.Tensor, prefix: tf.Tensor, beam_size: tf.Tensor, memory: _Memory) -> _Beams:
        """All beams of a sentence begin alike, so only the first may be continued; the prefix is decoded once."""
        start = tf.tile(tf.concat([[BOS], prefix], axis=0)[None], [batch, 1])  # [B, P+1]
        _, caches, _ = self._decode(start[:, :-1], self._empty_caches(batch), memory)
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
            caches=tuple(tf.repeat(cache, beam_size, axis=0) for cache in caches),
        )

    def _step(
        self, state: _Beams, memory: _Memory, beam_size: tf.Tensor, length_penalty: tf.Tensor, longest: tf.Tensor
    ) -> _Beams:
        """One more token for every beam."""
        last = tf.reshape(state.alive[:, :, -1], [-1, 1])
        hidden, caches, _ = self._decode(last, state.caches, memory)
        scores, origins, tokens = self._candidates(state, hidden, beam_size)
        ends = tokens == EOS
        sequences = tf.concat([tf.gather(state.alive, origins, batch_dims=1), tokens[:, :, None]], axis=2)

        kept_scores, kept = tf.math.top_k(tf.where(ends, -math.inf, scores), beam_size)  # sorted, ends last
        origins = tf.gather(origins, kept, batch_dims=1)
        rows = tf.reshape(origins + tf.range(tf.shape(origins)[0])[:, None] * beam_size, [-1])
        ended = self._ended(state, sequences, scores, ends, beam_size, length_penalty, longest)
        return ended._replace(
            alive=tf.gather(sequences, kept, batch_dims=1),
            alive_scores=kept_scores,
            caches=tuple(tf.gather(cache, rows) for cache in caches),
        )

    def _candidates(
        self, state: _Beams, hidden: tf.Tensor, beam_size: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The best 2K continuations of a sentence's beams: scores, beams they continue, tokens; each [B, 2K]."""
        vocabulary = self._config.vocab_size
        # No translation is empty, as in CTranslate2, whose shortest is one token.
        no_end = tf.one_hot(EOS, vocabulary, on_value=-math.inf, off_value=0.0)
        logits = self._logits(hidden) + tf.where(tf.shape(state.alive)[2] == 1, no_end, 0.0)
        log_probs = tf.reshape(tf.nn.log_softmax(logits), [-1, beam_size, vocabulary])
        totals = tf.reshape(state.alive_scores[:, :, None] + log_probs, [-1, beam_size * vocabulary])
        scores, found = tf.math.top_k(totals, 2 * beam_size)
        return scores, found // vocabulary, found % vocabulary

    def _ended(
        self,
        state: _Beams,
        sequences: tf.Tensor,
        scores: tf.Tensor,
        ends: tf.Tensor,
        beam_size: tf.Tensor,
        length_penalty: tf.Tensor,
        longest: tf.Tensor,
    ) -> _Beams:
        """`state` with those of the first K candidates that end here among its hypotheses.

        sequences [B, 2K, T+1], scores [B, 2K], ends [B, 2K]: the candidates, best first.
        """
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

    # The layers

    def _encode(self, source: tf.Tensor) -> _Memory:
        """source [B, S] -> the keys and values that every decoder layer attends to."""
        batch = tf.shape(source)[0]
        bias = tf.cast(source == PAD, tf.float32)[:, None, None, :] * _HIDDEN
        x = self._embed(source, tf.constant(0))
        for layer in range(self._config.encoder_layers):
            name = f"encoder_{layer}"
            fused = self._linear(self._norm(x, f"{name}/self_norm"), f"{name}/self_attention/query_key_value")
            query, key, value = tf.split(fused, 3, axis=1)
            key, value = self._heads(key, batch, transpose=True), self._heads(value, batch)
            context, _ = self._attend(self._heads(query, batch), key, value, bias)
            x += self._linear(context, f"{name}/self_attention/output")
            x = self._feed_forward(x, name)
        x = self._norm(x, "encoder_norm")
        keys, values = [], []
        for layer in range(self._config.decoder_layers):
            key, value = tf.split(self._linear(x, f"decoder_{layer}/cross_attention/key_value"), 2, axis=1)
            keys.append(self._heads(key, batch, transpose=True))
            values.append(self._heads(value, batch))
        return _Memory(tuple(keys), tuple(values), bias)

    def _empty_caches(self, rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (tf.zeros([rows, 0, 2 * self._config.d_model]),) * self._config.decoder_layers

    def _decode(
        self, tokens: tf.Tensor, caches: Sequence[tf.Tensor], memory: _Memory
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...], tf.Tensor]:
        """tokens [N, L] that follow what is cached [N, T, 2D] -> hidden [N*L, D], caches [N, T+L, 2D], attention.

        attention [N, L, S]: to the source in the layer that aligns words, the mean of its heads. N is B, or B*K
        with the beams of a sentence side by side: they share its keys and values.
        """
        batch, rows, before = tf.shape(memory.bias)[0], tf.shape(tokens)[0], tf.shape(caches[0])[1]
        positions = before + tf.range(tf.shape(tokens)[1])
        future = tf.range(before + tf.shape(tokens)[1])[None, :] > positions[:, None]
        causal = tf.cast(future, tf.float32)[None, None] * _HIDDEN  # [1, 1, L, T+L]
        x = self._embed(tokens, before)
        grown: list[tf.Tensor] = []
        attention: list[tf.Tensor] = []
        for layer, cache in enumerate(caches):
            name = f"decoder_{layer}"
            fused = self._linear(self._norm(x, f"{name}/self_norm"), f"{name}/self_attention/query_key_value")
            width = self._config.d_model
            new = tf.reshape(fused[:, width:], [rows, -1, 2 * width])
            grown.append(tf.concat([cache, new], axis=1))
            key, value = tf.split(grown[-1], 2, axis=2)
            key, value = self._heads(key, rows, transpose=True), self._heads(value, rows)
            context, _ = self._attend(self._heads(fused[:, :width], rows), key, value, causal)
            x += self._linear(context, f"{name}/self_attention/output")

            query = self._linear(self._norm(x, f"{name}/cross_norm"), f"{name}/cross_attention/query")
            query = self._heads(query, batch)  # [B, H, K*L, D/H]
            context, weights = self._attend(query, memory.keys[layer], memory.values[layer], memory.bias)
            attention.append(tf.reduce_mean(weights, axis=1))
            x += self._linear(context, f"{name}/cross_attention/output")
            x = self._feed_forward(x, name)
        seen = tf.reshape(attention[self._config.alignment_layer], [rows, -1, tf.shape(memory.bias)[3]])
        return self._norm(x, "decoder_norm"), tuple(grown), seen

    def _attend(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """query [R, H, L, D/H], key [R, H, D/H, S], value [R, H, S, D/H] -> context [R*L, D], weights [R, H, L, S]."""
        width = self._config.d_model
        scores = tf.matmul(query * (width // self._config.n_heads) ** -0.5, key)
        weights = tf.nn.softmax(scores + bias)
        context = tf.transpose(tf.matmul(weights, value), (0, 2, 1, 3))
        return tf.reshape(context, [-1, width]), weights

    def _heads(self, x: tf.Tensor, rows: tf.Tensor, *, transpose: bool = False) -> tf.Tensor:
        """[R*L, D] or [R, L, D] -> [R, H, L, D/H], or [R, H, D/H, L] transposed."""
        heads = self._config.n_heads
        apart = tf.reshape(x, [rows, -1, heads, self._config.d_model // heads])
        return tf.transpose(apart, (0, 2, 3, 1) if transpose else (0, 2, 1, 3))

    def _feed_forward(self, x: tf.Tensor, name: str) -> tf.Tensor:
        inner = tf.nn.relu(self._linear(self._norm(x, f"{name}/ffn_norm"), f"{name}/ffn/inner"))
        return x + self._linear(inner, f"{name}/ffn/outer")

    def _embed(self, ids: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """ids [R, L] at the positions from `before` on -> [R*L, D], as `train.model.transformer.Transformer._embed`."""
        width = self._config.d_model
        half = width // 2
        timescales = tf.exp(tf.range(half, dtype=tf.float32) * -(math.log(10_000) / max(half - 1, 1)))
        positions = tf.cast(before + tf.range(tf.shape(ids)[1]) + 1, tf.float32)
        angles = positions[:, None] * timescales[None, :]
        x = tf.gather(self._weights["embedding"], ids) * width**0.5
        return tf.reshape(x + tf.concat([tf.sin(angles), tf.cos(angles)], axis=1), [-1, width])

    def _logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """hidden [R, D] -> [R, V]."""
        return tf.matmul(hidden, self._weights["embedding"], transpose_b=True)

    def _linear(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return tf.matmul(x, self._weights[f"{name}/kernel"]) + self._weights[f"{name}/bias"]

    def _norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        scale, offset = self._weights[f"{name}/gamma"], self._weights[f"{name}/beta"]
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, LAYER_NORM_EPSILON)
