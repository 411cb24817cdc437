"""The interface as it is described by /openapi.json."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import jsonschema
import requests
from flask import Flask

from serve.engine.loading import load
from serve.models import LoadedModel, Models
from serve.settings import Settings
from serve.text.parameters import Parameters
from serve.web.openapi import document
from serve.web.routes import create_app, create_multi_model_app
from tests.serve.server import DEADLINE, Server


def test_the_document_is_served_and_holds_every_parameter(server: Server) -> None:
    served = requests.get(f"{server.url}/openapi.json", timeout=DEADLINE).json()
    assert served == document()
    assert served["openapi"].startswith("3.1")
    schemas = served["components"]["schemas"]
    assert set(schemas["Parameters"]["properties"]) == set(Parameters.model_fields)
    assert set(Parameters.model_fields) < set(schemas["Instance"]["oneOf"][1]["properties"])


def routes(app: Flask) -> set[tuple[str, str]]:
    """Path and method of each route, HEAD and OPTIONS aside, names in braces as OpenAPI has them."""
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def described(paths: dict[str, dict[str, object]]) -> set[tuple[str, str]]:
    return {(path, method) for path, methods in paths.items() for method in methods if method != "parameters"}


def test_every_route_is_in_the_document(base: Path) -> None:
    model = LoadedModel(partial(load, base / "model"), Settings())
    assert routes(create_app(model)) == described(document()["paths"])
    model.close()
    models = Models(base, Settings(multi_model=True))
    assert routes(create_multi_model_app(models)) == described(document(multi_model=True)["paths"])


def test_answers_with_everything_are_as_described(server: Server) -> None:
    described = document()
    asked = {"return_scores": True, "return_token_scores": True, "return_alignment": True, "num_hypotheses": 2}
    given = {"parameters": {**asked, "alternatives_at": 0, "glossary": {"dog": "can"}}}
    for body in ({"instances": ["I see the <b>dog</b>.", ""], **given}, {"inputs": ["日本語の文です"], **given}):
        answer = server.invoke(body).json()
        jsonschema.validate(answer, {"$ref": "#/components/schemas/Answer", **described})


def test_every_reference_in_the_document_leads_somewhere() -> None:
    text = str(document()) + str(document(multi_model=True))
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in document()["components"]["schemas"]
