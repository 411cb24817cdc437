"""SageMaker Python SDK v2: a job on the digest URI that build_and_push.sh printed, pulled from ECR's own name.

The image is the real one: pushed by the script with nothing overridden, forgotten here, and found again by the
SDK, which logs in to ECR and pulls it as it does on anybody's machine.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.conftest import moto  # noqa: F401  # a fixture
from tests.delivery.project import push_environment
from tests.ecr import Ecr, require_permission, stand_in
from tests.engine import docker
from tests.sdk.test_v2_local_mode import channel, estimator  # noqa: F401  # channel is a fixture

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings("ignore:.*SageMaker Python SDK v2"),
]

PUSH_LIMIT = 500e6  # bytes over the wire
CODE_LIMIT = 1e6  # bytes of the last layer, which is all that a change of the code pushes


@pytest.fixture(scope="module")
def ecr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ecr]:
    require_permission()
    with stand_in(tmp_path_factory.mktemp("ecr")) as running:
        yield running


@pytest.fixture
def pushed(repo: Path, image: str, ecr: Ecr, moto: str, tmp_path: Path) -> Iterator[str]:  # noqa: F811
    """The digest URI of the image, which this engine no longer knows by that name."""
    done = subprocess.run(
        [repo / "build_and_push.sh", "sdk-pull"],
        env={**push_environment(tmp_path, moto), "AWS_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    uri = done.stdout.strip()
    forget(uri)
    yield uri
    if started := docker("ps", "--all", "--quiet", f"--filter=ancestor={uri}").stdout.split():
        docker("rm", "--force", "--volumes", *started)
    forget(uri)


def forget(uri: str) -> None:
    """Remove every name of the pushed image here; its layers stay, since the image under test has them too."""
    name = uri.partition("@")[0]
    known = docker("image", "ls", "--digests", "--format={{.Repository}}@{{.Digest}} {{.Repository}}:{{.Tag}}", name)
    names = {word for word in known.stdout.split() if not word.endswith(("@<none>", ":<none>"))}
    if names:
        docker("image", "rm", "--force", *sorted(names))
    assert docker("image", "inspect", uri, check=False).returncode != 0, "the engine still knows it"


def test_the_sdk_pulls_what_was_pushed_and_trains(
    pushed: str,
    ecr: Ecr,
    channel: str,  # noqa: F811
    container_root: Path,
    tmp_path: Path,
    free_port: int,
    moto: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "sdk-docker-config"))
    job = estimator(pushed, container_root, f"file://{tmp_path / 'output'}", free_port)
    job.fit({"training": channel})
    with tarfile.open(tmp_path / "output" / "model.tar.gz") as archive:
        assert "manifest.json" in {name.removeprefix("./") for name in archive.getnames()}
    assert docker("image", "inspect", pushed, check=False).returncode == 0, "it was not pulled by its digest"

    config, *layers = ecr.pushed_bytes(pushed)
    assert config + sum(layers) <= PUSH_LIMIT
    assert layers[-1] <= CODE_LIMIT
