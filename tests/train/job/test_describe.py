"""The job's description: against the table, the service's own model of its API, and real log lines."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest
import regex
from botocore.model import Shape
from botocore.stub import Stubber
from botocore.validate import ParamValidator

from train.job.describe import METRICS, describe, markdown_table, parameter_ranges
from train.job.hyperparameters import Hyperparameters, parse


@pytest.fixture(scope="module")
def sagemaker() -> Any:
    session = botocore.session.get_session()
    return session.create_client(
        "sagemaker", region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none"
    )


def violations(value: Any, shape: Shape, path: str = "") -> list[str]:
    """Where `value` breaks an enum, a pattern or a length of the service model (ParamValidator checks types only)."""
    if shape.type_name == "structure":
        return [found for key, item in value.items() for found in violations(item, shape.members[key], f"{path}.{key}")]
    limits = shape.metadata
    found = [path] if hasattr(value, "__len__") and len(value) > limits.get("max", len(value)) else []
    if shape.type_name == "list":
        return found + [bad for item in value for bad in violations(item, shape.member, path)]
    if shape.type_name == "string":
        found += [f"{path}={value}"] if limits.get("enum") and value not in limits["enum"] else []
        found += [f"{path}={value}"] if "pattern" in limits and not regex.fullmatch(limits["pattern"], value) else []
    return found


def test_create_algorithm_accepts_the_description(sagemaker: Any) -> None:
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:algorithm/nmt"
    specification = describe("123456789012.dkr.ecr.eu-west-1.amazonaws.com/nmt:1")
    request = {"AlgorithmName": "nmt", "TrainingSpecification": specification}
    with Stubber(sagemaker) as stubber:
        stubber.add_response("create_algorithm", {"AlgorithmArn": arn}, request)
        assert sagemaker.create_algorithm(**request)["AlgorithmArn"] == arn
    shape = sagemaker.meta.service_model.operation_model("CreateAlgorithm").input_shape
    assert violations(request, shape) == []


def test_the_violations_are_really_found(sagemaker: Any) -> None:
    shape = sagemaker.meta.service_model.operation_model("CreateAlgorithm").input_shape
    wrong = describe("an image")
    wrong["SupportedHyperParameters"][0]["Type"] = "Text"
    wrong["MetricDefinitions"][0]["Regex"] = "x" * 501
    found = violations({"TrainingSpecification": wrong}, shape)
    assert len(found) == 3


def test_a_tuning_job_accepts_the_ranges(sagemaker: Any) -> None:
    shape = sagemaker.meta.service_model.shape_for("ParameterRanges")
    assert not ParamValidator().validate(parameter_ranges(), shape).has_errors()
    assert violations(parameter_ranges(), shape) == []


def test_the_ends_of_every_tuning_range_are_legal_and_the_parameter_tunable() -> None:
    tunable = {entry["Name"] for entry in describe()["SupportedHyperParameters"] if entry["IsTunable"]}
    ranges = [row for rows in parameter_ranges().values() for row in rows]
    assert {row["Name"] for row in ranges} == tunable
    assert {"learning_rate", "dropout_rate", "n_layers"} <= tunable
    for row in ranges:
        assert row["MinValue"] != row["MaxValue"]
        parse({row["Name"]: row["MinValue"]})
        parse({row["Name"]: row["MaxValue"]})


def test_every_hyperparameter_is_described_with_type_range_and_default() -> None:
    entries = {entry["Name"]: entry for entry in describe()["SupportedHyperParameters"]}
    assert list(entries) == list(Hyperparameters.model_fields)
    assert entries["batch_tokens"] == {
        "Name": "batch_tokens",
        "Description": "target tokens in a batch",
        "Type": "Integer",
        "IsTunable": True,
        "IsRequired": False,
        "DefaultValue": "2048",
        "Range": {"IntegerParameterRangeSpecification": {"MinValue": "64", "MaxValue": "1000000"}},
    }
    assert entries["dropout_rate"]["Type"] == "Continuous"
    assert entries["precision"]["Range"]["CategoricalParameterRangeSpecification"]["Values"][0] == "auto"
    assert "False" in entries["resume"]["Range"]["CategoricalParameterRangeSpecification"]["Values"]
    assert entries["train_file"]["Type"] == "FreeText"
    assert "DefaultValue" not in entries["batch_size"]


def test_the_described_defaults_parse_to_the_defaults() -> None:
    entries = describe()["SupportedHyperParameters"]
    assert parse({entry["Name"]: entry.get("DefaultValue", "None") for entry in entries}) == Hyperparameters()


def test_channels() -> None:
    channels = {channel["Name"]: channel for channel in describe()["TrainingChannels"]}
    assert [name for name, channel in channels.items() if channel["IsRequired"]] == ["training"]
    assert channels["training"]["SupportedInputModes"] == ["File", "FastFile", "Pipe"]
    assert {"validation", "test", "prefixes", "model"} < set(channels)


def test_objectives_are_metrics() -> None:
    specification = describe()
    names = {metric["Name"] for metric in specification["MetricDefinitions"]}
    assert specification["SupportedTuningJobObjectiveMetrics"] == [
        {"Type": "Minimize", "MetricName": "validation:loss"},
        {"Type": "Maximize", "MetricName": "validation:bleu"},
        {"Type": "Maximize", "MetricName": "validation:chrf"},
    ]
    assert {"validation:loss", "validation:bleu", "validation:chrf"} <= names


LINES = """\
step=100; train_loss=3.2101; tokens_per_second=2100; learning_rate=0.0010;
epoch=1; validation_loss=2.9; validation_bleu=12.3; validation_chrf=33.1;
test_bleu=25.01; test_chrf=48.2;
step=200; train_loss=1.5e-05; tokens_per_second=1e3; learning_rate=0.0010;
int8_test_bleu=7.7; best_validation_bleu=8.8; test_bleu=nan; test_bleu=1
calibration_error=0.0281;
epoch=1; validation_loss=3; validation_bleu_reverse=13.4; validation_chrf_reverse=34.2;
test_bleu_reverse=26.5; test_chrf_reverse=49.6;
calibration_error_reverse=0.03;
"""


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("train:loss", ["3.2101", "1.5e-05"]),
        ("train:tokens_per_second", ["2100", "1e3"]),
        ("validation:loss", ["2.9", "3"]),
        ("validation:bleu", ["12.3"]),
        ("validation:chrf", ["33.1"]),
        ("test:bleu", ["25.01"]),
        ("test:chrf", ["48.2"]),
        ("test:calibration_error", ["0.0281"]),
        ("validation:bleu_reverse", ["13.4"]),
        ("validation:chrf_reverse", ["34.2"]),
        ("test:bleu_reverse", ["26.5"]),
        ("test:chrf_reverse", ["49.6"]),
        ("test:calibration_error_reverse", ["0.03"]),
    ],
)
def test_each_metric_finds_its_own_numbers_only(name: str, values: list[str]) -> None:
    (expression,) = [metric["Regex"] for metric in describe()["MetricDefinitions"] if metric["Name"] == name]
    assert re.findall(expression, LINES) == values
    assert [float(value) for value in values]


def test_all_metrics_are_tested_above() -> None:
    assert len(METRICS) == 13


def test_the_table_has_a_row_for_each_hyperparameter() -> None:
    rows = markdown_table().splitlines()
    assert len(rows) == 2 + len(Hyperparameters.model_fields)
    assert {row.count("|") for row in rows} == {7}
    assert "| `vocab_size` | integer | 8000 | 64 to 128000 | 4000 to 32000 | largest subword vocabulary |" in rows
    assert "| `learning_rate` | number | 0.002 | above 0 to 1 | 0.0001 to 0.01 | peak learning rate |" in rows
    assert "| `resume` | boolean | true |" in markdown_table()
    assert "| `quantization` | choice | int8 | int8, float32 |" in markdown_table()
