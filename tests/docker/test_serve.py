"""`docker run IMAGE serve` with SageMaker's mount, hardened as far as Docker goes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.docker.endpoint import HARDENED, Endpoint, start
from tests.docker.job import Job
from tests.engine import Containers, bind, docker

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def endpoint(image: str, trained: Job) -> Iterator[Endpoint]:
    """One hardened endpoint for the tests that only ask it things."""
    containers = Containers(image)
    try:
        yield start(containers, trained.model, *HARDENED)
    finally:
        containers.remove_all()


@pytest.mark.parametrize("payload", ["instances.json", "inputs.json", "sentences.txt"])
def test_hardened_endpoint_translates_each_payload(repo: Path, endpoint: Endpoint, payload: str) -> None:
    body = (repo / "local_test" / "payloads" / payload).read_bytes()
    content_type = "application/json" if payload.endswith(".json") else "text/plain"
    answer = requests.post(f"{endpoint.url}/invocations", data=body, headers={"Content-Type": content_type}, timeout=60)
    assert answer.status_code == 200, answer.text
    if payload == "instances.json":
        assert len([item["translation"] for item in answer.json()["predictions"]]) == 2
    elif payload == "inputs.json":
        assert len([item["translation_text"] for item in answer.json()]) == 2
    else:
        assert answer.text.count("\n") == body.count(b"\n")


def test_no_serving_process_has_tensorflow_in_memory(endpoint: Endpoint) -> None:
    """Looked up in the memory maps of every process, after a request has been answered."""
    requests.post(f"{endpoint.url}/invocations", json={"instances": ["Hello."]}, timeout=60).raise_for_status()
    maps = docker("exec", endpoint.container, "bash", "-c", "cat /proc/[0-9]*/maps").stdout
    assert "libctranslate2" in maps, "the maps that were read are not those of the server"
    assert "libtensorflow" not in maps


def test_docker_stop_ends_with_exit_code_0(containers: Containers, trained: Job) -> None:
    """As SageMaker stops it: SIGTERM, and SIGKILL only after 30 seconds."""
    endpoint = start(containers, trained.model)
    started = time.monotonic()
    docker("stop", "--time=30", endpoint.container)
    assert endpoint.exit_code() == 0, endpoint.logs()
    assert time.monotonic() - started < 20


def test_listens_where_a_multi_container_endpoint_says(containers: Containers, trained: Job) -> None:
    """The label is the promise that CreateModel asks for; SAGEMAKER_BIND_TO_PORT cashes it in."""
    labels = json.loads(docker("image", "inspect", "--format={{json .Config.Labels}}", containers.image).stdout)
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    start(containers, trained.model, "--env=SAGEMAKER_BIND_TO_PORT=9123", port=9123)


def test_a_damaged_model_is_refused_by_the_name_of_the_file(
    containers: Containers, trained: Job, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained.model, model)
    with (model / "tokenizer.model").open("ab") as file:
        file.write(b"!")
    done = containers.run("serve", options=[bind(model, "/opt/ml/model", readonly=True)], timeout=60)
    assert done.returncode != 0
    assert "tokenizer.model" in done.stdout + done.stderr


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_serve_local_and_predict_work_together(repo: Path, image: str, trained: Job, free_port: int) -> None:
    scripts = repo / "local_test"
    before = docker("ps", "--all", "--quiet", f"--filter=ancestor={image}").stdout
    server = subprocess.Popen(
        [scripts / "serve_local.sh", image, trained.model],
        env={**os.environ, "PORT": str(free_port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        said = []
        for line in server.stdout:
            said.append(line)
            if "Ready on" in line:
                break
        assert f"Ready on http://localhost:{free_port}\n" in said, "".join(said)
        answer = subprocess.run(
            [scripts / "predict.sh", scripts / "payloads" / "instances.json"],
            env={**os.environ, "ENDPOINT_URL": f"http://localhost:{free_port}"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert len(json.loads(answer.stdout)["predictions"]) == 2

        busy = subprocess.run(
            [scripts / "serve_local.sh", image, trained.model],
            env={**os.environ, "PORT": str(free_port)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (busy.returncode, f"port {free_port} is taken" in busy.stderr) == (1, True)
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert server.returncode == 0
    assert docker("ps", "--all", "--quiet", f"--filter=ancestor={image}").stdout == before
