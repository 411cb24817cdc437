"""What all tests share: the repository root, a job's folder as SageMaker lays it out, and a small trained model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from container.paths import Paths
from data.sample import write_channels
from tests.engine import skip_or_fail

REPOSITORY = Path(__file__).resolve().parent.parent
TOY = {
    "n_layers": "1",
    "d_model": "16",
    "n_heads": "2",
    "ffn_dim": "32",
    "epochs": "1",
    "nsamples": "200",
    "precision": "float32",  # not auto, which measures: on a busy machine two runs may choose differently
}


@dataclass(frozen=True)
class Job:
    """A training job's folder (`/opt/ml` in the container), and the way to run `train` on it."""

    base: Path
    python: str = sys.executable  # which `start` and `run` use
    program: Path = REPOSITORY  # the folder with the `train` that they run

    @property
    def paths(self) -> Paths:
        return Paths(self.base)

    def configure(self, hyperparameters: Mapping[str, str]) -> None:
        self.paths.config.mkdir(parents=True, exist_ok=True)
        self.paths.hyperparameters.write_text(json.dumps(dict(hyperparameters)))

    def channel(self, name: str, **files: bytes | str) -> Path:
        """Write files (`sample__tsv` is sample.tsv) into a channel's folder; returns the folder."""
        folder = self.paths.data / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            (folder / file.replace("__", ".")).write_bytes(content)
        return folder

    def environment(self) -> dict[str, str]:
        return {**os.environ, "SAGEMAKER_BASE_DIR": str(self.base), "PYTHONPATH": str(self.program)}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.python, "-m", "train", *arguments],
            env={**self.environment(), **environment},
            cwd=self.base,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [self.python, "-m", "train", *arguments]
        return subprocess.run(
            command, env=self.environment(), cwd=self.base, capture_output=True, text=True, check=False, timeout=300
        )


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def torch_python(repo: Path) -> str:
    """The interpreter of .venv-torch, which has PyTorch beside all that this one has."""
    python = repo / ".venv-torch" / "bin" / "python"
    if not python.exists():
        skip_or_fail("There is no .venv-torch, so nothing with PyTorch is tested here: run local_test/setup.sh torch.")
    return str(python)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """An empty job folder with toy hyperparameters."""
    job = Job(tmp_path / "opt ml")
    job.configure(TOY)
    return job


@pytest.fixture(scope="session")
def toy_job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A finished toy job on the embedded sample, and what it printed. Read it, do not change it."""
    job = Job(tmp_path_factory.mktemp("toy job") / "ml")
    job.configure(TOY)
    write_channels(job.paths.data)
    done = job.run()
    assert done.returncode == 0, done.stderr
    return job, done.stdout


@pytest.fixture(scope="session")
def toy_model(toy_job: tuple[Job, str]) -> Path:
    """The model directory that the toy job wrote. Read it, do not change it: copy it first."""
    return toy_job[0].paths.model
