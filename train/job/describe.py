"""Describes the training job to people, to CreateAlgorithm and to tuning jobs. All of it is made from the schema.

Shapes: `TrainingSpecification` of sagemaker:CreateAlgorithm and `ParameterRanges` of
sagemaker:CreateHyperParameterTuningJob.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from train.job.hyperparameters import Hyperparameters, kind

_NUMBER = r"-?[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?"


class Metric(NamedTuple):
    """A metric that training prints as `printed=value;`; `objective` is what a tuning job may do with it."""

    name: str
    printed: str
    objective: str | None = None

    @property
    def regex(self) -> str:
        """Finds the value in a log line; group 1 is the number. `bleu=` never matches in `test_bleu=`."""
        return rf"\b{self.printed}=({_NUMBER});"


METRICS = (
    Metric("train:loss", "train_loss"),
    Metric("train:tokens_per_second", "tokens_per_second"),
    Metric("validation:loss", "validation_loss", "Minimize"),
    Metric("validation:bleu", "validation_bleu", "Maximize"),
    Metric("validation:chrf", "validation_chrf", "Maximize"),
    Metric("validation:bleu_reverse", "validation_bleu_reverse"),  # these four with direction=both
    Metric("validation:chrf_reverse", "validation_chrf_reverse"),
    Metric("test:bleu", "test_bleu"),
    Metric("test:chrf", "test_chrf"),
    Metric("test:bleu_reverse", "test_bleu_reverse"),
    Metric("test:chrf_reverse", "test_chrf_reverse"),
    Metric("test:calibration_error", "calibration_error"),
    Metric("test:calibration_error_reverse", "calibration_error_reverse"),
)

_TEXT_TYPES = ["text/tab-separated-values", "text/csv", "application/jsonlines", "text/plain"]
_ANY_MODE = ["File", "FastFile", "Pipe"]
# Name, description, required, content types, input modes
_CHANNELS: tuple[tuple[str, str, bool, list[str], list[str]], ...] = (
    ("training", "Sentence pairs to train on", True, _TEXT_TYPES, _ANY_MODE),
    ("validation", "Sentence pairs to watch training with", False, _TEXT_TYPES, _ANY_MODE),
    ("test", "Sentence pairs for the final scores", False, _TEXT_TYPES, _ANY_MODE),
    ("prefixes", "Non-breaking prefixes, Moses format", False, ["text/plain"], ["File", "FastFile"]),
    (
        "model",
        "A model directory to train further",
        False,
        ["application/x-sagemaker-model"],
        ["File", "FastFile"],
    ),
)


def markdown_table() -> str:
    """All hyperparameters as a Markdown table, in the order of the schema."""
    rows = ["| name | type | default | range | tuning | what it is |", "|---|---|---|---|---|---|"]
    for name, field in Hyperparameters.model_fields.items():
        cells = (f"`{name}`", _type_name(name), _shown(field.default), _range_text(name), _tune_text(field))
        rows.append(f"| {' | '.join(cells)} | {field.description} |")
    return "\n".join(rows)


def describe(
    image: str = "IMAGE", instance_types: tuple[str, ...] = ("ml.c5.2xlarge", "ml.m5.2xlarge", "ml.g5.xlarge")
) -> dict[str, Any]:
    """The `TrainingSpecification` with which CreateAlgorithm registers the image `image`."""
    return {
        "TrainingImage": image,
        "SupportedHyperParameters": [_specification(name) for name in Hyperparameters.model_fields],
        "SupportedTrainingInstanceTypes": list(instance_types),
        "SupportsDistributedTraining": True,
        "MetricDefinitions": [{"Name": metric.name, "Regex": metric.regex} for metric in METRICS],
        "TrainingChannels": [_channel(*row) for row in _CHANNELS],
        "SupportedTuningJobObjectiveMetrics": [
            {"Type": metric.objective, "MetricName": metric.name} for metric in METRICS if metric.objective
        ],
    }


def _channel(name: str, description: str, required: bool, types: list[str], modes: list[str]) -> dict[str, Any]:
    return {
        "Name": name,
        "Description": description,
        "IsRequired": required,
        "SupportedContentTypes": types,
        "SupportedCompressionTypes": ["None", "Gzip"],
        "SupportedInputModes": modes,
    }


def parameter_ranges() -> dict[str, Any]:
    """The ranges worth searching, as a tuning job's `ParameterRanges`."""
    ranges: dict[str, list[dict[str, str]]] = {"IntegerParameterRanges": [], "ContinuousParameterRanges": []}
    for name, field in Hyperparameters.model_fields.items():
        if tune := _tune(field):
            low, high = tune
            # Where the range spans orders of magnitude, equal factors matter rather than equal steps.
            scaling = "Logarithmic" if low > 0 and high / low >= 8 else "Linear"
            kindred = "IntegerParameterRanges" if kind(name)[0] is int else "ContinuousParameterRanges"
            row = {"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}
            ranges[kindred].append(row)
    return ranges


def _specification(name: str) -> dict[str, Any]:
    """One `HyperParameterSpecification`. Its range is what is legal; tuning ranges are narrower."""
    field = Hyperparameters.model_fields[name]
    entry: dict[str, Any] = {
        "Name": name,
        "Description": field.description,
        "Type": {int: "Integer", float: "Continuous", str: "FreeText"}.get(kind(name)[0], "Categorical"),
        "IsTunable": _tune(field) is not None,
        "IsRequired": False,
    }
    if field.default is not None:
        entry["DefaultValue"] = _shown(field.default)
    if entry["Type"] == "Categorical":
        entry["Range"] = {"CategoricalParameterRangeSpecification": {"Values": _choices(name)}}
    elif entry["Type"] != "FreeText":
        low, high = (str(bound) for bound in _legal(name))
        entry["Range"] = {f"{entry['Type']}ParameterRangeSpecification": {"MinValue": low, "MaxValue": high}}
    return entry


def _choices(name: str) -> list[str]:
    """The values that CreateTrainingJob must let pass: SDK v2 writes a boolean as `True`, not as `true`."""
    choices = kind(name)[0]
    return list(choices) if isinstance(choices, tuple) else ["true", "false", "True", "False"]


def _limits(name: str) -> dict[str, float]:
    """The bounds of a number under pydantic's names: `ge` or `gt` below, `le` or `lt` above."""
    metadata = Hyperparameters.model_fields[name].metadata
    return {key: getattr(item, key) for item in metadata for key in ("ge", "gt", "le", "lt") if hasattr(item, key)}


def _legal(name: str) -> tuple[float, float]:
    """Lowest and highest legal value; SageMaker cannot say that a bound itself is excluded."""
    limits = _limits(name)
    return limits["ge" if "ge" in limits else "gt"], limits["le" if "le" in limits else "lt"]


def _tune(field: FieldInfo) -> tuple[float, float] | None:
    extra = field.json_schema_extra
    return tuple(extra["tune"]) if isinstance(extra, dict) else None  # type: ignore[arg-type, return-value]


def _tune_text(field: FieldInfo) -> str:
    tune = _tune(field)
    return f"{tune[0]:g} to {tune[1]:g}" if tune else ""


def _type_name(name: str) -> str:
    names = {int: "integer", float: "number", bool: "boolean", str: "text"}
    return names.get(kind(name)[0], "choice")


def _range_text(name: str) -> str:
    choices, _ = kind(name)
    if isinstance(choices, tuple):
        return ", ".join(choices)
    if choices in (bool, str):
        return ""
    low, high = _legal(name)
    above, below = ("above " if "gt" in _limits(name) else ""), ("below " if "lt" in _limits(name) else "")
    return f"{above}{low} to {below}{high}"


def _shown(default: object) -> str:
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)
