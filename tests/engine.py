"""For the tests that need Docker: is an engine there, the image under test, containers that go away again."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# What the image is made of, as in the Dockerfile.
LOCKS = tuple(f"requirements/{name}.txt" for name in ("runtime", "gpu", "pytorch", "torch"))
REQUIREMENTS = (*LOCKS, "requirements/sbom.py", "requirements/wheels/README.md")
SOURCES = ("Dockerfile", ".dockerignore", *REQUIREMENTS, "container", "train", "serve")
IMAGE_NAME = "sagemaker-nmt-test"


def docker(*arguments: str, timeout: float = 120, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the Docker client; a failure shows what it said."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def skip_or_fail(sentence: str) -> None:
    """A missing tool skips the test on somebody's machine and fails it in CI, where nothing may hide."""
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def require_engine() -> None:
    """Skip (in CI: fail) where no Docker engine answers."""
    if shutil.which("docker") is None:
        skip_or_fail("Docker is not installed, so what runs in containers is not tested here.")
    if docker("info", check=False).returncode:
        skip_or_fail("No Docker engine answers, so what runs in containers is not tested here.")


def content_tag(root: Path) -> str:
    """A tag that changes with anything the image is built from, and with nothing else."""
    digest = hashlib.sha256()
    for source in SOURCES:
        top = root / source
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(root)} {os.access(path, os.X_OK)}\n".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def build_image(root: Path, accelerator: str = "cpu") -> str:
    """Build the image of `root`, or find it built; return its name. Two minutes without a layer cache; GPU: eight."""
    name = f"{IMAGE_NAME}:{content_tag(root)}{'' if accelerator == 'cpu' else '-' + accelerator}"
    if docker("image", "inspect", name, check=False).returncode:
        docker("build", "--build-arg", f"ACCELERATOR={accelerator}", "--tag", name, str(root), timeout=3600)
    return name


def copy_sources(root: Path, target: Path) -> Path:
    """A copy of what the image is built from."""
    for source in SOURCES:
        (target / source).parent.mkdir(parents=True, exist_ok=True)
        if (root / source).is_dir():
            shutil.copytree(root / source, target / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / source, target / source)
    return target


def build_pytorch_image(root: Path, scratch: Path) -> str:
    """Build the image with PyTorch, or find it built; return its name. Two minutes without a layer cache.

    torch's wheel is fetched first, into a copy of the sources: a builder need not reach PyTorch's index.
    """
    name = f"{IMAGE_NAME}:{content_tag(root)}-pytorch"
    if docker("image", "inspect", name, check=False).returncode:
        copy = copy_sources(root, scratch)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--retries=1"]
        folder = copy / "requirements"
        subprocess.run([*pip, f"--dest={folder / 'wheels'}", "-r", folder / "torch.txt"], check=True, timeout=300)
        docker("build", "--build-arg", "FRAMEWORK=pytorch", "--tag", name, str(copy), timeout=3600)
    return name


@dataclass
class Containers:
    """Starts containers of one image and removes every one of them at the end."""

    image: str
    started: list[str] = field(default_factory=list)

    def start(self, *command: str, options: Sequence[str] = ()) -> str:
        """`docker run --detach`; returns the container's name."""
        name = f"{IMAGE_NAME}-{uuid.uuid4().hex[:12]}"
        self.started.append(name)
        docker("run", "--detach", "--name", name, *options, self.image, *command)
        return name

    def run(self, *command: str, options: Sequence[str] = (), timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """`docker run` to its end; the result holds exit code, stdout and stderr."""
        name = f"{IMAGE_NAME}-{uuid.uuid4().hex[:12]}"
        self.started.append(name)
        return docker("run", "--name", name, *options, self.image, *command, timeout=timeout, check=False)

    def remove_all(self) -> None:
        if self.started:
            docker("rm", "--force", "--volumes", *self.started, check=False)


def bind(source: Path, target: str, readonly: bool = False) -> str:
    """The option that mounts a folder of this machine; unlike `-v` it takes paths with a colon."""
    return f"--mount=type=bind,source={source},target={target}" + (",readonly" if readonly else "")


@pytest.fixture(scope="session")
def image(repo: Path) -> str:
    """The image built from this working tree."""
    require_engine()
    return build_image(repo)


@pytest.fixture(scope="session")
def pytorch_image(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image with PyTorch, built from this working tree."""
    require_engine()
    return build_pytorch_image(repo, tmp_path_factory.mktemp("sources"))


@pytest.fixture
def containers(image: str) -> Iterator[Containers]:
    running = Containers(image)
    yield running
    running.remove_all()


def clean_environment(**more: str) -> Mapping[str, str]:
    """The environment without anything of AWS or SageMaker in it, and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGEMAKER_", "ECR_"))}
    return {**kept, **more}
