"""One training job on two hosts: two containers on a network of their own, each with its own folders."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from container.artifact import open_artifact
from tests.docker.job import TOY, Job
from tests.engine import IMAGE_NAME, Containers, bind, docker

pytestmark = pytest.mark.docker

HOSTS = ("algo-1", "algo-2")
LOST_SECONDS = 60  # within which a job ends when it has lost a host
STOP_SECONDS = 100  # within which a job ends when it is told to
SAME = {**TOY, "epochs": "3", "dropout_rate": "0", "precision": "float32", "log_every": "1"}
LONG = {**TOY, "epochs": "10000", "log_every": "1"}


@dataclass(frozen=True)
class Host:
    """One host of the running job."""

    name: str
    job: Job
    container: str

    def wait(self, seconds: float) -> int:
        """The exit code, of a container that ends within so many seconds."""
        return int(docker("wait", self.container, timeout=seconds).stdout)

    def printed(self) -> str:
        done = docker("logs", self.container)
        return done.stdout + done.stderr

    def read_until(self, wanted: str) -> None:
        """Return as soon as the host prints a line with `wanted` in it."""
        command = ["docker", "logs", "--follow", self.container]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as following:
            assert following.stdout is not None
            found = any(wanted in line for line in following.stdout)
            following.kill()
        assert found, f"{self.name} never printed {wanted!r}:\n{self.printed()}"


Start = Callable[[dict[str, str]], list[Host]]


@pytest.fixture
def start(image: str, containers: Containers, pairs: Path, tmp_path: Path) -> Iterator[Start]:
    """Start the job on both hosts; afterwards its files are ours, and containers and network are gone."""
    network = f"{IMAGE_NAME}-{uuid.uuid4().hex[:12]}"
    docker("network", "create", network)

    def start_both(hyperparameters: dict[str, str]) -> list[Host]:
        hosts = []
        for name in HOSTS:
            job = Job.create(tmp_path / "two hosts" / name, pairs, hyperparameters)
            config = {"current_host": name, "hosts": HOSTS, "network_interface_name": "eth0"}
            (job.base / "input" / "config" / "resourceconfig.json").write_text(json.dumps(config))
            options = [*job.mounts(), f"--network={network}", f"--hostname={name}", f"--network-alias={name}"]
            hosts.append(Host(name, job, containers.start("train", options=options)))
        return hosts

    yield start_both
    containers.remove_all()
    docker("network", "rm", network)
    owner = f"{os.getuid()}:{os.getgid()}"
    docker("run", "--rm", bind(tmp_path, "/job"), image, "chown", "-R", owner, "/job")


def losses(printed: str) -> dict[int, float]:
    found = re.findall(r"^step=(\d+); train_loss=([0-9.]+);", printed, re.MULTILINE)
    return {int(step): float(loss) for step, loss in found}


def weights(printed: str) -> str:
    (digest,) = re.findall(r"weights_sha256=([0-9a-f]{64});", printed)
    return digest


def test_two_hosts_train_as_one(start: Start, containers: Containers, pairs: Path, tmp_path: Path) -> None:
    """Without dropout, and at the same global batch, the loss of every update is that of one host."""
    chief, other = start(SAME)
    codes = [host.wait(300) for host in (chief, other)]
    assert codes == [0, 0], chief.printed() + other.printed()
    alone = Job.create(tmp_path / "alone", pairs, SAME).run(containers)
    assert alone.returncode == 0, alone.stdout + alone.stderr

    expected = losses(alone.stdout)
    assert len(expected) > 5
    for host in (chief, other):
        assert losses(host.printed()) == pytest.approx(expected, abs=1e-3), host.name
    assert weights(chief.printed()) == weights(other.printed())

    open_artifact(chief.job.model, with_weights=True)
    assert list(other.job.model.iterdir()) == []
    assert list((other.job.base / "checkpoints").iterdir()) == []
    assert not chief.job.failure.exists()
    assert not other.job.failure.exists()


@pytest.mark.parametrize("lost", [0, 1], ids=HOSTS)
def test_a_lost_host_ends_the_job_and_is_named(start: Start, lost: int) -> None:
    hosts = start(LONG)
    gone, left = hosts[lost], hosts[1 - lost]
    left.read_until("step=5;")
    docker("kill", gone.container)
    killed = time.monotonic()
    assert left.wait(LOST_SECONDS) == 4, left.printed()
    assert time.monotonic() - killed < LOST_SECONDS
    assert f"Host {gone.name} left the job before its end" in left.job.failure.read_text().splitlines()[0]
    assert list(left.job.model.iterdir()) == []


@pytest.mark.parametrize("told", [(0, 1), (1,)], ids=["both", "only one"])
def test_hosts_that_are_told_to_stop_leave_a_model(start: Start, told: Sequence[int]) -> None:
    hosts = start(LONG)
    hosts[1].read_until("step=5;")
    docker("kill", "--signal=TERM", *(hosts[rank].container for rank in told))
    codes = [host.wait(STOP_SECONDS) for host in hosts]
    assert codes == [0, 0], hosts[0].printed() + hosts[1].printed()
    manifest = open_artifact(hosts[0].job.model).manifest
    assert manifest.training["updates"] >= 5
    assert weights(hosts[0].printed()) == weights(hosts[1].printed())
    assert list(hosts[1].job.model.iterdir()) == []
