"""Stage 5. The training loop in TensorFlow: gradients, Adam, the learning rate and the moving average.

Everything a step does is a pure function of (state, batch, seed, step): a run that is stopped and
resumed from a checkpoint ends with the same weights, bit for bit, as one that never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from container.hyperparameters import Hyperparameters
from train.batches import Batch, Cursor, Encoded, collate, in_order, plan_epoch
from train.loss import smoothed_cross_entropy
from train.model import NoNoise, Transformer, weights_by_name

ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON = 0.9, 0.98, 1e-9  # Vaswani et al. 2017, section 5.3
TOKEN_IDS = tf.TensorSpec([None, None], tf.int32)


class StepNoise:
    """Dropout masks of one step: counter-based random bytes, one byte an element (see `train.model.Noise`).

    A float a random number costs four times the bytes, and dropout on [N, D] activations is bound by
    exactly that. The rate is rounded to 1/256 and the scale follows the rounded rate, so the mean is exact.
    """

    def __init__(self, seed: int, step: tf.Tensor) -> None:
        self._seed, self._step, self._calls = seed, step, 0

    def dropout(self, x: tf.Tensor, rate: float) -> tf.Tensor:
        dropped = round(rate * 256)
        if dropped == 0:
            return x
        self._calls += 1
        shape = tf.shape(x)
        size = tf.reduce_prod(shape)
        key = tf.stack([tf.constant(self._seed * 1009 + self._calls, tf.int64), tf.cast(self._step, tf.int64)])
        words = tf.random.stateless_uniform([(size + 3) // 4], key, minval=None, maxval=None, dtype=tf.int32)
        noise = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size], shape)
        return tf.where(noise >= dropped, x * tf.cast(256 / (256 - dropped), x.dtype), tf.zeros([], x.dtype))


def learning_rate(step: tf.Tensor, peak: float, warmup: int) -> tf.Tensor:
    """Linear warm-up to `peak`, then decay with the inverse square root of the step (float32 scalars)."""
    step = tf.cast(step, tf.float32)
    return peak * tf.minimum(step / warmup, tf.sqrt(warmup / step))


class TrainState:
    """Weights, Adam's two moments, the moving average of the weights, and the number of the last step."""

    def __init__(self, model: Transformer) -> None:
        self.model = model
        self.weights: dict[str, tf.Variable] = {
            name: variable.value for name, variable in weights_by_name(model).items()
        }
        self.first = {name: tf.Variable(tf.zeros_like(w)) for name, w in self.weights.items()}
        self.second = {name: tf.Variable(tf.zeros_like(w)) for name, w in self.weights.items()}
        self.average = {name: tf.Variable(w) for name, w in self.weights.items()}
        self.step = tf.Variable(0, dtype=tf.int64)

    def groups(self) -> dict[str, dict[str, tf.Variable]]:
        return {"weights": self.weights, "first": self.first, "second": self.second, "average": self.average}

    def tensors(self) -> dict[str, np.ndarray]:
        """Everything a checkpoint holds, as `group/name` -> array."""
        return {
            f"{group}/{name}": variable.numpy()
            for group, variables in self.groups().items()
            for name, variable in variables.items()
        }

    def restore(self, tensors: dict[str, np.ndarray], step: int) -> None:
        for group, variables in self.groups().items():
            for name, variable in variables.items():
                variable.assign(tensors[f"{group}/{name}"])
        self.step.assign(step)

    def averaged_weights(self) -> dict[str, np.ndarray]:
        """The weights to evaluate and export, float32."""
        return {name: variable.numpy() for name, variable in self.average.items()}


