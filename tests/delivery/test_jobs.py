"""docs/jobs.md: each job has its section, and its Python runs as it stands there, against a simulation of AWS.

moto answers for the API. It runs no container and has no logs, so nothing waits for one here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from tests.delivery.conftest import running_moto
from tests.engine import clean_environment

pytestmark = pytest.mark.filterwarnings("ignore:.*SageMaker Python SDK v2")

ACCOUNT, REGION, BUCKET = "123456789012", "us-east-1", "my-bucket"
SECTIONS = [
    "Train on your own pairs",
    "Local Docker",
    "Push",
    "Train on SageMaker",
    "Experiments",
    "Spot",
    "Many hosts",
    "Tune",
    "Deploy",
    "Batch",
    "Many models",
    "GPU",
    "Without Docker, in Studio",
    "Troubleshooting",
]
KNOWN_TO_MOTO = {"ml.c7i.large": "ml.c5.large", "ml.g5.xlarge": "ml.g4dn.xlarge"}  # its endpoints take old types only
WAITS = ("logs_for_job", "wait_for_job", "wait_for_endpoint", "wait_for_tuning_job", "logs_for_transform_job")


def page(repo: Path) -> str:
    return (repo / "docs" / "jobs.md").read_text()


def test_each_job_has_its_section(repo: Path) -> None:
    assert re.findall(r"^## (.+)$", page(repo), re.MULTILINE) == SECTIONS


def test_each_policy_of_a_caller_stands_beside_its_job(repo: Path) -> None:
    named = set(re.findall(r"\]\(iam/([a-z-]+\.json)\)", page(repo)))
    policies = {file.name for file in (repo / "docs" / "iam").glob("*.json")}
    assert named == policies - {"execution-role.json", "execution-role-trust.json"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """An account with a bucket, for the SDK of this process; endpoints give answers of our form."""
    (tmp_path / "config.yaml").write_text(
        "SchemaVersion: '1.0'\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n"
    )
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
    with running_moto() as url:
        wanted = {"AWS_ENDPOINT_URL": url, "SAGEMAKER_USER_CONFIG_OVERRIDE": str(tmp_path / "config.yaml"), **keys}
        for name, value in clean_environment(**wanted).items():
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        answer = {"Body": '{"predictions": [{"translation": "Hola."}]}', "ContentType": "application/json"}
        results = {"account_id": ACCOUNT, "region": REGION, "results": [answer] * 10}
        static = f"{url}/moto-api/static/sagemaker/endpoint-results"
        requests.post(static, json=results, timeout=60).raise_for_status()
        yield url


def test_the_python_of_the_page_runs(repo: Path, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sagemaker

    for name in WAITS:
        monkeypatch.setattr(sagemaker.Session, name, lambda *_, **__: None)
    monkeypatch.chdir(repo)
    text = page(repo)
    for instance, known in KNOWN_TO_MOTO.items():
        text = text.replace(instance, known)
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 10
    names: dict[str, Any] = {}
    for block in blocks:
        if "job" in names:  # what a job would have left
            key = names["job"].model_data.removeprefix(f"s3://{BUCKET}/")
            boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"model.tar.gz")
        exec(compile(block, "docs/jobs.md", "exec"), names)

    client = boto3.client("sagemaker")
    assert len(client.list_training_jobs()["TrainingJobSummaries"]) == 3
    assert len(client.list_experiments()["ExperimentSummaries"]) == 1
    assert len(client.list_transform_jobs()["TransformJobSummaries"]) == 1
    assert len(client.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]) == 1
    assert [each["EndpointName"] for each in client.list_endpoints()["Endpoints"]] == ["sagemaker-nmt-gpu"]
    assert names["answer"] == {"predictions": [{"translation": "Hola."}]}
