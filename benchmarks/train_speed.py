"""This trainer at the common task: its own loop, under the settings in which resuming is bit-exact.

python -m benchmarks.train_speed TASK.json float32|bfloat16
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.train_task import Meter, Task
from container.cluster import SINGLE_HOST
from container.hyperparameters import Hyperparameters
from train.batches import Cursor, Encoded
from train.fit import model_config
from train.loop import plan_of, run
from train.tensorflow_backend import TensorFlowBackend


def hyperparameters(task: Task, precision: str) -> Hyperparameters:
    return Hyperparameters(
        d_model=task.d_model,
        ffn_dim=task.ffn_dim,
        n_heads=task.n_heads,
        n_layers=task.layers,
        dropout_rate=task.dropout,
        label_smoothing=task.label_smoothing,
        batch_tokens=task.batch_tokens,
        learning_rate=task.learning_rate,
        precision=precision,
        epochs=10_000,
    )


def measure(task: Task, corpus: Encoded, precision: str) -> Meter:
    hp = hyperparameters(task, precision)
    backend = TensorFlowBackend(SINGLE_HOST)
    state = backend.make_state(model_config(hp, task.vocab_size, precision), hp.seed)
    meter, cursor, plan = Meter(task), Cursor(), plan_of(corpus, hp, 0)
    meter.begin()
    for result in run(backend.make_step(state, hp, task.warmup), corpus, hp, cursor):
        members = plan[cursor.batch]
        meter.update(corpus.source_lengths[members], corpus.target_lengths[members])
        if meter.done:
            break
        if result.epoch_ended:
            plan = plan_of(corpus, hp, result.cursor.epoch)
        cursor = result.cursor
    return meter


def main() -> None:
    task = Task.from_json(Path(sys.argv[1]).read_text())
    measure(task, Encoded(**np.load(task.path("ids.npz"))), sys.argv[2]).report()


if __name__ == "__main__":
    main()
