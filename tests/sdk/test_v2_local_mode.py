"""SageMaker Python SDK v2, local mode: Estimator.fit, deploy, predict, batch transform on the image."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from sagemaker.deserializers import JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.local import LocalSession
from sagemaker.serializers import JSONSerializer

from tests.delivery.conftest import moto  # noqa: F401  # a fixture

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


BATCH = "Good morning.\n\nWhere is the station?\n"


def estimator(image: str, root: Path, output: str, port: int, **hyperparameters: Any) -> Estimator:
    session = LocalSession()
    session.config = {"local": {"serving_port": port, "container_root": str(root)}}
    return Estimator(
        image_uri=image,
        role="arn:aws:iam::111122223333:role/dummy",
        instance_count=1,
        instance_type="local",
        sagemaker_session=session,
        output_path=output,
        hyperparameters={**TOY, **hyperparameters},
    )


@pytest.fixture
def channel(repo: Path) -> str:
    return f"file://{repo / 'local_test' / 'test_dir' / 'input' / 'data' / 'training'}"


def transform(job: Estimator, source: str, output: str) -> None:
    transformer = job.transformer(
        1, "local", output_path=output, assemble_with="Line", accept="text/plain", strategy="MultiRecord"
    )
    transformer.transform(source, content_type="text/plain", split_type="Line", wait=True, logs=False)


def check_transformed(answer: str) -> None:
    """One line for each line of `BATCH`, in order."""
    first, blank, _, *rest = answer.split("\n")  # a model of 14 updates may write nothing for the third
    assert (bool(first), blank, any(rest)) == (True, "", False)


@pytest.mark.parametrize("trained_by", ["image", "pytorch_image"], indirect=True)
def test_fit_deploy_predict_transform(
    trained_by: str, channel: str, container_root: Path, tmp_path: Path, free_port: int
) -> None:
    job = estimator(trained_by, container_root, f"file://{tmp_path / 'output'}", free_port)
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

    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "lines.txt").write_text(BATCH)
    transform(job, f"file://{tmp_path / 'batch'}", f"file://{tmp_path / 'transformed'}")
    check_transformed((tmp_path / "transformed" / "lines.txt.out").read_text())


def test_data_and_model_in_s3(
    image: str,
    channel: str,
    container_root: Path,
    free_port: int,
    moto: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="nmt")
    s3.upload_file(f"{channel.removeprefix('file://')}/pairs.tsv", "nmt", "data/pairs.tsv")
    s3.put_object(Bucket="nmt", Key="batch/lines.txt", Body=BATCH.encode())

    job = estimator(image, container_root, "s3://nmt/output", free_port)
    job.fit({"training": "s3://nmt/data"})
    assert s3.head_object(Bucket="nmt", Key=job.model_data.removeprefix("s3://nmt/"))["ContentLength"] > 0

    transform(job, "s3://nmt/batch", "s3://nmt/transformed")
    # Unlike the service, local mode puts a folder with the job's name between.
    (answer,) = s3.list_objects_v2(Bucket="nmt", Prefix="transformed/")["Contents"]
    assert answer["Key"].endswith("/lines.txt.out")
    check_transformed(s3.get_object(Bucket="nmt", Key=answer["Key"])["Body"].read().decode())


def test_a_failing_job_fails_the_fit_and_shows_and_leaves_its_reason(
    image: str,
    channel: str,
    container_root: Path,
    tmp_path: Path,
    free_port: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    job = estimator(image, container_root, f"file://{tmp_path / 'output'}", free_port, epochs="many")
    with pytest.raises(RuntimeError, match=r"(?i)exited with|exit code|Failed to run"):
        job.fit({"training": channel})
    assert "epochs must be a whole number, got 'many'" in "".join(capfd.readouterr())
    with tarfile.open(tmp_path / "output" / "output.tar.gz") as archive:
        reason = archive.extractfile("failure")
        assert reason is not None
        assert "epochs must be a whole number, got 'many'" in reason.read().decode()
