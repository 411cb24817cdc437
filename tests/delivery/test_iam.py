"""docs/iam/*.json: valid policies, and each lets the SDK do its job and no other.

moto refuses what a caller's policies do not allow. It judges actions alone, so resources and conditions are opened
for it here; that they are narrow is looked up in the files.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
import requests
from botocore.exceptions import ClientError

from tests.delivery.conftest import running_moto
from tests.delivery.project import push_environment
from tests.engine import clean_environment

pytestmark = pytest.mark.filterwarnings("ignore:.*SageMaker Python SDK v2")

REGION = "eu-west-1"
BUCKET = "my-bucket"
ROLE = "arn:aws:iam::111122223333:role/SageMakerRole"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-nmt:one"
# IAM names some actions otherwise than the API names the operations.
SERVICES = {"ecr": ("ecr",), "logs": ("logs",), "cloudwatch": ("cloudwatch",), "iam": ("iam",), "sts": ("sts",)}
SERVICES |= {"sagemaker": ("sagemaker", "sagemaker-runtime"), "s3": ("s3",)}
NO_OPERATION = {"iam:PassRole", "s3:ListBucket"}
# AWS knows no resource for these.
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData", "sagemaker:Search"}


def policy_files(repo: Path) -> list[Path]:
    return sorted((repo / "docs" / "iam").glob("*.json"))


def statements(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text())["Statement"]  # type: ignore[no-any-return]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """A moto server of our own, since the one of the other tests lets everybody do everything."""
    with running_moto() as url:
        yield url


@pytest.fixture
def api(aws: str) -> Iterator[str]:
    """Empty, and without checks until `enforce`."""
    requests.post(f"{aws}/moto-api/reset", timeout=20).raise_for_status()
    yield aws
    requests.post(f"{aws}/moto-api/reset-auth", data="inf", timeout=20).raise_for_status()


def client(api: str, service: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=api, region_name=REGION, **keys)


@pytest.fixture
def caller(repo: Path, api: str) -> Callable[..., dict[str, str]]:
    """Makes a user who has these policies, or part of them, checks every call from now on; returns the user's keys."""

    def make(*names: str, without: str = "") -> dict[str, str]:
        iam = client(api, "iam")
        parts = [part for name in names for part in statements(repo / "docs" / "iam" / name)]
        allowed = [action for part in parts for action in listed(part["Action"])]
        open_policy = {"Effect": "Allow", "Action": [*{*allowed} - {without}], "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [open_policy]})
        iam.create_user(UserName="caller")
        iam.put_user_policy(UserName="caller", PolicyName="job", PolicyDocument=document)
        key = iam.create_access_key(UserName="caller")["AccessKey"]
        requests.post(f"{api}/moto-api/reset-auth", data="0", timeout=20).raise_for_status()
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    return make


def test_each_is_a_policy_that_iam_takes(repo: Path, api: str) -> None:
    iam = client(api, "iam")
    files = policy_files(repo)
    assert len(files) == 9
    for file in files:
        if file.name.endswith("-trust.json"):
            iam.create_role(RoleName="SageMakerRole", AssumeRolePolicyDocument=file.read_text())
        else:
            iam.create_policy(PolicyName=file.stem, PolicyDocument=file.read_text())
            assert len(re.sub(r"\s", "", file.read_text())) <= 6144, "the size that IAM allows"


def test_each_action_exists(repo: Path) -> None:
    session = botocore.session.get_session()
    operations = {
        prefix: {name for service in services for name in session.get_service_model(service).operation_names}
        for prefix, services in SERVICES.items()
    }
    for file in policy_files(repo):
        for action in (action for part in statements(file) for action in listed(part["Action"])):
            prefix, name = action.split(":")
            assert name in operations[prefix] or action in NO_OPERATION, f"{file.name}: {action}"


def test_each_names_its_resources_and_no_action_by_a_star(repo: Path) -> None:
    for file in policy_files(repo):
        for part in statements(file):
            assert part["Effect"] == "Allow"
            actions = listed(part["Action"])
            assert not any("*" in action for action in actions), f"{file.name}: {part['Sid']}"
            if part.get("Resource") == "*":
                assert {*actions} <= WITHOUT_RESOURCE, f"{file.name}: {part['Sid']}"
            if "iam:PassRole" in actions:
                assert part["Resource"] == ROLE
                assert part["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_each_has_its_sentence(repo: Path) -> None:
    text = (repo / "docs" / "iam.md").read_text()
    assert re.findall(r"\]\(iam/([a-z-]+\.json)\)", text) == [
        "build-and-push.json",
        "train.json",
        "experiment.json",
        "tune.json",
        "deploy-and-invoke.json",
        "invoke.json",
        "batch-transform.json",
        "execution-role.json",
        "execution-role-trust.json",
    ]
    assert len(policy_files(repo)) == 9


# ---- the jobs --------------------------------------------------------------------------------------------


def push(repo: Path, folder: Path, api: str, keys: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The script up to the login, which fails because there is no registry at that port."""
    names = {name.upper(): value for name, value in keys.items()}
    return subprocess.run(
        [repo / "build_and_push.sh"],
        env={**push_environment(folder, api), **names, "ECR_REGISTRY": "localhost:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.docker
@pytest.mark.parametrize("without", ["", "ecr:CreateRepository", "ecr:DescribeRepositories"])
def test_push(
    repo: Path, tmp_path: Path, engine: None, api: str, caller: Callable[..., dict[str, str]], without: str
) -> None:
    """`aws ecr` commands of the script; what Docker asks of the registry itself, moto does not see."""
    done = push(repo, tmp_path, api, caller("build-and-push.json", without=without))
    if not without:
        assert "AccessDenied" not in done.stderr
        assert "the login to localhost:9 failed" in done.stderr, done.stderr
    else:
        assert f"not authorized to perform: {without}" in done.stderr, done.stderr


@pytest.fixture
def sdk(api: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[str, str]], Any]:
    """A session of the SDK on moto, with the bucket and data there."""
    import sagemaker

    for name in {*clean_environment()} ^ {*clean_environment(AWS_ENDPOINT_URL=api)}:
        monkeypatch.setenv(name, api)
    monkeypatch.setenv("SAGEMAKER_USER_CONFIG_OVERRIDE", str(tmp_path / "config.yaml"))
    (tmp_path / "config.yaml").write_text(
        "SchemaVersion: '1.0'\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n"
    )
    s3 = client(api, "s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=BUCKET, Key="pairs/pairs.tsv", Body=b"Hello.\tHola.\n")

    def make(keys: dict[str, str]) -> Any:
        session = boto3.Session(region_name=REGION, **keys)
        return sagemaker.Session(boto_session=session, default_bucket=BUCKET)

    return make


def estimator(session: Any) -> Any:
    from sagemaker.estimator import Estimator

    output = f"s3://{BUCKET}/output"
    return Estimator(IMAGE, ROLE, 1, "ml.c5.xlarge", output_path=output, sagemaker_session=session)


def test_train(caller: Callable[..., dict[str, str]], sdk: Callable[..., Any], tmp_path: Path) -> None:
    session = sdk(caller("train.json"))
    (tmp_path / "pairs.tsv").write_text("Hello.\tHola.\n")
    data = session.upload_data(str(tmp_path / "pairs.tsv"), bucket=BUCKET, key_prefix="pairs")
    job = estimator(session)
    job.fit({"training": data}, wait=False)
    assert session.describe_training_job(job.latest_training_job.name)["TrainingJobStatus"]
    assert job.model_data.startswith(f"s3://{BUCKET}/output/")
    with pytest.raises(ClientError, match="CreateModel"):
        model(session).deploy(1, "ml.c5.large", wait=False)


@pytest.mark.parametrize("without", ["", "sagemaker:CreateTrialComponent"])
def test_experiment(caller: Callable[..., dict[str, str]], sdk: Callable[..., Any], without: str) -> None:
    from sagemaker.experiments.run import Run

    session = sdk(caller("train.json", "experiment.json", without=without))
    if without:
        with pytest.raises(ClientError, match=without):
            Run("sagemaker-nmt", sagemaker_session=session)
        return
    job = estimator(session)
    with Run("sagemaker-nmt", sagemaker_session=session) as run:
        job.fit({"training": f"s3://{BUCKET}/pairs"}, wait=False)
    described = session.describe_training_job(job.latest_training_job.name)
    assert described["ExperimentConfig"]["RunName"] == f"sagemaker-nmt-{run.run_name}"


def test_tune(caller: Callable[..., dict[str, str]], sdk: Callable[..., Any]) -> None:
    from sagemaker.tuner import ContinuousParameter, HyperparameterTuner

    ranges = {"learning_rate": ContinuousParameter(0.001, 0.01)}
    metrics = [{"Name": "validation_bleu", "Regex": "validation_bleu=([0-9.]+)"}]
    tuner = HyperparameterTuner(estimator(sdk(caller("tune.json"))), "validation_bleu", ranges, metrics, max_jobs=2)
    tuner.fit({"training": f"s3://{BUCKET}/pairs"}, wait=False)
    assert tuner.describe()["HyperParameterTuningJobName"] == tuner.latest_tuning_job.name


def model(session: Any) -> Any:
    from sagemaker.model import Model
    from sagemaker.predictor import Predictor

    data = f"s3://{BUCKET}/output/model.tar.gz"
    return Model(IMAGE, data, ROLE, predictor_cls=Predictor, sagemaker_session=session, name="nmt")


def test_deploy_and_invoke(caller: Callable[..., dict[str, str]], sdk: Callable[..., Any]) -> None:
    session = sdk(caller("deploy-and-invoke.json"))
    predictor = model(session).deploy(1, "ml.c5.large", endpoint_name="sagemaker-nmt", wait=False)
    assert session.describe_endpoint("sagemaker-nmt")["EndpointStatus"]
    assert predictor.predict(b"Hello.")
    predictor.delete_endpoint()
    with pytest.raises(ClientError, match="CreateTrainingJob"):
        estimator(session).fit({"training": f"s3://{BUCKET}/pairs"}, wait=False)


def test_invoke(api: str, caller: Callable[..., dict[str, str]], sdk: Callable[..., Any]) -> None:
    session = sdk(caller("invoke.json"))
    runtime = session.sagemaker_runtime_client
    assert runtime.invoke_endpoint(EndpointName="sagemaker-nmt", Body=b"Hello.")["Body"].read()
    with pytest.raises(ClientError, match="CreateModel"):
        model(session).deploy(1, "ml.c5.large", wait=False)


def test_batch_transform(caller: Callable[..., dict[str, str]], sdk: Callable[..., Any]) -> None:
    session = sdk(caller("batch-transform.json"))
    transformer = model(session).transformer(1, "ml.c5.large", output_path=f"s3://{BUCKET}/out")
    transformer.transform(f"s3://{BUCKET}/pairs", content_type="text/plain", split_type="Line", wait=False)
    assert session.sagemaker_client.describe_transform_job(TransformJobName=transformer.latest_transform_job.name)
    with pytest.raises(ClientError, match="CreateEndpointConfig"):
        model(session).deploy(1, "ml.c5.large", wait=False)