def make_step(state: TrainState, hp: Hyperparameters, warmup: int) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """The compiled update: (source [B, S], target [B, T+1]) -> (summed nll, target tokens), state updated."""
    names = list(state.weights)
    variables = [state.weights[name] for name in names]

    @tf.function(input_signature=[TOKEN_IDS, TOKEN_IDS], autograph=False)
    def step(source: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        number = state.step.assign_add(1)
        labels = tf.reshape(target[:, 1:], [-1])
        tokens = tf.cast(tf.math.count_nonzero(labels), tf.float32)
        with tf.GradientTape() as tape:
            hidden = state.model(source, target[:, :-1], noise=StepNoise(hp.seed, number))
            table = tf.convert_to_tensor(state.weights["embedding"])
            loss, nll = smoothed_cross_entropy(hidden, table, labels, hp.label_smoothing)
            mean_loss = loss / tokens
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(mean_loss, variables)]
        gradients, _ = tf.clip_by_global_norm(gradients, hp.clip_norm)
        _adam(state, dict(zip(names, gradients, strict=True)), learning_rate(number, hp.learning_rate, warmup))
        _average(state, hp.ema_decay)
        return nll, tokens

    return step


def _adam(state: TrainState, gradients: dict[str, tf.Tensor], rate: tf.Tensor) -> None:
    """Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1, with the bias corrections folded into the rate."""
    step = tf.cast(state.step, tf.float32)
    rate = rate * tf.sqrt(1.0 - ADAM_BETA_2**step) / (1.0 - ADAM_BETA_1**step)
    for name, gradient in gradients.items():
        first = state.first[name].assign_add((1 - ADAM_BETA_1) * (gradient - state.first[name]))
        second = state.second[name].assign_add((1 - ADAM_BETA_2) * (tf.square(gradient) - state.second[name]))
        state.weights[name].assign_sub(rate * first / (tf.sqrt(second) + ADAM_EPSILON))


def _average(state: TrainState, decay: float) -> None:
    """Moving average of the weights; its memory grows with the step, so that short runs are averaged too."""
    step = tf.cast(state.step, tf.float32)
    share = 1.0 - tf.minimum(decay, step / (9.0 + step))
    for name, average in state.average.items():
        average.assign_add(share * (state.weights[name] - average))


@dataclass(frozen=True)
class StepResult:
    """What one update did: mean nll a target token, target tokens, and the cursor after it."""

    nll: float
    tokens: int
    cursor: Cursor
    epoch_ended: bool


def run(state: TrainState, corpus: Encoded, hp: Hyperparameters, start: Cursor, warmup: int) -> Iterator[StepResult]:
    """Train from `start` to the last epoch or the time limit, one result an update.

    The caller evaluates, checkpoints and stops between two results by no longer asking for the next.
    """
    step = make_step(state, hp, warmup)
    cursor = start
    for epoch in range(start.epoch, hp.epochs):
        plan = _plan(corpus, hp, epoch)
        for number in range(cursor.batch, len(plan)):
            if hp.max_minutes and cursor.seconds >= hp.max_minutes * 60:
                return
            began = time.monotonic()
            batch = collate(corpus, plan[number])
            nll, tokens = (float(value) for value in step(batch.source, batch.target))
            last = number + 1 == len(plan)
            cursor = Cursor(
                step=cursor.step + 1,
                epoch=epoch + 1 if last else epoch,
                batch=0 if last else number + 1,
                seconds=cursor.seconds + time.monotonic() - began,
            )
            yield StepResult(nll / tokens, int(tokens), cursor, epoch_ended=last)


def warmup_steps(hp: Hyperparameters, planned: int) -> int:
    """The warm-up in updates: at most a tenth of the planned ones, at least one."""
    return max(1, min(hp.warmup_steps, math.ceil(planned / 10)))


def _plan(corpus: Encoded, hp: Hyperparameters, epoch: int) -> list[np.ndarray]:
    return plan_epoch(corpus, epoch=epoch, seed=hp.seed, batch_tokens=hp.batch_tokens, batch_size=hp.batch_size)


def planned_steps(corpus: Encoded, hp: Hyperparameters) -> int:
    """Updates in all epochs, as far as the first epoch tells."""
    return hp.epochs * len(_plan(corpus, hp, 0))


class Evaluator:
    """Mean nll a target token over a corpus, with the averaged weights in a float32 copy of the model."""

    def __init__(self, model: Transformer) -> None:
        self.model = Transformer(replace(model.config, precision="float32"))
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
