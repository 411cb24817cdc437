"""The tables of the documentation, each made from the code that declares its facts."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import TypeAdapter

import container.errors
import serve.models
from container.errors import NmtError
from serve import emf
from serve.metrics import METRICS
from serve.settings import Settings
from serve.text.parameters import Parameters
from serve.web.answers import HuggingFacePrediction, Prediction
from serve.web.errors import REFUSALS
from serve.web.formats import FORMATS
from train.job import describe

OF_THE_MODEL = ("beam_size", "length_penalty", "max_length", "target_lang")  # parameters whose default the model has

Schema = dict[str, Any]


def _table(columns: str, rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; `columns` are the names of the columns, separated by ` | `."""
    head = [f"| {columns} |", "|" + "---|" * len(columns.split("|"))]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


# ---- serving -------------------------------------------------------------------------------------------


def settings() -> str:
    """Environment variables of the server."""

    def rows() -> Iterator[tuple[str, ...]]:
        for field in Settings.model_json_schema()["properties"].values():
            default = field["default"]
            own = field.get("shown_default") or f"`{int(default) if isinstance(default, bool) else default}`"
            yield f"`{field['variable']}`", own, _values_of_setting(field), field["description"]

    return _table("environment variable | default | values | meaning", rows())


def _values_of_setting(field: Schema) -> str:
    if "shown_values" in field:
        return str(field["shown_values"])
    if field["type"] == "boolean":
        return "0 or 1"
    return ", ".join(f"`{value}`" for value in field["enum"]) if "enum" in field else _values(field)


def parameters() -> str:
    """Parameters of a request: name, type and range, default, meaning."""

    def rows() -> Iterator[tuple[str, ...]]:
        for name, field in Parameters.model_json_schema()["properties"].items():
            default = f"`{json.dumps(field['default'])}`"
            if field["default"] is None:
                default = "the model's" if name in OF_THE_MODEL else "none"
            kind = next((each for each in field.get("anyOf", []) if each["type"] != "null"), field)
            yield f"`{name}`", f"{kind['type']}{_range(kind)}", default, field["description"]

    return _table("parameter | value | default | meaning", rows())


def _values(kind: Schema) -> str:
    return _range(kind).removeprefix(", ") or str(kind["type"])


def _range(kind: Schema) -> str:
    if "minimum" not in kind:
        return ""
    return f", {kind['minimum']} to {kind['maximum']}" if "maximum" in kind else f", at least {kind['minimum']}"


def answers() -> str:
    """Fields of the answer for one text, with the fields of their entries."""
    schema = TypeAdapter(Prediction).json_schema()
    other = TypeAdapter(HuggingFacePrediction).json_schema()["properties"]["translation_text"]
    fields = {**schema["properties"], "translation_text": other}
    first = sorted(fields.items(), key=lambda field: not field[0].startswith("translation"))
    rows = ((f"`{name}`", _answer_type(field, schema["$defs"]), field["description"]) for name, field in first)
    return _table("field | value | when, and what", rows)


def _answer_type(field: Schema, types: Schema) -> str:
    """The type of a field; a list with the names that its entries have."""
    kind = field.get("anyOf", [field])[0]
    if "items" not in kind:
        return f"{kind['type']}{_range(kind)}"
    if "$ref" not in kind["items"]:
        return "list of pairs of integers"
    names = types[kind["items"]["$ref"].rpartition("/")[2]]["properties"]
    return f"list of `{{{', '.join(json.dumps(name) for name in names)}}}`"


def content_types() -> str:
    """What a body and an answer of each content type hold."""

    def rows() -> Iterator[tuple[str, ...]]:
        for media, format_ in FORMATS.items():
            names = ", ".join(f"`{name}`" for name in (media, *format_.aliases))
            for index, (body, answer) in enumerate(zip(format_.body, format_.answer, strict=True)):
                yield names if index == 0 else "", body, answer

    return _table("content type | body | answer", rows())


def metrics() -> str:
    """Numbers of GET /metrics."""
    rows = (
        (f"`{name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.meaning)
        for name, metric in METRICS.items()
    )
    return _table("metric | kind | labels | meaning", rows)


def cloudwatch() -> str:
    """Metrics of the embedded metric format."""
    rows = ((f"`{name}`", metric.unit, metric.meaning) for name, metric in emf.METRICS.items())
    return _table("metric | unit | meaning, each since the line before", rows)


# ---- failures ------------------------------------------------------------------------------------------


def errors() -> str:
    """Kinds of failure of both programs."""

    def rows() -> Iterator[tuple[str, ...]]:
        for module in (container.errors, serve.models):
            for each in vars(module).values():
                if inspect.isclass(each) and issubclass(each, NmtError) and each.__module__ == module.__name__:
                    meaning, kind = inspect.cleandoc(each.__doc__ or "").removesuffix("."), each.kind
                    yield f"`{each.__name__}`", meaning, str(kind.exit_code), str(kind.status), f"`{kind.code}`"

    return _table("kind | what it means | exit code | HTTP status | code", rows())


def refusals() -> str:
    """What HTTP alone knows."""
    rows = ((str(status), f"`{code}`", meaning) for status, (code, meaning) in REFUSALS.items())
    return _table("HTTP status | code | what it means", rows)


# ---- training ------------------------------------------------------------------------------------------


def training_metrics() -> str:
    """Metrics that a training job prints."""
    rows = (
        (f"`{metric.name}`", f"`{metric.printed}=value;`", (metric.objective or "").lower())
        for metric in describe.METRICS
    )
    return _table("metric | printed as | a tuning job may", rows)


TABLES: dict[str, Callable[[], str]] = {
    "hyperparameters": describe.markdown_table,
    "training-metrics": training_metrics,
    "settings": settings,
    "parameters": parameters,
    "answers": answers,
    "content-types": content_types,
    "metrics": metrics,
    "cloudwatch": cloudwatch,
    "errors": errors,
    "refusals": refusals,
}
