"""`docker run IMAGE train` with SageMaker's mounts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from container.artifact import open_artifact
from tests.docker.endpoint import HARDENED
from tests.docker.job import TOY, Job
from tests.engine import Containers

pytestmark = pytest.mark.docker


def test_trains_as_root_without_network(trained: Job) -> None:
    artifact = open_artifact(trained.model)
    assert artifact.manifest.source_lang == "en"
    assert not trained.failure.exists()


def test_trains_as_any_user_on_a_read_only_root(containers: Containers, pairs: Path, tmp_path: Path) -> None:
    job = Job.create(tmp_path / "job", pairs, TOY)
    done = job.run(containers, *HARDENED, "--network=none")
    assert done.returncode == 0, done.stdout + done.stderr
    open_artifact(job.model)


def test_a_failing_job_leaves_its_reason_and_no_model(containers: Containers, pairs: Path, tmp_path: Path) -> None:
    job = Job.create(tmp_path / "job", pairs, {**TOY, "epochs": "many"})
    done = job.run(containers)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "epochs" in job.failure.read_text()
    assert list(job.model.iterdir()) == []


def test_no_command_means_train(containers: Containers, pairs: Path, tmp_path: Path) -> None:
    """SDK v3's ModelTrainer passes no argument. The job here fails early: enough to see that it ran."""
    job = Job.create(tmp_path / "job", pairs, {**TOY, "epochs": "many"})
    assert containers.run(options=job.mounts()).returncode == 2
    assert job.failure.exists()


def test_train_local_runs_the_job_of_test_dir(repo: Path, image: str, tmp_path: Path) -> None:
    """In a folder with a space in its name; a second run with --resume keeps the checkpoints of the first."""
    test_dir = tmp_path / "my job" / "test_dir"
    shutil.copytree(repo / "local_test" / "test_dir" / "input", test_dir / "input")
    hyperparameters = test_dir / "input" / "config" / "hyperparameters.json"
    hyperparameters.write_text(json.dumps({**json.loads(hyperparameters.read_text()), **TOY}))
    script = repo / "local_test" / "train_local.sh"
    done = subprocess.run([script, image, test_dir], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"The model is in {test_dir / 'model'}" in done.stderr
    open_artifact(test_dir / "model")
    for path in test_dir.rglob("*"):
        assert path.stat().st_uid == os.getuid(), f"{path} was not handed back"


def test_train_local_shows_why_a_job_failed(repo: Path, image: str, tmp_path: Path) -> None:
    shutil.copytree(repo / "local_test" / "test_dir" / "input", tmp_path / "input")
    (tmp_path / "input" / "config" / "hyperparameters.json").write_text('{"epochs": "many"}')
    script = repo / "local_test" / "train_local.sh"
    done = subprocess.run([script, image, tmp_path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "Training failed with exit code 2" in done.stderr
    assert "epochs" in done.stderr.split("FailureReason:")[1]


def test_train_local_names_a_missing_image_and_a_wrong_folder(repo: Path, image: str, tmp_path: Path) -> None:
    script = repo / "local_test" / "train_local.sh"
    done = subprocess.run([script, "no-such-image"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "there is no image no-such-image here" in done.stderr) == (1, True)
    done = subprocess.run([script, image, tmp_path], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "holds no folder named input" in done.stderr) == (1, True)
