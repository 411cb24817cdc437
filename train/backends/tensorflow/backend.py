"""Training in TensorFlow: gradients and one update for each batch, on one replica or many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from train.backends.backend import Step
from train.backends.evaluator import Evaluator
from train.backends.precision import fastest_precision
from train.backends.schedule import average_share
from train.backends.state import TrainState
from train.backends.tensorflow.distribution import Distributed, feed, local_replicas, make_strategy
from train.backends.tensorflow.loss import smoothed_cross_entropy
from train.backends.tensorflow.noise import StepNoise
from train.backends.tensorflow.optimizer import adam_rate, apply_gradients
from train.corpus.encoding import Encoded
from train.job.cluster import Cluster
from train.job.hyperparameters import Hyperparameters
from train.model.config import TransformerConfig
from train.model.transformer import Transformer

TOKEN_IDS = tf.TensorSpec([None, None], tf.int32)
FLOAT = tf.TensorSpec([], tf.float32)

StepFunction = Callable[[Distributed, Distributed, int, bool], tuple[float, float, bool]]


class TensorFlowBackend:
    """See `train.backends.backend.Backend`. Make it before any other TensorFlow operation, as collectives demand."""

    title = "TensorFlow"

    def __init__(self, cluster: Cluster) -> None:
        self._rank, self._strategy = cluster.rank, make_strategy(cluster)

    def fastest_precision(self) -> str:
        return fastest_precision(tf.function(tf.matmul, autograph=False))

    def make_state(self, config: TransformerConfig, seed: int) -> TrainState:
        with self._strategy.scope():
            return TrainState(Transformer(config, seed=seed))

    def make_evaluator(self, config: TransformerConfig) -> Evaluator:
        return Evaluator(config, partial(tf.function, input_signature=[TOKEN_IDS, TOKEN_IDS], autograph=False))

    def make_step(self, state: TrainState, hp: Hyperparameters, warmup: int) -> Step:
        compiled = make_step(state, hp, warmup, self._strategy)

        def step(corpus: Encoded, members: np.ndarray, number: int, stop: bool) -> tuple[float, float, bool]:
            source, target = feed(self._strategy, self._rank, corpus, members)
            return compiled(source, target, number, stop)

        return step


def make_step(
    state: TrainState, hp: Hyperparameters, warmup: int, strategy: tf.distribute.Strategy | None = None
) -> StepFunction:
    """The compiled update: (source [B, S], target [B, T+1], number, stop) -> as `train.backends.backend.Step`."""
    strategy = strategy or tf.distribute.get_strategy()
    variables = {name: variable.value for name, variable in state.weights.items()}
    replicas = strategy.num_replicas_in_sync

    def on_replica(
        source: tf.Tensor, target: tf.Tensor, number: tf.Tensor, stop: tf.Tensor, rate: tf.Tensor, share: tf.Tensor
    ) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        noise = StepNoise(hp.seed, number * replicas + tf.cast(context.replica_id_in_sync_group, tf.int64))
        labels = tf.reshape(target[:, 1:], [-1])
        local = tf.stack([tf.cast(tf.math.count_nonzero(labels), tf.float32), stop])
        tokens, stops = tf.unstack(context.all_reduce(tf.distribute.ReduceOp.SUM, local))
        with tf.GradientTape() as tape:
            hidden = state.model(source, target[:, :-1], noise=noise)
            table = tf.convert_to_tensor(variables["embedding"])
            loss, nll = smoothed_cross_entropy(hidden, table, labels, hp.label_smoothing)
            mean_loss = loss / tokens
        gradients = [tf.convert_to_tensor(one) for one in tape.gradient(mean_loss, list(variables.values()))]
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        apply_gradients(state, dict(zip(variables, gradients, strict=True)), rate, share, hp.clip_norm)
        return tf.stack([context.all_reduce(tf.distribute.ReduceOp.SUM, nll), tokens, stops])

    one = local_replicas(strategy) == 1
    signature = [TOKEN_IDS, TOKEN_IDS, tf.TensorSpec([], tf.int64), FLOAT, FLOAT, FLOAT] if one else None

    @tf.function(input_signature=signature, reduce_retracing=not one, autograph=False)
    def step(source: Distributed, target: Distributed, *scalars: tf.Tensor) -> Distributed:
        return strategy.run(on_replica, args=(source, target, *scalars))

    def run_step(source: Distributed, target: Distributed, number: int, stop: bool) -> tuple[float, float, bool]:
        scalars = (float(stop), adam_rate(number, hp, warmup), average_share(number, hp))
        sums = step(source, target, tf.constant(number, tf.int64), *(tf.constant(scalar) for scalar in scalars))
        nll, tokens, stops = strategy.experimental_local_results(sums)[0].numpy()
        return float(nll), float(tokens), bool(stops)

    return run_step
