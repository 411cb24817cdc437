"""SageMaker Python SDK v2, local mode: Estimator.fit, deploy, predict on the image."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from sagemaker.deserializers import JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession
from sagemaker.serializers import JSONSerializer

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings("ignore:.*SageMaker Python SDK v2"),  # we know, and v3 is another test's
]

# As a user writes them in Python: the SDK turns each into a string of its own making.
TOY: dict[str, Any] = {
    "epochs": 1,
    "d-model": 16,
    "ffn_dim": 32,
    "n_heads": 2,
    "n_layers": 1,
    "vocab_size": 500,
    "batch_tokens": 512,
    "test_fraction": 0.1,
    "validation_fraction": 0.1,
    "clean_dots": False,
    "batch_size": None,
}


def estimator(image: str, root: Path, output: Path, port: int, **hyperparameters: Any) -> Estimator:
    session = LocalSession()
    session.config = {"local": {"serving_port": port, "container_root": str(root)}}
    return Estimator(
        image_uri=image,
        role="arn:aws:iam::111122223333:role/dummy",
        instance_count=1,
        instance_type="local",
        sagemaker_session=session,
        output_path=output.as_uri(),
        hyperparameters={**TOY, **hyperparameters},
    )


@pytest.fixture
def channel(repo: Path) -> str:
    return (repo / "local_test" / "test_dir" / "input" / "data" / "training").as_uri()


def test_fit_deploy_predict(image: str, channel: str, container_root: Path, tmp_path: Path, free_port: int) -> None:
    job = estimator(image, container_root, tmp_path / "output", free_port)
    job.fit({"training": channel})
    with tarfile.open(tmp_path / "output" / "model.tar.gz") as archive:
        assert "manifest.json" in {name.removeprefix("./") for name in archive.getnames()}

    # Local mode waits for /ping by itself; wait=True would poll for half a minute more.
    predictor = job.deploy(1, "local", wait=False, serializer=JSONSerializer(), deserializer=JSONDeserializer())
    try:
        answer = predictor.predict({"instances": ["Good morning.", "Where is the station?"]})
        assert [type(item["translation"]) for item in answer["predictions"]] == [str, str]
    finally:
        predictor.delete_endpoint()


def test_a_failing_job_fails_the_fit_and_leaves_its_reason(
    image: str, channel: str, container_root: Path, tmp_path: Path, free_port: int
) -> None:
    job = estimator(image, container_root, tmp_path / "output", free_port, epochs="many")
    with pytest.raises(RuntimeError, match=r"(?i)exited with|exit code|Failed to run"):
        job.fit({"training": channel})
    with tarfile.open(tmp_path / "output" / "output.tar.gz") as archive:
        reason = archive.extractfile("failure")
        assert reason is not None
        assert "epochs must be a whole number, got 'many'" in reason.read().decode()
