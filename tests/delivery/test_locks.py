"""The locks: every package with its hashes, no index named, one version of each, good for each Python we promise."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

LOCKS = ["runtime.txt", "test.txt"]
ALL_LOCKS = [*LOCKS, "gpu.txt", "pytorch.txt", "sdk-v3.txt"]
PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", re.MULTILINE | re.IGNORECASE)


def text_of(repo: Path, lock: str) -> str:
    return (repo / "requirements" / lock).read_text()


@pytest.mark.parametrize("lock", ALL_LOCKS)
def test_every_package_is_pinned_with_a_hash(repo: Path, lock: str) -> None:
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text_of(repo, lock), flags=re.MULTILINE).strip())
    assert len(entries) > 50
    assert [entry for entry in entries if not PINNED.match(entry) or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", ALL_LOCKS)
def test_no_index_host_is_named(repo: Path, lock: str) -> None:
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text_of(repo, lock))


def test_the_image_and_the_tests_agree_on_every_version(repo: Path) -> None:
    runtime, test = (set(PINNED.findall(text_of(repo, lock))) for lock in LOCKS)
    assert runtime <= test


def test_the_gpu_image_has_the_versions_of_the_cpu_image(repo: Path) -> None:
    """All but TensorFlow's own name; one TensorFlow, since two would write into one folder."""
    cpu, gpu = (dict(PINNED.findall(text_of(repo, lock))) for lock in ("runtime.txt", "gpu.txt"))
    assert "tensorflow-cpu" not in gpu
    assert gpu["tensorflow"] == cpu["tensorflow-cpu"]
    assert {name for name in gpu.keys() - cpu.keys() if not name.startswith("nvidia-")} == set()
    shared = set(PINNED.findall(text_of(repo, "runtime.txt")))  # some have a version for each Python
    assert {pair for pair in gpu.items() if pair[0] in cpu} <= shared


def test_the_pytorch_image_has_the_versions_of_the_tensorflow_image(repo: Path) -> None:
    """And what torch needs beside; torch itself stands in a lock of its own, in the version of pyproject.toml."""
    tensorflow, pytorch = (set(PINNED.findall(text_of(repo, lock))) for lock in ("runtime.txt", "pytorch.txt"))
    assert {name for name, _ in pytorch - tensorflow} == {"filelock", "fsspec", "mpmath", "networkx", "sympy"}
    assert not {name for name, _ in pytorch if name.startswith(("tensorflow", "torch", "nvidia"))}
    torch = text_of(repo, "torch.txt")
    assert PINNED.findall(torch) == [("torch", "2.13.0+cpu")]
    assert torch.count("--hash=sha256:") == 6, "three Pythons on two processors"
    assert '"torch==2.13.0"' in (repo / "pyproject.toml").read_text()


def test_all_locks_resolve_on_each_supported_python(repo: Path) -> None:
    done = subprocess.run(
        [repo / "requirements" / "lock.sh", "--prove"], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    proved = (*LOCKS, "pytorch.txt")
    wanted = [f"requirements/{lock} resolves on Python 3.{minor}" for minor in (11, 12, 13) for lock in proved]
    assert done.stdout.splitlines() == [*wanted, "requirements/runtime.txt resolves on ARM"]
