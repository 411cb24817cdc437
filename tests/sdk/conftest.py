"""The SageMaker Python SDK in local mode: no AWS account, and nothing of it left behind.

The SDK starts containers by compose and never takes them down; the fixtures here do.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import docker, image, pytorch_image, require_engine, skip_or_fail  # noqa: F401  # two are fixtures

CONFIG = """\
SchemaVersion: '1.0'
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      Session: {DefaultS3Bucket: sagemaker-us-east-1-123456789012}
"""
NETWORK = "sagemaker-local"  # which the SDK's compose file names


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """The SDK calls `docker-compose` and `pgrep`."""
    require_engine()
    if shutil.which("pgrep") is None:
        skip_or_fail("pgrep (Debian package procps) is not installed, so the SDK's local mode is not tested here.")


@pytest.fixture(autouse=True)
def no_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dummy credentials, telemetry off, temporary files in the test's folder, the venv's docker-compose on PATH."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    environment = {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(tmp_path / "config.yaml"),
        "TMPDIR": str(tmp_path / "tmp"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that TMPDIR is read again


@pytest.fixture
def trained_by(request: pytest.FixtureRequest) -> str:
    """The image under test: with TensorFlow, where a test does not name the fixture of another."""
    name: str = request.getfixturevalue(getattr(request, "param", "image"))
    return name


@pytest.fixture
def container_root(trained_by: str, tmp_path: Path) -> Iterator[Path]:
    """A folder for what the containers mount; afterwards it is ours again, and what the SDK started is gone."""
    root = tmp_path / "container root"
    root.mkdir()
    before = set(docker("ps", "--all", "--quiet", f"--filter=ancestor={trained_by}").stdout.split())
    yield root
    started = set(docker("ps", "--all", "--quiet", f"--filter=ancestor={trained_by}").stdout.split()) - before
    if started:
        docker("rm", "--force", "--volumes", *started)
    docker("network", "rm", NETWORK, check=False)
    mount = f"--mount=type=bind,source={tmp_path},target=/mine"
    docker("run", "--rm", mount, trained_by, "chown", "-R", f"{os.getuid()}:{os.getgid()}", "/mine")


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
