"""A copy of build_and_push.sh that has something small to build, and the environment to run it in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import clean_environment, docker, require_engine


@dataclass(frozen=True)
class Project:
    """A copy of the script beside a Dockerfile of a few bytes, in a folder with a space in its name.

    The script is the real one; only what it builds is small, so that a push takes a second.
    """

    root: Path
    environment: Mapping[str, str]
    label: str  # of every image that is built here

    def images(self) -> set[str]:
        return set(docker("image", "ls", "--quiet", f"--filter=label=test={self.label}").stdout.split())

    def remove_images(self) -> None:
        if images := self.images():
            docker("image", "rm", "--force", *images)

    def push(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.root / "build_and_push.sh"), *arguments],
            env={**self.environment, **environment},
            cwd=cwd or self.root,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()


def docker_answers() -> bool:
    return shutil.which("docker") is not None and docker("info", check=False).returncode == 0


def push_environment(folder: Path, api: str) -> Mapping[str, str]:
    """Dummy credentials, the stand-in's API, and in `folder` an `aws` and a place for docker's logins."""
    # The venv's own `aws` names its Python in the first line, which may hold no space; a venv's path may.
    aws = folder / "aws cli" / "aws"
    aws.parent.mkdir()
    aws.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m awscli "$@"\n')
    aws.chmod(0o755)
    return clean_environment(
        AWS_ENDPOINT_URL=api,
        AWS_REGION="eu-west-1",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        DOCKER_CONFIG=str(folder / "docker-config"),
        HOME=str(folder),
        PATH=f"{aws.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    )


@pytest.fixture
def project(repo: Path, tmp_path: Path, ecr_api: str) -> Iterator[Project]:
    root = tmp_path / "a clone"
    for folder in ("container", "train", "serve", "requirements"):
        (root / folder).mkdir(parents=True)
        (root / folder / "__init__.py").touch()
    for name in ("runtime.txt", "gpu.txt", "pytorch.txt", "torch.txt", "sbom.py"):
        (root / "requirements" / name).touch()
    (root / ".dockerignore").touch()
    (root / "Dockerfile").write_text(f"FROM scratch\nLABEL test={tmp_path}\nCOPY train /train\nCMD ['train']\n")
    shutil.copy(repo / "build_and_push.sh", root)
    made = Project(root, push_environment(tmp_path, ecr_api), label=str(tmp_path))
    made.git("init", "--quiet")
    made.git("add", ".")
    made.git("commit", "--quiet", "--message", "first")
    yield made
    if docker_answers():
        made.remove_images()


@pytest.fixture
def engine() -> None:
    require_engine()
