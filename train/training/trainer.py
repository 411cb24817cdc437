"""The training stage: updates, with validation, checkpoints and a way to stop at any of them."""

from __future__ import annotations

from math import prod

from train.backends.backend import Backend
from train.backends.schedule import learning_rate, warmup_steps
from train.corpus.prepare import Prepared
from train.job.context import JobContext
from train.model.config import model_config
from train.model.trained import TrainedModel
from train.training.checkpoints import CheckpointManager, compute_digest
from train.training.loop import planned_steps, run
from train.training.resume import Start, identify_run, restore_state
from train.training.validation import Validator


def train_model(job: JobContext, prepared: Prepared, start: Start, backend: Backend) -> TrainedModel:
    """Train until the last epoch, the time limit or `job.stop`.

    The chief validates at each epoch's end. It writes checkpoints then, every `checkpoint_seconds`, and at the end.
    Every host returns the same weights.
    """
    hp, progress = job.hyperparameters, job.progress
    planned = planned_steps(prepared.train, hp)
    identity = identify_run(job, prepared, start, backend, warmup_steps(hp, planned))
    warmup = identity["warmup"]
    config = model_config(hp, prepared.tokenizer.get_piece_size(), identity["precision"])
    state = backend.make_state(config, hp.seed)
    cursor = restore_state(start, state, progress)
    validator = Validator(job, prepared, config, backend.make_evaluator(config))
    checkpoints = CheckpointManager(start.folder, identity, hp.checkpoint_seconds)

    parameters = sum(map(prod, state.shapes().values()))
    progress.say(f"{parameters} parameters, {config.precision}, warm-up of {warmup} updates")
    progress.begin(planned, cursor.step, cursor.seconds)
    step = backend.make_step(state, hp, warmup)
    for result in run(step, prepared.train, hp, cursor, wants_stop=job.stop.is_set):
        cursor = result.cursor
        rate = learning_rate(cursor.step, hp.learning_rate, warmup)
        progress.step(cursor.step, nll=result.nll, tokens=result.tokens, seconds=cursor.seconds, learning_rate=rate)
        if not job.is_chief:
            continue
        if result.epoch_ended and not job.stop.is_set():
            validator.validate(state.averaged_weights(), cursor)
        if result.epoch_ended or checkpoints.is_due():
            checkpoints.save(state.tensors, cursor, progress.history)
    progress.end()
    if job.stop.is_set():
        progress.say(f"asked to stop: {cursor.step} updates were done, the model is written now")
    if job.is_chief:
        checkpoints.save(state.tensors, cursor, progress.history)
    weights = state.averaged_weights()
    progress.say(f"weights_sha256={compute_digest(weights)};")  # equal on all hosts, and for an interrupted run
    return TrainedModel(config, weights, cursor, stopped_early=job.stop.is_set())
