"""What the tests under `docker run` share: the image, containers of it, and one job that it ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docker.job import TOY, Job
from tests.engine import containers, image, pytorch_image  # noqa: F401  # fixtures


@pytest.fixture(scope="session")
def pairs(repo: Path) -> Path:
    return repo / "local_test" / "test_dir" / "input" / "data" / "training" / "pairs.tsv"


@pytest.fixture(scope="session")
def trained(image: str, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:  # noqa: F811
    """A job that the image ran to its end as SageMaker runs it: as root, here with no network at all."""
    job = Job.create(tmp_path_factory.mktemp("job"), pairs, TOY)
    job.run_well(image)
    return job
