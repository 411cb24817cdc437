"""SageMaker Python SDK v3, local mode: tests/sdk/v3_driver.py, run in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker


@pytest.fixture(scope="session")
def python_v3(repo: Path) -> Path:
    """The interpreter of .venv-v3, which is made from its lock when it is missing (three minutes, 1 GB)."""
    made = subprocess.run(
        [repo / "local_test" / "setup.sh", "sdk-v3"], capture_output=True, text=True, check=False, timeout=1200
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return repo / ".venv-v3" / "bin" / "python"


def test_model_trainer_endpoint_and_transform(
    repo: Path, python_v3: Path, image: str, container_root: Path, free_port: int
) -> None:
    channel = repo / "local_test" / "test_dir" / "input" / "data" / "training"
    driver = repo / "tests" / "sdk" / "v3_driver.py"
    path = f"{python_v3.parent}{os.pathsep}{os.environ['PATH']}"  # docker-compose
    done = subprocess.run(
        [python_v3, driver, image, channel, container_root, str(free_port)],
        env={**os.environ, "PATH": path},
        cwd=container_root,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = json.loads((container_root / "answers.json").read_text())
    assert [type(text) for text in answers["translations"]] == [str, str]
    first, blank, _, *rest = answers["transformed"].split("\n")  # a model of 14 updates may write nothing for the third
    assert (bool(first), blank, any(rest)) == (True, "", False)
