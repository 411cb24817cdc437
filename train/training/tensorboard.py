"""TensorBoard events: every metrics line of the job as scalars in `/opt/ml/output/tensorboard`.

SageMaker copies that folder to S3 while the job runs when the job has a TensorBoardOutputConfig
(its default `LocalPath`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary

from train.job.progress import Sink

GROUPS = ("train", "validation", "test")  # the first part of a tag, by which TensorBoard groups its charts
NOT_SCALARS = frozenset({"step", "epoch"})  # the x axis, and the same axis in larger units


def open_event_sinks(folder: Path) -> tuple[Sink, ...]:
    """A writer of events in `folder`, for `Progress(sinks=...)`; none where that folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ()
    return (EventLog(folder),) if os.access(folder, os.W_OK | os.X_OK) else ()


class EventLog:
    """Writes each metrics line as scalars of its update.

    A line that names no update, as that of the test scores, belongs to the last one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._step = 0

    @cached_property
    def _writer(self) -> EventsWriter:
        """Opened at the first line, so that a job that is refused leaves no file. A resumed job has its own file."""
        return EventsWriter(str(self._folder / "events"), f".{os.getpid()}.{time.time_ns()}")

    def __call__(self, values: Mapping[str, float]) -> None:
        self._step = int(values.get("step", self._step))
        scalars = [
            Summary.Value(tag=make_tag(name), simple_value=value)
            for name, value in values.items()
            if name not in NOT_SCALARS
        ]
        self._writer.write_event(Event(wall_time=time.time(), step=self._step, summary=Summary(value=scalars)))
        self._writer.flush()  # whoever watches the job sees the line now


def make_tag(name: str) -> str:
    """`validation_loss` -> `validation/loss`; a name without a group belongs to training: `train/learning_rate`."""
    group, _, rest = name.partition("_")
    return f"{group}/{rest}" if group in GROUPS else f"train/{name}"
