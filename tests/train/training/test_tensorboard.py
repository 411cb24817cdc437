"""TensorBoard events, read back from the file as TensorBoard reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from data.sample import write_channels
from tests.conftest import TOY, Job
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.training.tensorboard import make_tag, open_event_sinks


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """tag -> [(step, value), ...] of all event files in `folder`; fails where a value is not a scalar."""
    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(file)):
            event = event_pb2.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.WhichOneof("value") == "simple_value"
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_every_metrics_line_is_in_the_event_file_at_once(hp: Hyperparameters, tmp_path: Path) -> None:
    folder = tmp_path / "output" / "tensorboard"
    progress = Progress(hp, open_event_sinks(folder))

    progress.metrics(step=50, train_loss=4.5, tokens_per_second=2000.0, learning_rate=0.25)
    assert scalars(folder) == {
        "train/loss": [(50, 4.5)],
        "train/tokens_per_second": [(50, 2000.0)],
        "train/learning_rate": [(50, 0.25)],
    }
    progress.metrics(epoch=1, step=70, validation_loss=3.5, validation_bleu=12.5, validation_chrf=32.5)
    progress.metrics(test_bleu=13.5, test_chrf=33.5)
    later = scalars(folder)
    assert later["validation/loss"] == [(70, 3.5)]
    assert later["validation/bleu"] == [(70, 12.5)] and later["validation/chrf"] == [(70, 32.5)]
    assert later["test/bleu"] == [(70, 13.5)] and later["test/chrf"] == [(70, 33.5)]  # a line without a step
    assert not any("step" in tag or "epoch" in tag for tag in later)


def test_a_resumed_job_continues_the_curve_in_a_file_of_its_own(hp: Hyperparameters, tmp_path: Path) -> None:
    Progress(hp, open_event_sinks(tmp_path)).metrics(step=1, train_loss=2.0)
    Progress(hp, open_event_sinks(tmp_path)).metrics(step=2, train_loss=1.0)
    assert sorted(scalars(tmp_path)["train/loss"]) == [(1, 2.0), (2, 1.0)]


def test_a_folder_that_cannot_be_written_costs_the_events_and_nothing_else(hp: Hyperparameters, tmp_path: Path) -> None:
    occupied = tmp_path / "output"
    occupied.write_text("a file where the folder should be")
    assert open_event_sinks(occupied / "tensorboard") == ()


@pytest.mark.parametrize(
    ("name", "tag"),
    [("validation_bleu", "validation/bleu"), ("train_loss", "train/loss"), ("learning_rate", "train/learning_rate")],
)
def test_tags_are_grouped_by_part(name: str, tag: str) -> None:
    assert make_tag(name) == tag


def test_a_job_writes_its_whole_history_as_events(toy_job: tuple[Job, str]) -> None:
    paths = toy_job[0].paths
    history = json.loads((paths.output_data / "metrics.json").read_bytes())["history"]
    expected = {make_tag(name) for line in history for name in line if name not in ("step", "epoch")}
    found = scalars(paths.tensorboard)
    assert set(found) == expected and {"validation/loss", "test/bleu"} <= expected
    validation = next(line for line in history if "validation_loss" in line)
    assert found["validation/loss"] == [(validation["step"], pytest.approx(validation["validation_loss"]))]


def test_a_job_with_pytorch_writes_the_same_events(torch_python: str, tmp_path: Path) -> None:
    job = Job(tmp_path / "ml", torch_python)
    write_channels(job.paths.data)
    job.configure({**TOY, "framework": "pytorch", "nsamples": "60"})
    done = job.run()
    assert done.returncode == 0, done.stderr
    history = json.loads((job.paths.output_data / "metrics.json").read_bytes())["history"]
    assert set(scalars(job.paths.tensorboard)) == {
        make_tag(name) for line in history for name in line if name not in ("step", "epoch")
    }
