"""One job with TensorFlow and with PyTorch: the same curve, the same kind of model, weights that go to and fro."""

from __future__ import annotations

import json
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from container.artifact import MANIFEST, WEIGHTS, open_artifact
from container.paths import Paths
from data.sample import read_part
from tests.conftest import TOY, Job
from tests.serve.server import start_server
from train.__main__ import run_job
from train.job.hyperparameters import read
from train.training.checkpoints import compute_digest

SMALL = {
    **TOY,
    **{"batch_size": "16", "log_every": "1", "vocab_size": "400", "max_len": "40", "dropout_rate": "0"},
    **{"validation_fraction": "0", "checkpoint_seconds": "0"},
}
UPDATES = 200
# In nats a token. Both compute in float32 but add in different orders: 1e-7 relative in each sum. Adam divides by
# the root of the second moment, which makes as much of a small gradient's rounding as of a large gradient, so
# the difference grows with the updates.
TOLERANCE = 2e-3
# One machine under two names, in the order in which every host sorts them.
HOSTS = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Trained:
    """A job that has ended well."""

    paths: Paths

    @property
    def model(self) -> Path:
        return self.paths.model

    @property
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.model / MANIFEST).read_text())
        return manifest

    def losses(self) -> list[float]:
        history = json.loads((self.paths.output_data / "metrics.json").read_text())["history"]
        return [line["train_loss"] for line in history if "train_loss" in line]


def new_job(base: Path, framework: str, python: str, model: Path | None = None, **hyperparameters: str) -> Job:
    """A job on 200 pairs; it begins with the weights of `model` where one is given."""
    job = Job(base, python)
    pairs = islice(read_part("train"), 200)
    job.channel("training", pairs__tsv="".join(f"{source}\t{target}\n" for source, target in pairs))
    job.configure({**SMALL, "framework": framework, **hyperparameters})
    if model is not None:
        shutil.copytree(model, job.channel("model"), dirs_exist_ok=True)
    return job


def train(job: Job) -> Trained:
    """Here with TensorFlow, which saves its import; with PyTorch in a process of its own."""
    if read(job.paths.hyperparameters).framework == "tensorflow":
        run_job(read(job.paths.hyperparameters), job.paths, threading.Event())
    else:
        done = job.run()
        assert done.returncode == 0, done.stdout + done.stderr
    return Trained(job.paths)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """For PyTorch's processes: matrices this small gain nothing by a second thread, which waits by spinning."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory, torch_python: str) -> Path:
    """The model that both begin with."""
    return train(new_job(tmp_path_factory.mktemp("beginning") / "ml", "tensorflow", torch_python)).model


@pytest.fixture(scope="module")
def trained(beginning: Path, tmp_path_factory: pytest.TempPathFactory, torch_python: str) -> dict[str, Trained]:
    """The same job by each framework. Read it, do not change it."""
    base = tmp_path_factory.mktemp("both")
    return {
        framework: train(new_job(base / framework, framework, torch_python, beginning, epochs="17"))
        for framework in ("tensorflow", "pytorch")
    }


def test_the_loss_curves_agree(trained: dict[str, Trained]) -> None:
    one, other = (trained[framework].losses() for framework in ("tensorflow", "pytorch"))
    assert len(one) >= UPDATES
    assert one[-1] < one[0] - 0.3, "it learns, so that there is something to agree on"
    assert other == pytest.approx(one, abs=TOLERANCE)


def shape_of(value: Any) -> Any:
    """A JSON value with the types of its leaves in place of them; which files there are stays."""
    if isinstance(value, dict):
        return {name: shape_of(part) for name, part in value.items()}
    return [shape_of(part) for part in value[:1]] if isinstance(value, list) else type(value).__name__


def test_the_model_directory_tells_the_framework_by_its_hyperparameter_alone(trained: dict[str, Trained]) -> None:
    one, other = (trained[framework].manifest for framework in ("tensorflow", "pytorch"))
    assert shape_of(one) == shape_of(other)
    assert {**other["hyperparameters"], "framework": "tensorflow"} == one["hyperparameters"]
    assert other["hyperparameters"]["framework"] == "pytorch"
    artifact = open_artifact(trained["pytorch"].model, with_weights=True)
    assert artifact.manifest.training["parity"] < 1e-4
    shapes = [
        {name: (array.shape, array.dtype) for name, array in load_file(trained[framework].model / WEIGHTS).items()}
        for framework in ("tensorflow", "pytorch")
    ]
    assert shapes[0] == shapes[1]


def test_serve_cannot_tell(trained: dict[str, Trained], tmp_path: Path) -> None:
    answers = {}
    for framework, job in trained.items():
        server = start_server(job.model.parent, tmp_path / f"{framework}.log")
        try:
            server.wait_until_ready()
            answer = server.invoke({"instances": ["Good morning."], "parameters": {"return_scores": True}})
            assert answer.status_code == 200
            (prediction,) = answer.json()["predictions"]
            prediction.pop("warning", None)  # that is of what the weights say, not of who trained them
            answers[framework] = shape_of(prediction)
        finally:
            server.stop()
    assert answers["pytorch"] == answers["tensorflow"]


@pytest.mark.parametrize(("before", "after"), [("tensorflow", "pytorch"), ("pytorch", "tensorflow")])
def test_weights_move_between_the_frameworks(
    trained: dict[str, Trained], before: str, after: str, tmp_path: Path, torch_python: str
) -> None:
    """With a rate of nearly nothing they stay what they were."""
    earlier = trained[before].model
    job = new_job(tmp_path / "ml", after, torch_python, earlier, clip_norm="1e-30", learning_rate="1e-30")
    done = train(job)
    assert done.manifest["hyperparameters"]["framework"] == after
    assert compute_digest(load_file(done.model / WEIGHTS)) == compute_digest(load_file(earlier / WEIGHTS))


def test_two_hosts_train_as_one_with_pytorch(
    trained: dict[str, Trained], beginning: Path, tmp_path: Path, torch_python: str
) -> None:
    """Two processes that find each other by resourceconfig.json: the losses of one host, equal weights on both."""
    running, jobs = [], []
    for host in HOSTS:
        job = new_job(tmp_path / host, "pytorch", torch_python, beginning, epochs="17")
        config = {"current_host": host, "hosts": HOSTS, "network_interface_name": "lo"}
        job.paths.resource_config.write_text(json.dumps(config))
        jobs.append(job)
        running.append(job.start())
    try:
        outputs = [process.communicate(timeout=200) for process in running]
    finally:
        for process in running:
            process.send_signal(signal.SIGKILL)
    assert [process.returncode for process in running] == [0, 0], outputs
    expected = trained["pytorch"].losses()
    digests = set()
    for printed, _ in outputs:
        losses = [float(loss) for loss in re.findall(r"^step=\d+; train_loss=([0-9.]+);", printed, re.MULTILINE)]
        assert losses == pytest.approx(expected, abs=TOLERANCE)
        digests.update(re.findall(r"weights_sha256=([0-9a-f]{64});", printed))
    assert len(digests) == 1
    open_artifact(jobs[0].paths.model, with_weights=True)
    assert not jobs[1].paths.model.exists()
    assert not list(jobs[1].paths.checkpoints.glob("*"))
