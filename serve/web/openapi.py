"""The interface described for others, from the one schema: an OpenAPI 3.1 document and the table in docs/http.md.

`python -m serve.web.openapi` prints the table.
"""

from __future__ import annotations

import json
from typing import Any

from serve.text.parameters import Parameters
from serve.web.formats import CSV, JSON, JSON_LINES, TEXT

OF_THE_MODEL = ("beam_size", "length_penalty", "max_length", "target_lang")  # parameters of which it has its own

_TEXTS = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/components/schemas/Instance"}}]}
_PARAMETERS = {"$ref": "#/components/schemas/Parameters"}


def document(multi_model: bool = False) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the endpoint, as a JSON object."""
    object_ = {"200": _json({"type": "object"})}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Translation endpoint", "version": "1"},
        "paths": {
            "/ping": {
                "get": _route("Whether the model answers", {"200": {"description": "ready"}}, 503),
                "post": _route("As GET", {"200": {"description": "ready"}}, 503),
            },
            **(_models() if multi_model else {"/invocations": {"post": _invocations()}}),
            "/execution-parameters": {"get": _route("Limits for batch transform", object_)},
            "/metrics": {"get": _route("Counts and times for Prometheus", {"200": {"description": "text"}})},
            "/openapi.json": {"get": _route("This document", object_)},
        },
        "components": {"schemas": _schemas()},
    }


def _models() -> dict[str, Any]:
    """The routes of a multi-model endpoint."""
    text, some = {"type": "string"}, {"type": "string", "minLength": 1}
    name = {"name": "name", "in": "path", "required": True, "schema": text}
    token = {"name": "next_page_token", "in": "query", "schema": text}
    wanted = {
        "required": True,
        "content": {JSON: {"schema": _object({"model_name": some, "url": some}, "model_name", "url")}},
    }
    object_ = {"200": _json({"type": "object"})}
    return {
        "/models": {
            "post": {
                **_route("Load a model", object_, 400, 409, 503, 507),
                "requestBody": {"required": True, **wanted},
            },
            "get": {**_route("The loaded models", object_), "parameters": [token]},
        },
        "/models/{name}": {
            "get": _route("Name and folder of a model", object_, 404),
            "delete": _route("Unload a model", object_, 404),
            "parameters": [name],
        },
        "/models/{name}/invoke": {"post": _invocations(404), "parameters": [name]},
    }


def _invocations(*more: int) -> dict[str, Any]:
    line = {"type": "string"}
    lines = {"type": "string", "minLength": 1}
    body = {
        JSON: {"schema": {"$ref": "#/components/schemas/Body"}},
        JSON_LINES: {"schema": {**lines, "description": 'a text or {"text": …} a line'}},
        TEXT: {"schema": {**lines, "description": "a text a line"}},
        CSV: {"schema": {**lines, "description": "a text in the first column of each row"}},
    }
    answer = {
        JSON: {"schema": {"$ref": "#/components/schemas/Answer"}},
        **{media: {"schema": line} for media in (JSON_LINES, TEXT, CSV)},
    }
    translated = {"200": {"description": "translations, in order", "content": answer}}
    route = _route("Translate", translated, *more, 400, 406, 413, 415, 503)
    return {**route, "requestBody": {"required": True, "content": body}}


def _route(summary: str, answers: dict[str, Any], *refusals: int) -> dict[str, Any]:
    error = {"$ref": "#/components/schemas/Error"}
    return {"summary": summary, "responses": {**answers, **{str(status): _json(error) for status in refusals}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "JSON", "content": {JSON: {"schema": schema}}}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _schemas() -> dict[str, Any]:
    parameters = Parameters.model_json_schema()
    text = {"type": "string"}
    instance = _object({"text": text, **parameters["properties"]}, "text")
    texts = {"type": "array", "items": {"$ref": "#/components/schemas/Instance"}}
    return {
        "Parameters": parameters,
        "Instance": {"oneOf": [text, instance]},
        "Body": {
            "oneOf": [
                _object({"instances": texts, "parameters": _PARAMETERS}, "instances"),
                _object({"inputs": _TEXTS, "parameters": _PARAMETERS}, "inputs"),
                _TEXTS,
            ]
        },
        "Answer": {
            "oneOf": [
                _object({"predictions": {"type": "array", "items": _prediction("translation")}}, "predictions"),
                {"type": "array", "items": _prediction("translation_text")},
            ]
        },
        "Error": _object({"error": _object({"code": text, "message": text}, "code", "message")}, "error"),
    }


def _prediction(name: str) -> dict[str, Any]:
    """The answer for one text: its translation under `name` and what was asked for; by NMT_RECORD_ERRORS an error."""
    text, score = {"type": "string"}, {"type": "number"}
    confidence = {"type": "number", "minimum": 0, "maximum": 1}
    words = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2}
    hypothesis = _object({"translation": text, "score": score, "confidence": confidence}, "translation", "score")
    properties = {
        name: text,
        "score": score,
        "confidence": confidence,
        "hypotheses": {"type": "array", "items": hypothesis},
        "token_scores": {"type": "array", "items": _object({"token": text, "score": score}, "token", "score")},
        "alignment": {"type": "array", "items": words},
        "alternatives": {
            "type": "array",
            "items": _object({"word": text, "translation": text, "score": score}, "word", "translation", "score"),
        },
        "warning": text,
    }
    error = {"$ref": "#/components/schemas/Error"}
    return {"oneOf": [_object(properties, name), error]}


def parameters_table() -> str:
    """The parameters as a Markdown table: name, type and range, default, meaning."""
    rows = ["| parameter | value | default | meaning |", "|---|---|---|---|"]
    for name, field in Parameters.model_json_schema()["properties"].items():
        default = f"`{json.dumps(field['default'])}`"
        if field["default"] is None:
            default = "the model's" if name in OF_THE_MODEL else "none"
        rows.append(f"| `{name}` | {_value(field)} | {default} | {field['description']} |")
    return "\n".join(rows)


def _kind(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field's value where one is given."""
    return next((each for each in field.get("anyOf", []) if each["type"] != "null"), field)


def _value(field: dict[str, Any]) -> str:
    kind = _kind(field)
    low, high = kind.get("minimum"), kind.get("maximum")
    return kind["type"] if low is None else f"{kind['type']}, {low} to {high}"


if __name__ == "__main__":
    print(parameters_table())
