"""A user's program with the SageMaker Python SDK v3 in local mode: train, an endpoint, a batch transform.

Runs in .venv-v3, since v2 and v3 cannot share an environment. Arguments: image, channel, an empty folder, port.
The folder gets what the job left and `answers.json`, which the test reads.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sagemaker.core.local.local_session import LocalSession
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData
from sagemaker.train.model_trainer import Mode

ROLE = "arn:aws:iam::111122223333:role/dummy"
TOY = {
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
    "source_lang": "en",
}
BATCH = "Good morning.\n\nWhere is the station?\n"


def url_of(path: Path) -> str:
    """The SDK reads a file URL without its percent signs, so a space stays a space."""
    return f"file://{path}"


def train(image: str, channel: Path, root: Path) -> Path:
    """Train by ModelTrainer, which passes no `train` argument; returns the model archive."""
    trainer = ModelTrainer(
        training_image=image,
        training_mode=Mode.LOCAL_CONTAINER,
        role=ROLE,
        compute=Compute(instance_type="local_cpu", instance_count=1),
        hyperparameters=TOY,
        local_container_root=str(root),
    )
    trainer.train(input_data_config=[InputData(channel_name="training", data_source=str(channel))])
    return root / "compressed_artifacts" / "model.tar.gz"


def local_session(root: Path, port: int) -> LocalSession:
    session = LocalSession()
    session.config = {"local": {"serving_port": port, "container_root": str(root)}}
    return session


def translate(session: LocalSession, texts: list[str]) -> list[str]:
    """Start an endpoint of the model "nmt", ask it, delete it."""
    client = session.sagemaker_client
    variant = {"VariantName": "all", "ModelName": "nmt", "InstanceType": "local", "InitialInstanceCount": 1}
    client.create_endpoint_config("nmt", [variant])
    client.create_endpoint("nmt", "nmt")
    try:
        answer = session.sagemaker_runtime_client.invoke_endpoint(
            Body=json.dumps({"instances": texts}), EndpointName="nmt", ContentType="application/json"
        )
        return [item["translation"] for item in json.loads(answer["Body"].read())["predictions"]]
    finally:
        client.delete_endpoint("nmt")


def transform(session: LocalSession, source: Path, output: Path) -> None:
    session.sagemaker_client.create_transform_job(
        TransformJobName="nmt",
        ModelName="nmt",
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": url_of(source)}},
            "ContentType": "text/plain",
            "SplitType": "Line",
        },
        TransformOutput={"S3OutputPath": url_of(output), "AssembleWith": "Line", "Accept": "text/plain"},
        TransformResources={"InstanceType": "local", "InstanceCount": 1},
        BatchStrategy="MultiRecord",
    )


def main(image: str, channel: Path, root: Path, port: int) -> None:
    for name in ("training", "serving", "batch"):
        (root / name).mkdir()
    model = train(image, channel, root / "training")
    session = local_session(root / "serving", port)
    session.sagemaker_client.create_model("nmt", {"Image": image, "ModelDataUrl": url_of(model), "Environment": {}})
    translations = translate(session, ["Good morning.", "Where is the station?"])
    (root / "batch" / "lines.txt").write_text(BATCH)
    transform(session, root / "batch", root / "transformed")
    transformed = (root / "transformed" / "lines.txt.out").read_text()
    (root / "answers.json").write_text(json.dumps({"translations": translations, "transformed": transformed}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
