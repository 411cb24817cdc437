"""Every shell script of the project: shellcheck is content, and no line ends in CR."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def tracked_scripts(repo: Path) -> list[Path]:
    """Tracked and new files that start with a shebang."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repo,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (repo / name for name in listed.split("\0") if name)
    return [path for path in paths if path.is_file() and path.read_bytes()[:2] == b"#!"]


def test_shell_scripts_pass_shellcheck(repo: Path) -> None:
    shell = [path for path in tracked_scripts(repo) if b"sh" in path.read_bytes().split(b"\n", 1)[0]]
    assert {"build_and_push.sh", "train_local.sh", "serve_local.sh", "predict.sh"} <= {path.name for path in shell}
    done = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), *shell], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_scripts_hold_no_carriage_return_and_are_executable(repo: Path) -> None:
    for path in tracked_scripts(repo):
        assert b"\r" not in path.read_bytes(), f"{path}: a shebang that ends in CR cannot be run"
        assert path.stat().st_mode & 0o111 == 0o111, f"{path} is not executable"


@pytest.mark.parametrize(
    "script",
    ["train_local.sh", "serve_local.sh", "predict.sh", "two_hosts.sh", "transform_local.sh", "check_contract.sh"],
)
def test_local_scripts_explain_themselves(repo: Path, script: str) -> None:
    helped = subprocess.run([repo / "local_test" / script, "--help"], capture_output=True, text=True, check=True)
    assert helped.stdout.startswith(f"Usage: {script}")
    bare = subprocess.run([repo / "local_test" / script], capture_output=True, text=True, check=False)
    assert bare.returncode == 2
    assert f"Usage: {script}" in bare.stderr
