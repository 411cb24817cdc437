"""SageMaker Python SDK v2, local mode, instance_count=2: two containers train one model."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession

from container.artifact import open_artifact

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings("ignore:.*SageMaker Python SDK v2"),
]

TOY: dict[str, Any] = {
    "epochs": 2,
    "d_model": 16,
    "ffn_dim": 32,
    "n_heads": 2,
    "n_layers": 1,
    "vocab_size": 500,
    "batch_tokens": 512,
    "test_fraction": 0.1,
    "validation_fraction": 0.1,
    "log_every": 1,
}


def test_two_hosts_train_one_model(
    repo: Path, image: str, container_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The SDK names the hosts at random, mounts one model folder into both, and stops all when one has ended."""
    session = LocalSession()
    session.config = {"local": {"container_root": str(container_root)}}
    job = Estimator(
        image_uri=image,
        role="arn:aws:iam::111122223333:role/dummy",
        instance_count=2,
        instance_type="local",
        sagemaker_session=session,
        output_path=f"file://{tmp_path / 'output'}",
        hyperparameters=TOY,
    )
    job.fit({"training": f"file://{repo / 'local_test' / 'test_dir' / 'input' / 'data' / 'training'}"})

    printed = "".join(capfd.readouterr())
    digests = dict(re.findall(r"(algo-\d)-\S*\s*\|.*weights_sha256=([0-9a-f]{64});", printed, re.MULTILINE))
    assert digests.keys() == {"algo-1", "algo-2"}, printed
    assert len(set(digests.values())) == 1
    assert len(re.findall(r"the model stands in", printed)) == 1, "one host writes, and no other"

    with tarfile.open(tmp_path / "output" / "model.tar.gz") as archive:
        archive.extractall(tmp_path / "model", filter="data")
    model = open_artifact(tmp_path / "model", with_weights=True)
    assert model.manifest.training["epochs"] == 2
