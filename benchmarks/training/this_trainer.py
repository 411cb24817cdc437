"""This trainer at the common task: the loop of `train`, with the settings that make resuming bit-exact.

python -m benchmarks.training.this_trainer TASK.json float32|bfloat16 [tensorflow|pytorch]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.training.task import Meter, Task
from train.backends.choice import open_backend
from train.corpus.batches import Cursor
from train.corpus.encoding import Encoded
from train.job.cluster import SINGLE_HOST
from train.job.hyperparameters import Hyperparameters
from train.model.config import model_config
from train.training.loop import plan_of, run

Framework = Literal["tensorflow", "pytorch"]


def hyperparameters(task: Task, precision: str, framework: Framework = "tensorflow") -> Hyperparameters:
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
        framework=framework,
        epochs=10_000,
    )


def measure(task: Task, corpus: Encoded, precision: str, framework: Framework = "tensorflow") -> Meter:
    hp = hyperparameters(task, precision, framework)
    backend = open_backend(hp, SINGLE_HOST)
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
    framework: Framework = "pytorch" if sys.argv[3:] == ["pytorch"] else "tensorflow"
    measure(task, Encoded(**np.load(task.path("ids.npz"))), sys.argv[2], framework).report()


if __name__ == "__main__":
    main()
