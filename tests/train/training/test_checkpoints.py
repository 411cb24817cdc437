"""Checkpoints: whole or absent, the newest whole one is found, and SageMaker's markers are left alone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from container import artifact
from container.errors import ChannelError
from container.paths import Paths
from train.corpus.batches import Cursor
from train.training.checkpoints import KEEP, CheckpointManager, find_checkpoint_folder

RUN = {"corpus": "abc", "hyperparameters": {"d_model": 16, "train_file": None}}
HISTORY = [{"step": 1, "train_loss": 7.25}, {"epoch": 1, "step": 2, "validation_bleu": 0.5}]


def tensors(step: int) -> dict[str, np.ndarray]:
    return {"weights/kernel": np.full((3, 2), step, np.float32), "average/bias": np.arange(step, dtype=np.float32)}


def save(folder: Path, step: int) -> Path:
    CheckpointManager(folder, RUN).save(lambda: tensors(step), Cursor(step, epoch=1, batch=2, seconds=3.5), HISTORY)
    return folder / f"checkpoint-{step:09d}.safetensors"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    path = save(tmp_path / "new folder", 7)
    found = CheckpointManager(tmp_path / "new folder").newest()
    assert found is not None
    assert (found.path, found.cursor, found.run) == (path, Cursor(7, 1, 2, 3.5), RUN)
    assert found.history == HISTORY
    assert found.tensors.keys() == tensors(7).keys()
    for name, array in tensors(7).items():
        assert found.tensors[name].dtype == array.dtype
        assert found.tensors[name].shape == array.shape
        assert found.tensors[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("folder", ["", "none"])
def test_no_checkpoint(tmp_path: Path, folder: str) -> None:
    assert CheckpointManager(tmp_path / folder).newest() is None
    assert CheckpointManager(tmp_path / folder).remove_all() == 0


def test_the_newest_is_the_one_of_most_steps(tmp_path: Path) -> None:
    for step in (9, 999, 1000):
        save(tmp_path, step)
    os.utime(tmp_path / "checkpoint-000000999.safetensors")
    found = CheckpointManager(tmp_path).newest()
    assert found is not None
    assert found.cursor.step == 1000


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        save(tmp_path, step)
        assert len(names(tmp_path)) == min(step, KEEP)
    assert names(tmp_path) == ["checkpoint-000000004.safetensors", "checkpoint-000000005.safetensors"]


def test_an_update_has_one_checkpoint_however_often_it_is_saved(tmp_path: Path) -> None:
    """What it holds is asked for only when it is written: it is as large as the model, three times."""
    asked: list[int] = []
    checkpoints = CheckpointManager(tmp_path, RUN)
    for step in (0, 1, 1, 2):  # nothing was learnt before the first update
        checkpoints.save(lambda step=step: asked.append(step) or tensors(step), Cursor(step))  # type: ignore[misc]
    assert asked == [1, 2]
    assert names(tmp_path) == ["checkpoint-000000001.safetensors", "checkpoint-000000002.safetensors"]


def test_a_checkpoint_is_due_when_its_seconds_have_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("train.training.checkpoints.time.monotonic", lambda: now[0])
    checkpoints, never = CheckpointManager(tmp_path, seconds=60), CheckpointManager(tmp_path)
    now[0] += 59
    assert not checkpoints.is_due()
    now[0] += 1
    assert checkpoints.is_due() and not never.is_due()
    checkpoints.save(lambda: tensors(1), Cursor(1))
    assert not checkpoints.is_due()


# Damage


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_a_truncated_checkpoint_is_passed_over_and_named(
    tmp_path: Path, length: int, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    newest.write_bytes(newest.read_bytes()[:length])
    found = CheckpointManager(tmp_path).newest()
    assert found is not None
    assert found.cursor.step == 1
    assert str(newest) in capsys.readouterr().out


def test_no_flipped_byte_makes_another_checkpoint(tmp_path: Path) -> None:
    path = save(tmp_path, 7)
    whole = path.read_bytes()
    unnoticed = []
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        if CheckpointManager(tmp_path).newest() is not None:
            unnoticed.append(whole[position : position + 1])
    assert set(unnoticed) <= {b" "}  # white space in the header carries nothing


def test_a_crash_while_writing_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="crash"):
        patch.setattr(artifact.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("crash")))
        save(tmp_path, 2)
    assert len(names(tmp_path)) == 2  # the checkpoint, and what was left over
    found = CheckpointManager(tmp_path).newest()
    assert found is not None
    assert found.cursor.step == 1


# SageMaker's uploader


def test_a_checkpoint_that_is_being_uploaded_is_not_deleted(tmp_path: Path) -> None:
    marker = Path(f"{save(tmp_path, 1)}.sagemaker-uploading")
    marker.touch()
    for step in (2, 3, 4):
        save(tmp_path, step)
    kept = {f"checkpoint-{step:09d}.safetensors" for step in (1, 3, 4)}
    assert set(names(tmp_path)) == {*kept, marker.name}
    marker.unlink()
    save(tmp_path, 5)
    assert names(tmp_path) == ["checkpoint-000000004.safetensors", "checkpoint-000000005.safetensors"]


def test_markers_and_foreign_files_are_neither_read_nor_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = save(tmp_path, 1)
    foreign = [
        f"{newest.name}.sagemaker-uploading",
        "checkpoint-000000009.safetensors.sagemaker-uploaded",
        ".checkpoint-000000009.safetensors.tmp",
        "notes.txt",
    ]
    for name in foreign:
        (tmp_path / name).touch()
    found = CheckpointManager(tmp_path).newest()
    assert found is not None
    assert found.cursor.step == 1
    assert capsys.readouterr().out == ""
    assert CheckpointManager(tmp_path).remove_all() == 1
    assert names(tmp_path) == sorted(foreign)


# Where they are


def test_the_folder_is_the_one_of_the_jobs_checkpoint_config(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert find_checkpoint_folder(paths) == tmp_path / "checkpoints"
    paths.config.mkdir(parents=True)
    paths.checkpoint_config.write_text('{"S3Uri": "s3://bucket/job", "LocalPath": "/opt/ml/elsewhere"}')
    assert find_checkpoint_folder(paths) == Path("/opt/ml/elsewhere")
    paths.checkpoint_config.write_text('{"S3Uri": "s3://bucket/job"}')
    assert find_checkpoint_folder(paths) == tmp_path / "checkpoints"


def test_a_damaged_checkpoint_config_is_named(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.config.mkdir(parents=True)
    paths.checkpoint_config.write_text("{")
    with pytest.raises(ChannelError, match=rf"{paths.checkpoint_config} is not valid JSON"):
        find_checkpoint_folder(paths)
