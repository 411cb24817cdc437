"""TensorBoard events: every metrics line of the job as scalars in `/opt/ml/output/tensorboard`.

SageMaker copies that folder to S3 while the job runs when the job has a TensorBoardOutputConfig
(its default `LocalPath`). The package `tensorboard` only shows events; writing them needs TensorFlow alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import tensorflow as tf

from train.job.progress import Sink

GROUPS = ("train", "validation", "test")  # the first part of a tag, by which TensorBoard groups its charts
NOT_SCALARS = frozenset({"step", "epoch"})  # the x axis, and a coarser form of it


def event_sinks(folder: Path) -> tuple[Sink, ...]:
    """For `Progress(sinks=...)`: a writer of events in `folder`; none where that folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ()
    return (EventLog(folder),) if os.access(folder, os.W_OK | os.X_OK) else ()


class EventLog:
    """Writes each metrics line as scalars at its update; a line without one (test scores) is at the last update."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._step = 0

    @cached_property
    def _writer(self) -> tf.summary.SummaryWriter:
        """Made with the first line, not before: a job that is refused leaves no file."""
        return tf.summary.create_file_writer(str(self._folder))

    def __call__(self, values: Mapping[str, float]) -> None:
        self._step = int(values.get("step", self._step))
        with self._writer.as_default():  # its end flushes the file, so whoever watches the job sees the line now
            for name, value in values.items():
                if name not in NOT_SCALARS:
                    tf.summary.write(tag_of(name), tf.constant(value, tf.float32), self._step, _scalar())


def tag_of(name: str) -> str:
    """`validation_loss` -> `validation/loss`; what names no group belongs to training: `train/learning_rate`."""
    group, _, rest = name.partition("_")
    return f"{group}/{rest}" if group in GROUPS else f"train/{name}"


def _scalar() -> tf.compat.v1.SummaryMetadata:
    """What `tf.summary.scalar` would say; that function itself needs the package `tensorboard`."""
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    return tf.compat.v1.SummaryMetadata(plugin_data=plugin, data_class="DATA_CLASS_SCALAR")
