"""Stage 4. The Transformer (Vaswani et al. 2017, arXiv:1706.03762), pre-norm, in `keras.ops`.

Notation, used in every shape here and in the loop:
    B  sentences in a batch        D  width of the model        V  vocabulary
    S  source tokens               H  attention heads           F  width of the feed-forward layer
    T  target tokens               N  B*S or B*T, positions with batch and time flattened together

Activations travel as [N, D]: a matmul of two matrices and its gradient are single GEMM calls, whereas
[B, T, D] x [D, F] becomes a batched product whose kernel gradient has to be summed over B.
Nothing here names a backend; dropout takes its random numbers from the `Noise` that the loop hands in.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from container.vocabulary import PAD
from train.model.config import LAYER_NORM_EPSILON, TransformerConfig

Tensor = Any


class Noise(Protocol):
    """Where dropout gets its randomness: a pure function of (seed, step), so that a resumed run repeats it."""

    def dropout(self, x: Tensor, rate: float) -> Tensor:
        """`x` with each element zeroed with probability `rate` and the others scaled by 1 / (1 - rate)."""

    def word_dropout(self, x: Tensor, rate: float) -> Tensor:
        """`x` [B, L, D] with each of the B*L vectors zeroed whole with probability `rate`, the others scaled."""


class NoNoise:
    """Evaluation: nothing is dropped."""

    def dropout(self, x: Tensor, rate: float) -> Tensor:
        return x

    def word_dropout(self, x: Tensor, rate: float) -> Tensor:
        return x


def sinusoids(length: int, d_model: int) -> np.ndarray:
    """Position encodings [length, D] as CTranslate2 computes them: positions from 1, all sines, then all cosines."""
    half = d_model // 2
    timescales = np.exp(np.arange(half) * -(math.log(10_000) / max(half - 1, 1)))
    angles = np.arange(1, length + 1)[:, None] * timescales[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


class Linear(keras.layers.Layer):
    """x [N, in] -> x W + b [N, out]. By `ops.add`, which Keras turns into TensorFlow's BiasAdd: a quicker gradient."""

    def __init__(self, d_in: int, d_out: int, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        glorot = keras.initializers.GlorotUniform(seed=seed)
        self.kernel = self.add_weight(shape=(d_in, d_out), initializer=glorot, name="kernel")
        self.bias = self.add_weight(shape=(d_out,), initializer="zeros", name="bias")

    def call(self, x: Tensor) -> Tensor:
        return ops.add(ops.matmul(x, self.kernel), self.bias)


class LayerNorm(keras.layers.Layer):
    """x [N, D] -> [N, D], each row to mean 0, variance 1, then gamma and beta (Ba et al. 2016). Float32 inside."""

    def __init__(self, d_model: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gamma = self.add_weight(shape=(d_model,), initializer="ones", name="gamma", autocast=False)
        self.beta = self.add_weight(shape=(d_model,), initializer="zeros", name="beta", autocast=False)

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
    """Multi-head scaled dot-product attention; queries, keys and values share fused projections."""

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

    def call(self, x: Tensor, bias: Tensor, memory: Tensor | None = None, *, batch: Tensor) -> Tensor:
        """x [B*T, D], memory [B*S, D] (cross only), bias [B or 1, 1, T or 1, S] added to the scores -> [B*T, D]."""
        if self.cross:
            (query,) = self._split_heads(self.query(x), batch, 1)
            key, value = self._split_heads(self.key_value(memory), batch, 2)
        else:
            query, key, value = self._split_heads(self.query_key_value(x), batch, 3)
        scores = ops.matmul(query * self.head_dim**-0.5, ops.transpose(key, (0, 1, 3, 2)))  # [B, H, T, S]
        weights = ops.softmax(ops.cast(scores, "float32") + ops.cast(bias, "float32"), axis=-1)
        context = ops.matmul(ops.cast(weights, value.dtype), value)  # [B, H, T, D/H]
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (-1, self.heads * self.head_dim))
        return self.output_projection(context)

    def _split_heads(self, x: Tensor, batch: Tensor, parts: int) -> list[Tensor]:
        """[B*T, parts*D] -> `parts` tensors [B, H, T, D/H], by one transposition."""
        apart = ops.reshape(x, (batch, -1, parts, self.heads, self.head_dim))
        return ops.unstack(ops.transpose(apart, (2, 0, 3, 1, 4)), parts)


class FeedForward(keras.layers.Layer):
    """x [N, D] -> [N, F] -> ReLU -> [N, D]."""

    def __init__(self, config: TransformerConfig, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        same = {"dtype": self.dtype_policy}
        with keras.name_scope(self.name):
            self.inner = Linear(config.d_model, config.ffn_dim, seed, name="inner", **same)
            self.outer = Linear(config.ffn_dim, config.d_model, seed + 1, name="outer", **same)

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
            self.cross_attention = None
            if decoder:
                self.cross_norm = LayerNorm(config.d_model, name="cross_norm", **same)
                self.cross_attention = Attention(config, seed + 3, cross=True, name="cross_attention", **same)
            self.ffn_norm = LayerNorm(config.d_model, name="ffn_norm", **same)
            self.ffn = FeedForward(config, seed + 6, name="ffn", **same)

    def call(
        self,
        x: Tensor,
        self_bias: Tensor,
        memory: Tensor | None = None,
        memory_bias: Tensor | None = None,
        *,
        batch: Tensor,
        noise: Noise,
    ) -> Tensor:
        """x [N, D] -> [N, D]."""
        x = x + noise.dropout(self.self_attention(self.self_norm(x), self_bias, batch=batch), self.rate)
        if self.cross_attention is not None:
            attended = self.cross_attention(self.cross_norm(x), memory_bias, memory, batch=batch)
            x = x + noise.dropout(attended, self.rate)  # not +=, which PyTorch does in place
        return x + noise.dropout(self.ffn(self.ffn_norm(x)), self.rate)


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
        memory, source_bias = self.encode(source, noise)
        return self.decode(target, memory, source_bias, noise)

    def encode(self, source: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """source [B, S] -> memory [B*S, D] and the bias [B, 1, 1, S] that hides padding."""
        batch = ops.shape(source)[0]
        bias = ops.cast(ops.equal(source, PAD), "float32")[:, None, None, :] * -1e9
        x = self._embed(source, noise)
        for block in self.encoder:
            x = block(x, bias, batch=batch, noise=noise)
        return self.encoder_norm(x), bias

    def decode(self, target: Tensor, memory: Tensor, source_bias: Tensor, noise: Noise) -> Tensor:
        """target [B, T], memory [B*S, D] -> hidden states [B*T, D]. Padding stands behind, so causality hides it."""
        batch, length = ops.shape(target)[0], ops.shape(target)[1]
        positions = ops.arange(length)
        future = ops.cast(positions[None, :] > positions[:, None], "float32")[None, None] * -1e9
        x = self._embed(target, noise)
        for block in self.decoder:
            x = block(x, future, memory, source_bias, batch=batch, noise=noise)
        return self.decoder_norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden [N, D] -> [N, V] in float32, by the tied embedding."""
        table = ops.cast(self.embedding, hidden.dtype)
        return ops.cast(ops.matmul(hidden, ops.transpose(table)), "float32")

    def _embed(self, ids: Tensor, noise: Noise) -> Tensor:
        """ids [B, L] -> [B*L, D]: scaled embedding plus position; of a dropped word only the position is left.

        Word dropout on both sides: Sennrich & Zhang 2019, "Revisiting Low-Resource Neural Machine Translation".
        """
        length, width = ops.shape(ids)[1], self.config.d_model
        words = noise.word_dropout(ops.take(self.embedding, ids, axis=0), self.config.word_dropout)
        x = words * width**0.5 + self._positions(length)
        x = ops.cast(ops.reshape(x, (-1, width)), self.compute_dtype)
        return noise.dropout(x, self.config.dropout_rate)

    def _positions(self, length: Tensor) -> Tensor:
        """[length, D] as `sinusoids`, for a length known only when the graph runs."""
        half = self.config.d_model // 2
        timescales = ops.exp(ops.arange(half, dtype="float32") * -(math.log(10_000) / max(half - 1, 1)))
        angles = ops.cast(ops.arange(length) + 1, "float32")[:, None] * timescales[None, :]
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)


def weights_by_name(model: Transformer) -> dict[str, Any]:
    """Every variable of the model under its stable name, such as `encoder_0/ffn/inner/kernel`."""
    return {variable.path.removeprefix("transformer/"): variable for variable in model.trainable_variables}
