"""build_and_push.sh with nothing overridden: the registry is ECR's own name of account, region and partition."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.delivery.project import Project
from tests.ecr import HOSTS, Ecr, require_permission, stand_in
from tests.engine import docker, require_engine

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def ecr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ecr]:
    require_engine()
    require_permission()
    with stand_in(tmp_path_factory.mktemp("ecr")) as running:
        yield running


@pytest.mark.parametrize("host", HOSTS[1:])
def test_pushes_by_name_and_a_second_run_gives_the_same_answer(project: Project, ecr: Ecr, host: str) -> None:
    region = host.split(".")[3]
    first = project.push("by-name", AWS_REGION=region)
    assert first.returncode == 0, first.stderr
    assert re.fullmatch(rf"{re.escape(host)}/by-name@sha256:[0-9a-f]{{64}}\n", first.stdout)
    assert "Building" in first.stderr

    project.remove_images()  # what the second run knows, it knows from the registry
    second = project.push("by-name", AWS_REGION=region)
    assert (second.returncode, second.stdout) == (0, first.stdout), second.stderr
    assert "was pushed before" in second.stderr
    assert "Building" not in second.stderr


def test_what_was_pushed_can_be_pulled_by_the_answer(project: Project, ecr: Ecr) -> None:
    pushed = project.push("pulled")
    assert pushed.returncode == 0, pushed.stderr
    uri = pushed.stdout.strip()
    project.remove_images()
    assert docker("image", "inspect", uri, check=False).returncode != 0
    login = project.environment["DOCKER_CONFIG"]
    try:
        docker("--config", login, "pull", uri)
        assert docker("image", "inspect", "--format={{.Os}}/{{.Architecture}}", uri).stdout == "linux/amd64\n"
    finally:
        docker("image", "rm", "--force", uri, check=False)
    assert sum(ecr.pushed_bytes(uri)) > 0
