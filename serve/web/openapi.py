"""The interface described for machines: an OpenAPI 3.1 document, made from the types of parameters and answers."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from serve.models import ModelInfo, ModelList, ModelToLoad
from serve.text.parameters import Parameters
from serve.web.answers import Answer, ErrorBody
from serve.web.bodies import UNUSED
from serve.web.formats import FORMATS, JSON
from serve.web.transform import ExecutionParameters

Schema = dict[str, Any]

_PLACE = "#/components/schemas/{model}"


def document(multi_model: bool = False) -> Schema:
    """The OpenAPI 3.1 document of the endpoint, as a JSON object."""
    limits = {"200": _json(_ref("ExecutionParameters"))}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Translation endpoint", "version": "1"},
        "paths": {
            "/ping": {
                "get": _route("Whether the model answers", {"200": {"description": "ready"}}, 503),
                "post": _route("As GET", {"200": {"description": "ready"}}, 503),
            },
            **(_models() if multi_model else {"/invocations": {"post": _invocations()}}),
            "/execution-parameters": {"get": _route("Limits for batch transform", limits)},
            "/metrics": {"get": _route("Counts and times for Prometheus", {"200": {"description": "text"}})},
            "/openapi.json": {"get": _route("This document", {"200": _json({"type": "object"})})},
        },
        "components": {"schemas": _schemas()},
    }


def _models() -> Schema:
    """The routes of a multi-model endpoint."""
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    token = {"name": "next_page_token", "in": "query", "schema": {"type": "string"}}
    info = {"200": _json(_ref("ModelInfo"))}
    return {
        "/models": {
            "post": {
                **_route("Load a model", info, 400, 409, 503, 507),
                "requestBody": {"required": True, "content": {JSON: {"schema": _ref("ModelToLoad")}}},
            },
            "get": {**_route("The loaded models", {"200": _json(_ref("ModelList"))}), "parameters": [token]},
        },
        "/models/{name}": {
            "get": _route("Name and folder of a model", info, 404),
            "delete": _route("Unload a model", {"200": _json({"type": "object"})}, 404),
            "parameters": [name],
        },
        "/models/{name}/invoke": {"post": _invocations(404), "parameters": [name]},
    }


def _invocations(*more: int) -> Schema:
    body, answer = {JSON: {"schema": _ref("Body")}}, {JSON: {"schema": _ref("Answer")}}
    for media, format_ in FORMATS.items():
        if media != JSON:  # no schema can say what a line is
            body[media] = {"schema": {"type": "string", "minLength": 1, "description": ", or ".join(format_.body)}}
            answer[media] = {"schema": {"type": "string", "description": ", or ".join(format_.answer)}}
    translated = {"200": {"description": "translations, in order", "content": answer}}
    route = _route("Translate", translated, *more, 400, 406, 413, 415, 503)
    return {**route, "requestBody": {"required": True, "content": body}}


def _route(summary: str, answers: Schema, *refusals: int) -> Schema:
    return {
        "summary": summary,
        "responses": {**answers, **{str(status): _json(_ref("ErrorBody")) for status in refusals}},
    }


def _json(schema: Schema) -> Schema:
    return {"description": "JSON", "content": {JSON: {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": _PLACE.format(model=name)}


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _schemas() -> Schema:
    """The schemas of the types, and of the bodies, whose instances have all parameters beside their text."""
    types: list[tuple[type, JsonSchemaMode, TypeAdapter[Any]]] = [
        (each, "validation", TypeAdapter(each))
        for each in (Parameters, ErrorBody, ModelToLoad, ModelInfo, ModelList, ExecutionParameters)
    ]
    _, shared = TypeAdapter.json_schemas(types, ref_template=_PLACE)
    answer = TypeAdapter(Answer).json_schema(ref_template=_PLACE)
    schemas = {**shared["$defs"], **answer.pop("$defs")}
    instance = _object({"text": {"type": "string"}, **schemas["Parameters"]["properties"]}, "text")
    instances = {"type": "array", "items": _ref("Instance")}
    texts = {"oneOf": [{"type": "string"}, instances]}
    unused = {name: {"description": "read and not used"} for name in UNUSED}
    beside = {"parameters": {"oneOf": [_ref("Parameters"), {"type": "null"}]}, **unused}
    bodies = [
        _object({"instances": instances, **beside}, "instances"),
        _object({"inputs": texts, **beside}, "inputs"),
        texts,
    ]
    return {
        **schemas,
        "Instance": {"oneOf": [{"type": "string"}, instance]},
        "Body": {"oneOf": bodies},
        "Answer": answer,
    }
