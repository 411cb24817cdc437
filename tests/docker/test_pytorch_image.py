"""The image with FRAMEWORK=pytorch: it trains and serves without TensorFlow, and refuses what needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from container.artifact import open_artifact
from tests.docker.endpoint import HARDENED, start
from tests.docker.job import TOY, Job
from tests.engine import Containers, bind, docker

pytestmark = pytest.mark.docker

SIZE_LIMIT = 1.5e9  # bytes, unpacked


@pytest.fixture
def pytorch(pytorch_image: str) -> Iterator[Containers]:
    running = Containers(pytorch_image)
    yield running
    running.remove_all()


@pytest.fixture(scope="module")
def trained_model(pytorch_image: str, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of a job that names no framework, as any user on a read-only root, without network."""
    job = Job.create(tmp_path_factory.mktemp("pytorch job"), pairs, TOY)
    assert "importing PyTorch" in job.run_well(pytorch_image, *HARDENED)
    return job.model


def test_each_image_has_one_framework(pytorch: Containers, containers: Containers) -> None:
    for running, there, absent in ((pytorch, "torch", "tensorflow"), (containers, "tensorflow_cpu", "torch")):
        listed = running.run("pip", "list", "--format=freeze").stdout
        names = {line.split("==")[0].replace("-", "_") for line in listed.splitlines()}
        assert there in names
        assert not {name for name in names if name.startswith(absent)}


def test_size(pytorch_image: str) -> None:
    assert int(docker("image", "inspect", "--format={{.Size}}", pytorch_image).stdout) <= SIZE_LIMIT


def test_doctor_finds_nothing_wrong(pytorch: Containers, trained_model: Path) -> None:
    done = pytorch.run("doctor", options=[bind(trained_model, "/opt/ml/model", readonly=True), *HARDENED])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "PyTorch for CPU" in done.stdout
    assert "checksums right" in done.stdout


def test_its_model_is_served_by_either_image(pytorch: Containers, containers: Containers, trained_model: Path) -> None:
    assert open_artifact(trained_model, with_weights=True).manifest.hyperparameters["framework"] == "pytorch"
    answers = []
    for running in (pytorch, containers):
        endpoint = start(running, trained_model, *HARDENED)
        answer = requests.post(f"{endpoint.url}/invocations", json={"instances": ["Hello."]}, timeout=60)
        assert answer.status_code == 200, answer.text
        answers.append(answer.json())
        maps = docker("exec", endpoint.container, "bash", "-c", "cat /proc/[0-9]*/maps").stdout
        assert "libctranslate2" in maps, "the maps that were read are not those of the server"
        assert "libtorch" not in maps
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"framework": "tensorflow"},
            "framework=tensorflow was asked for, and this image has pytorch: "
            "use the image with TensorFlow, or leave framework out.",
        ),
        (
            {"saved_model": "true"},
            "saved_model=true needs TensorFlow, and this job trains with PyTorch: "
            "use the image with TensorFlow, or set saved_model=false.",
        ),
    ],
    ids=["framework", "saved_model"],
)
def test_a_job_that_needs_tensorflow_is_refused(
    pytorch: Containers, pairs: Path, tmp_path: Path, asked: dict[str, str], sentence: str
) -> None:
    job = Job.create(tmp_path / "job", pairs, {**TOY, **asked})
    done = job.run(pytorch)
    assert (done.returncode, done.stderr) == (2, f"train: {sentence}\n")
    assert sentence in job.failure.read_text()


def test_the_engine_of_tensorflow_is_refused(pytorch: Containers, trained_model: Path) -> None:
    mount = bind(trained_model, "/opt/ml/model", readonly=True)
    done = pytorch.run("serve", options=[mount, "--env=NMT_ENGINE=tensorflow"], timeout=60)
    assert done.returncode != 0
    refusal = "not installed here: use the image with TensorFlow, or set NMT_ENGINE=ctranslate2."
    assert refusal in done.stdout + done.stderr, done.stdout + done.stderr
