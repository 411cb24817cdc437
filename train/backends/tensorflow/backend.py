"""The training loop's part in TensorFlow: noise, gradients, one update a batch, on one replica or many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import tensorflow as tf

from train.backends.tensorflow.distribution import Distributed, feed, local_replicas, make_strategy
from train.backends.tensorflow.loss import smoothed_cross_entropy
from train.backends.tensorflow.optimizer import TrainState, apply_gradients
from train.backends.tensorflow.precision import fastest_precision
from train.corpus.batches import Batch, in_order
from train.corpus.encoding import Encoded
from train.job.cluster import Cluster
from train.job.hyperparameters import Hyperparameters
from train.model.config import TransformerConfig
from train.model.transformer import NoNoise, Transformer, weights_by_name
from train.training.loop import Step

TOKEN_IDS = tf.TensorSpec([None, None], tf.int32)
SCALARS = [tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.float32)]


class StepNoise:
    """Dropout masks of one step: counter-based random bytes, one byte an element (see `train.model.transformer.Noise`).

    A float a random number costs four times the bytes, and dropout on [N, D] activations is bound by
    exactly that. The rate is rounded to 1/256 and the scale follows the rounded rate, so the mean is exact.
    """

    def __init__(self, seed: int, step: tf.Tensor) -> None:
        self._seed, self._step, self._calls = seed, step, 0

    def dropout(self, x: tf.Tensor, rate: float) -> tf.Tensor:
        return self._masked(x, rate, tf.shape(x))

    def word_dropout(self, x: tf.Tensor, rate: float) -> tf.Tensor:
        return self._masked(x, rate, tf.concat([tf.shape(x)[:-1], [1]], axis=0))

    def _masked(self, x: tf.Tensor, rate: float, shape: tf.Tensor) -> tf.Tensor:
        """`x` under a mask of `shape`, which is broadcast."""
        dropped = round(rate * 256)
        if dropped == 0:
            return x
        self._calls += 1
        size = tf.reduce_prod(shape)
        key = tf.stack([tf.constant(self._seed * 1009 + self._calls, tf.int64), tf.cast(self._step, tf.int64)])
        words = tf.random.stateless_uniform([(size + 3) // 4], key, minval=None, maxval=None, dtype=tf.int32)
        noise = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size], shape)
        return tf.where(noise >= dropped, x * tf.cast(256 / (256 - dropped), x.dtype), tf.zeros([], x.dtype))


StepFunction = Callable[[Distributed, Distributed, int, bool], tuple[float, float, bool]]


def make_step(
    state: TrainState, hp: Hyperparameters, warmup: int, strategy: tf.distribute.Strategy | None = None
) -> StepFunction:
    """The compiled update: (source [B, S], target [B, T+1], step, stop) -> (summed nll, target tokens, any stop).

    Step counts from 1. The three results are sums over all replicas of all hosts: the loss is normalised by
    the global number of target tokens, and all hosts learn in the same step that one of them wants to stop.
    """
    strategy = strategy or tf.distribute.get_strategy()
    names = list(state.weights)
    variables = [state.weights[name] for name in names]
    replicas = strategy.num_replicas_in_sync

    def on_replica(source: tf.Tensor, target: tf.Tensor, step: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        noise = StepNoise(hp.seed, step * replicas + tf.cast(context.replica_id_in_sync_group, tf.int64))
        labels = tf.reshape(target[:, 1:], [-1])
        local = tf.stack([tf.cast(tf.math.count_nonzero(labels), tf.float32), stop])
        tokens, stops = tf.unstack(context.all_reduce(tf.distribute.ReduceOp.SUM, local))
        with tf.GradientTape() as tape:
            hidden = state.model(source, target[:, :-1], noise=noise)
            table = tf.convert_to_tensor(state.weights["embedding"])
            loss, nll = smoothed_cross_entropy(hidden, table, labels, hp.label_smoothing)
            mean_loss = loss / tokens
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(mean_loss, variables)]
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        apply_gradients(state, dict(zip(names, gradients, strict=True)), step, hp, warmup)
        return tf.stack([context.all_reduce(tf.distribute.ReduceOp.SUM, nll), tokens, stops])

    one = local_replicas(strategy) == 1
    signature = [TOKEN_IDS, TOKEN_IDS, *SCALARS] if one else None

    @tf.function(input_signature=signature, reduce_retracing=not one, autograph=False)
    def step(source: Distributed, target: Distributed, number: tf.Tensor, stop: tf.Tensor) -> Distributed:
        return strategy.run(on_replica, args=(source, target, number, stop))

    def run_step(source: Distributed, target: Distributed, number: int, stop: bool) -> tuple[float, float, bool]:
        sums = step(source, target, tf.constant(number, tf.int64), tf.constant(float(stop)))
        nll, tokens, stops = strategy.experimental_local_results(sums)[0].numpy()
        return float(nll), float(tokens), bool(stops)

    return run_step


class Evaluator:
    """Mean nll a target token over a corpus, with the averaged weights in a float32 copy of the model."""

    def __init__(self, config: TransformerConfig) -> None:
        self.model = Transformer(replace(config, precision="float32"))
        self._variables = weights_by_name(self.model)
        self._nll = tf.function(self._batch_nll, input_signature=[TOKEN_IDS, TOKEN_IDS], autograph=False)

    def load(self, weights: dict[str, np.ndarray]) -> None:
        for name, variable in self._variables.items():
            variable.assign(weights[name])

    def _batch_nll(self, source: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """source [B, S], target [B, T+1] -> (nll [B, T], zero at padding; tokens, scalar)."""
        labels = target[:, 1:]
        logits = self.model.logits(self.model(source, target[:, :-1], noise=NoNoise()))
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(labels, [-1]), logits)
        mask = tf.cast(labels != 0, tf.float32)
        return tf.reshape(nll, tf.shape(labels)) * mask, tf.reduce_sum(mask)

    def token_nll(self, batch: Batch) -> np.ndarray:
        """nll [B, T] of each target token, zero at padding."""
        return self._nll(batch.source, batch.target)[0].numpy()

    def mean_nll(self, corpus: Encoded, batch_tokens: int = 4096) -> float:
        total = tokens = 0.0
        for batch in in_order(corpus, batch_tokens):
            nll, count = self._nll(batch.source, batch.target)
            total, tokens = total + float(tf.reduce_sum(nll)), tokens + float(count)
        return total / tokens


class TensorFlowBackend:
    """See `train.training.loop.Backend`. Make it before any other TensorFlow operation: the collectives demand it."""

    title = "TensorFlow"

    def __init__(self, cluster: Cluster) -> None:
        self._rank, self._strategy = cluster.rank, make_strategy(cluster)

    def fastest_precision(self) -> str:
        return fastest_precision()

    def make_state(self, config: TransformerConfig, seed: int) -> TrainState:
        with self._strategy.scope():
            return TrainState(Transformer(config, seed=seed))

    def make_step(self, state: TrainState, hp: Hyperparameters, warmup: int) -> Step:
        compiled = make_step(state, hp, warmup, self._strategy)

        def step(corpus: Encoded, members: np.ndarray, number: int, stop: bool) -> tuple[float, float, bool]:
            source, target = feed(self._strategy, self._rank, corpus, members)
            return compiled(source, target, number, stop)

        return step

    def make_evaluator(self, config: TransformerConfig) -> Evaluator:
        return Evaluator(config)
