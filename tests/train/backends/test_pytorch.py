"""The tests that hold for either framework, a second time with PyTorch, by the interpreter that has it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

# They touch a framework through tests/train/frameworks.py alone; the last is PyTorch's own.
TESTS = (
    "model/test_transformer.py",
    "backends/test_evaluator.py",
    "backends/test_loss.py",
    "backends/test_noise.py",
    "backends/test_optimizer.py",
    "backends/test_precision.py",
    "backends/test_state.py",
    "training/test_loop.py",
    "training/test_trainer.py",
    "backends/test_pytorch_noise.py",
)


def test_what_holds_with_tensorflow_holds_with_pytorch(repo: Path, torch_python: str) -> None:
    files = [f"tests/train/{name}" for name in TESTS]
    done = subprocess.run(
        [torch_python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=repo,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"\d+ passed in", done.stdout.splitlines()[-1]), "something was skipped"
