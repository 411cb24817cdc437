"""The Transformer (Vaswani et al. 2017, arXiv:1706.03762), pre-norm, in `keras.ops`.

Notation, used in the shapes of the model, the backends and the export:
    B  sentences in a batch        D  width of the model        V  vocabulary
    S  source tokens               H  attention heads           F  width of the feed-forward layer
    T  target tokens               N  positions of all sentences: B*S or B*T

Activations have the shape [N, D]: a product of two matrices and its gradient are single GEMM calls, whereas
[B, T, D] x [D, F] becomes a batched product whose kernel gradient has to be summed over B.
Nothing here names a framework. Dropout takes its random numbers from the `Noise` that the caller passes.
Each layer makes its weights when it is made and says so with `built`, so that Keras does not call it once more to
find them: that would draw from the noise twice.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import keras
from keras import ops

from container.vocabulary import PAD
from train.model.config import LAYER_NORM_EPSILON, TransformerConfig

Tensor = Any
HIDDEN = -1e9  # added to the score of a position that must not be attended to


class Noise(Protocol):
    """The random numbers of dropout: a pure function of (seed, step), so that a resumed run repeats them."""

    def dropout(self, x: Tensor, rate: float) -> Tensor:
        """`x` with each element set to zero with probability `rate` and the others scaled by 1 / (1 - rate)."""

    def word_dropout(self, x: Tensor, rate: float) -> Tensor:
        """`x` [B, T, D] with each of the B*T vectors set to zero with probability `rate`, the others scaled."""


class NoNoise:
    """For evaluation: nothing is dropped."""

    def dropout(self, x: Tensor, rate: float) -> Tensor:
        return x

    def word_dropout(self, x: Tensor, rate: float) -> Tensor:
        return x


class KeysValues(NamedTuple):
    """What a query attends to."""

    keys: Tensor  # [B, H, S, D/H]
    values: Tensor  # [B, H, S, D/H]


class Memory(NamedTuple):
    """What one decoder layer sees of the source."""

    source: KeysValues
    bias: Tensor  # [B, 1, 1, S], hides padding


class Decoded(NamedTuple):
    """What the decoder returns for target tokens [B, T] that follow P cached tokens (0 without a cache)."""

    hidden: Tensor  # [B*T, D]
    cache: tuple[KeysValues, ...]  # of each layer, over all P+T tokens
    attention: tuple[Tensor, ...]  # of each layer, how much each token attends to each source token [B, H, T, S]


class Linear(keras.layers.Layer):
    """x [N, in] -> x W + b [N, out]. By `ops.add`, which Keras turns into TensorFlow's BiasAdd: a quicker gradient."""

    def __init__(self, d_in: int, d_out: int, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        glorot = keras.initializers.GlorotUniform(seed=seed)
        self.kernel = self.add_weight(shape=(d_in, d_out), initializer=glorot, name="kernel")
        self.bias = self.add_weight(shape=(d_out,), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        return ops.add(ops.matmul(x, self.kernel), self.bias)


class LayerNorm(keras.layers.Layer):
    """x [N, D] -> [N, D], each row to mean 0, variance 1, then gamma and beta (Ba et al. 2016). Float32 inside."""

    def __init__(self, d_model: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gamma = self.add_weight(shape=(d_model,), initializer="ones", name="gamma", autocast=False)
        self.beta = self.add_weight(shape=(d_model,), initializer="zeros", name="beta", autocast=False)
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        normal = _to_mean_0_variance_1(ops.cast(x, "float32"))
        return ops.cast(ops.add(normal * self.gamma, self.beta), self.compute_dtype)


@ops.custom_gradient
def _to_mean_0_variance_1(x: Tensor) -> Any:
    """Each row of x [N, D] float32 to mean 0 and variance 1, and the gradient of that.

    The gradient is written out because what a framework derives by itself goes through [N, D] twice as often, and on a
    CPU memory is all that this costs.
    """
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    scale = ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + LAYER_NORM_EPSILON)  # [N, 1]
    normal = centred * scale

    def gradient(*inputs: Tensor, upstream: Tensor = None) -> Tensor:
        dy = inputs[0] if upstream is None else upstream  # Keras hands it over in one way or the other
        along = ops.mean(dy * normal, axis=-1, keepdims=True)
        return scale * (dy - ops.mean(dy, axis=-1, keepdims=True) - normal * along)

    return normal, gradient


class Attention(keras.layers.Layer):
    """Multi-head scaled dot-product attention, to x itself or (`cross`) to the source. Projections are fused."""

    def __init__(self, config: TransformerConfig, seed: int, *, cross: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        width = config.d_model
        self.heads, self.head_dim, self.cross = config.n_heads, width // config.n_heads, cross
        same = {"dtype": self.dtype_policy}
        with keras.name_scope(self.name):
            if cross:
                self.query = Linear(width, width, seed, name="query", **same)
                self.key_value = Linear(width, 2 * width, seed + 1, name="key_value", **same)
            else:
                self.query_key_value = Linear(width, 3 * width, seed, name="query_key_value", **same)
            self.output_projection = Linear(width, width, seed + 2, name="output", **same)
        self.built = True

    def call(
        self, x: Tensor, bias: Tensor, *, batch: Tensor, known: KeysValues | None = None
    ) -> tuple[Tensor, KeysValues, Tensor]:
        """x [B*T, D] -> (context [B*T, D], the keys and values it came from, the weights [B, H, T, S]).

        bias [B or 1, 1, T or 1, S] is added to the scores. known: of the source (cross), or of the tokens before x.
        """
        if self.cross and known is not None:
            (query,) = self._split_heads(self.query(x), batch, 1)
            keys, values = known
        else:
            query, keys, values = self._split_heads(self.query_key_value(x), batch, 3)
            if known is not None:
                keys, values = (ops.concatenate(pair, axis=2) for pair in zip(known, (keys, values), strict=True))
        scores = ops.matmul(query * self.head_dim**-0.5, ops.transpose(keys, (0, 1, 3, 2)))  # [B, H, T, S]
        weights = ops.softmax(ops.cast(scores, "float32") + ops.cast(bias, "float32"), axis=-1)
        context = ops.matmul(ops.cast(weights, values.dtype), values)  # [B, H, T, D/H]
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (-1, self.heads * self.head_dim))
        return self.output_projection(context), KeysValues(keys, values), weights

    def keys_values(self, encoded: Tensor, batch: Tensor) -> KeysValues:
        """Cross-attention only: encoded [B*S, D] -> what every target token attends to."""
        return KeysValues(*self._split_heads(self.key_value(encoded), batch, 2))

    def _split_heads(self, x: Tensor, batch: Tensor, parts: int) -> list[Tensor]:
        """[B*T, parts*D] -> `parts` tensors [B, H, T, D/H], by one transposition."""
        split = ops.reshape(x, (batch, -1, parts, self.heads, self.head_dim))
        return ops.unstack(ops.transpose(split, (2, 0, 3, 1, 4)), parts)


class FeedForward(keras.layers.Layer):
    """x [N, D] -> [N, F] -> ReLU -> [N, D]."""

    def __init__(self, config: TransformerConfig, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        same = {"dtype": self.dtype_policy}
        with keras.name_scope(self.name):
            self.inner = Linear(config.d_model, config.ffn_dim, seed, name="inner", **same)
            self.outer = Linear(config.ffn_dim, config.d_model, seed + 1, name="outer", **same)
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        return self.outer(ops.relu(self.inner(x)))


class Block(keras.layers.Layer):
    """One layer of either stack: self-attention, cross-attention (decoder only), feed-forward, each residual."""

    def __init__(self, config: TransformerConfig, seed: int, *, decoder: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = config.dropout_rate
        same = {"dtype": self.dtype_policy}
        with keras.name_scope(self.name):
            self.self_norm = LayerNorm(config.d_model, name="self_norm", **same)
            self.self_attention = Attention(config, seed, cross=False, name="self_attention", **same)
            if decoder:
                self.cross_norm = LayerNorm(config.d_model, name="cross_norm", **same)
                self.cross_attention = Attention(config, seed + 3, cross=True, name="cross_attention", **same)
            self.ffn_norm = LayerNorm(config.d_model, name="ffn_norm", **same)
            self.ffn = FeedForward(config, seed + 6, name="ffn", **same)
        self.built = True

    def call(
        self,
        x: Tensor,
        self_bias: Tensor,
        *,
        batch: Tensor,
        noise: Noise,
        memory: Memory | None = None,
        sentences: Tensor | None = None,
        cache: KeysValues | None = None,
    ) -> tuple[Tensor, KeysValues, Tensor]:
        """x [N, D] -> (x [N, D], the cache with the tokens of x, the weights of the last attention).

        batch: the rows of x; sentences: those of the memory, each of which may serve several rows.
        """
        context, cache, weights = self.self_attention(self.self_norm(x), self_bias, batch=batch, known=cache)
        x = x + noise.dropout(context, self.rate)  # not +=, which PyTorch does in place
        if memory is not None:
            query, source = self.cross_norm(x), memory.source
            context, _, weights = self.cross_attention(query, memory.bias, batch=sentences, known=source)
            x = x + noise.dropout(context, self.rate)
        return x + noise.dropout(self.ffn(self.ffn_norm(x)), self.rate), cache, weights


class Transformer(keras.layers.Layer):
    """Encoder-decoder with one embedding table for source, target and output (Press & Wolf 2017)."""

    def __init__(self, config: TransformerConfig, seed: int = 0) -> None:
        super().__init__(name="transformer", dtype=config.dtype_policy)
        self.config = config
        same = {"dtype": config.dtype_policy}
        spread = keras.initializers.RandomNormal(stddev=config.d_model**-0.5, seed=seed)
        self.embedding = self.add_weight(
            shape=(config.vocab_size, config.d_model), initializer=spread, name="embedding", autocast=False
        )
        with keras.name_scope(self.name):
            self.encoder = [
                Block(config, seed + 10 * (i + 1), decoder=False, name=f"encoder_{i}", **same)
                for i in range(config.encoder_layers)
            ]
            self.decoder = [
                Block(config, seed + 1000 + 10 * i, decoder=True, name=f"decoder_{i}", **same)
                for i in range(config.decoder_layers)
            ]
            self.encoder_norm = LayerNorm(config.d_model, name="encoder_norm", **same)
            self.decoder_norm = LayerNorm(config.d_model, name="decoder_norm", **same)
        self.built = True

    def call(self, source: Tensor, target: Tensor, *, noise: Noise) -> Tensor:
        """source [B, S], target [B, T] token ids -> hidden states [B*T, D]; see `logits`."""
        return self.decode(target, self.encode(source, noise), noise).hidden

    def encode(self, source: Tensor, noise: Noise) -> tuple[Memory, ...]:
        """source [B, S] -> what each decoder layer sees of it."""
        batch = ops.shape(source)[0]
        bias = ops.cast(ops.equal(source, PAD), "float32")[:, None, None, :] * HIDDEN
        x = self._embed(source, noise)
        for block in self.encoder:
            x, _, _ = block(x, bias, batch=batch, noise=noise)
        x = self.encoder_norm(x)
        return tuple(Memory(block.cross_attention.keys_values(x, batch), bias) for block in self.decoder)

    def decode(
        self,
        target: Tensor,
        memory: tuple[Memory, ...],
        noise: Noise,
        cache: tuple[KeysValues, ...] | None = None,
    ) -> Decoded:
        """target [B, T], which follows the tokens in `cache`. Padding is at the end, where causality hides it.

        With a cache, target may have K rows for each sentence, one after the other, which share its memory.
        """
        batch, length = ops.shape(target)[0], ops.shape(target)[1]
        before, sentences, positions = 0, batch, ops.arange(length)
        seen = positions
        if cache is not None:
            before, sentences = ops.shape(cache[0].keys)[2], ops.shape(memory[0].bias)[0]
            seen, positions = ops.arange(before + length), positions + before
        future = ops.cast(seen[None, :] > positions[:, None], "float32")[None, None] * HIDDEN
        x = self._embed(target, noise, before)
        caches, attention = [], []
        for index, block in enumerate(self.decoder):
            seen_by = {"memory": memory[index], "sentences": sentences, "cache": cache[index] if cache else None}
            x, grown, weights = block(x, future, batch=batch, noise=noise, **seen_by)
            caches.append(grown)
            attention.append(weights)
        return Decoded(self.decoder_norm(x), tuple(caches), tuple(attention))

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden [N, D] -> [N, V] in float32, by the tied embedding."""
        table = ops.cast(self.embedding, hidden.dtype)
        return ops.cast(ops.matmul(hidden, ops.transpose(table)), "float32")

    def _embed(self, ids: Tensor, noise: Noise, before: Tensor | int = 0) -> Tensor:
        """ids [B, T] -> [B*T, D]: scaled embedding plus position, counted from `before`; a dropped word has only that.

        Word dropout on both sides: Sennrich & Zhang 2019, "Revisiting Low-Resource Neural Machine Translation".
        """
        length, width = ops.shape(ids)[1], self.config.d_model
        words = noise.word_dropout(ops.take(self.embedding, ids, axis=0), self.config.word_dropout)
        x = words * width**0.5 + sinusoids(ops.arange(length) + (before + 1), width)
        x = ops.cast(ops.reshape(x, (-1, width)), self.compute_dtype)
        return noise.dropout(x, self.config.dropout_rate)


def sinusoids(positions: Tensor, d_model: int) -> Tensor:
    """Encodings [T, D] of positions [T], counted from 1: all sines, then all cosines, as CTranslate2 computes them."""
    half = d_model // 2
    timescales = ops.exp(ops.arange(half, dtype="float32") * -(math.log(10_000) / max(half - 1, 1)))
    angles = ops.cast(positions, "float32")[:, None] * timescales[None, :]
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)


def weights_by_name(model: Transformer) -> dict[str, Any]:
    """Every variable of the model under its stable name, such as `encoder_0/ffn/inner/kernel`."""
    return {variable.path.removeprefix("transformer/"): variable for variable in model.trainable_variables}
