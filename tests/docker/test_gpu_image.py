"""The image with ACCELERATOR=gpu, on a host without a GPU: it starts, trains and serves, and its libraries are whole.

Not part of `make test`: the build fetches 3 GB and wants 25 GB of disk. `make test-gpu` runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from container.artifact import open_artifact
from tests.docker.endpoint import HARDENED, start
from tests.docker.job import TOY, Job
from tests.engine import Containers, build_image, docker, require_engine

pytestmark = pytest.mark.gpu_image

# Loads every library of NVIDIA's wheels by itself, and prints those that do not load.
LOAD_ALL = """
import ctypes, pathlib, site
for library in sorted(pathlib.Path(site.getsitepackages()[0], "nvidia").rglob("*.so*")):
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        print(error)
    else:
        print("loaded", library.name)
"""


@pytest.fixture(scope="module")
def gpu_image(repo: Path) -> Iterator[str]:
    require_engine()
    name = build_image(repo, accelerator="gpu")
    yield name
    docker("image", "rm", "--force", name)


@pytest.fixture
def gpu(gpu_image: str) -> Iterator[Containers]:
    running = Containers(gpu_image)
    yield running
    running.remove_all()


@pytest.fixture(scope="module")
def trained_model(gpu_image: str, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of a job that ran without a GPU, hardened and without network."""
    job = Job.create(tmp_path_factory.mktemp("gpu job"), pairs, TOY)
    job.run_well(gpu_image, *HARDENED)
    return job.model


def test_trains_without_a_gpu(trained_model: Path) -> None:
    open_artifact(trained_model)


def test_serves_without_a_gpu(gpu: Containers, trained_model: Path) -> None:
    endpoint = start(gpu, trained_model, *HARDENED)
    answer = requests.post(f"{endpoint.url}/invocations", json={"instances": ["Hello."]}, timeout=60)
    assert answer.status_code == 200, answer.text
    docker("stop", "--time=30", endpoint.container)
    assert endpoint.exit_code() == 0, endpoint.logs()


def test_asks_the_host_for_its_driver(gpu_image: str) -> None:
    environment = docker("image", "inspect", "--format={{json .Config.Env}}", gpu_image).stdout
    assert '"NVIDIA_VISIBLE_DEVICES=all"' in environment
    assert '"NVIDIA_DRIVER_CAPABILITIES=compute,utility"' in environment


def test_tensorflow_is_built_with_cuda(gpu: Containers) -> None:
    done = gpu.run("python3", "-c", "import tensorflow as tf; print(tf.test.is_built_with_cuda())")
    assert done.stdout.splitlines()[-1] == "True", done.stderr
    assert "TensorFlow with CUDA" in gpu.run("doctor").stdout


def test_ctranslate2_finds_cublas(gpu: Containers) -> None:
    """By the name that it asks the loader for when it serves on a GPU."""
    done = gpu.run("python3", "-c", "import ctypes; ctypes.CDLL('libcublas.so.12')")
    assert done.returncode == 0, done.stderr


def test_every_cuda_library_loads_but_for_what_the_driver_brings(gpu: Containers) -> None:
    """Stripping and leaving out must not have broken one; libcuda.so.1 comes from the host with its driver."""
    lines = gpu.run("python3", "-c", LOAD_ALL).stdout.splitlines()
    loaded = {line.removeprefix("loaded ") for line in lines if line.startswith("loaded ")}
    assert [line for line in lines if not line.startswith("loaded ") and "libcuda.so.1" not in line] == []
    for name in ("libcublas.so.12", "libcudnn.so.9", "libcufft.so.11", "libcusolver.so.11", "libnccl.so.2"):
        assert name in loaded
    assert gpu.run("bash", "-c", "/opt/venv/lib/python3*/site-packages/nvidia/cuda_nvcc/bin/ptxas --version").stdout
