"""The interface as it is described: docs/http.md and /openapi.json."""

from __future__ import annotations

import re
from pathlib import Path

import requests

from serve.openapi import document, parameters_table
from serve.parameters import Parameters
from tests.serve.server import Server


def test_the_table_of_parameters_is_the_schemas(repo: Path) -> None:
    page = (repo / "docs" / "http.md").read_text()
    assert parameters_table() in page, "put in what `python -m serve.openapi` prints"


def test_every_setting_of_the_environment_is_documented(repo: Path) -> None:
    code = (repo / "serve" / "settings.py").read_text()
    page = (repo / "docs" / "http.md").read_text()
    names = re.findall(r'environment, "([A-Z_]+)"', code)
    assert names
    assert not [name for name in names if f"`{name}" not in page]


def test_the_document_is_served_and_holds_every_parameter(server: Server) -> None:
    served = requests.get(f"{server.url}/openapi.json", timeout=5).json()
    assert served == document()
    assert served["openapi"].startswith("3.1")
    schemas = served["components"]["schemas"]
    assert set(schemas["Parameters"]["properties"]) == set(Parameters.model_fields)
    assert set(Parameters.model_fields) < set(schemas["Instance"]["oneOf"][1]["properties"])


def test_every_reference_in_the_document_leads_somewhere() -> None:
    text = str(document())
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in document()["components"]["schemas"]
