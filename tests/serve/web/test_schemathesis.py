"""The real server held against its own OpenAPI document: requests made up from it, answers checked by it.

Fed by schemathesis: valid and broken bodies, parameters and headers for every route. Its checks: no 5xx but those
described, documented statuses, content types and schemas, refusal of what the document forbids, and no refusal of
what it allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from container.artifact import Calibration
from serve.web.formats import CSV, JSON_LINES, TEXT
from serve.web.openapi import document
from tests.serve.server import Server, start_server
from tests.serve.tiny_model import write_tiny_model

schemathesis.serializer.alias(JSON_LINES, TEXT)
# What no JSON Schema can say: which parameters go together, and what languages a model has.
BEYOND_THE_SCHEMA = ("a search gives at most as many hypotheses as it has beams", "but this model translates from")
BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


ENDPOINT = schemathesis.openapi.from_dict(document())  # what is served, as test_docs.py makes sure
MULTI_MODEL = schemathesis.openapi.from_dict(document(multi_model=True))


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose model can do all that the document allows: it has a confidence, too."""
    folder = tmp_path_factory.mktemp("calibrated")
    calibration = Calibration(good_chrf=60, intercept=1.0, slope=0.5, sentences=100)
    write_tiny_model(folder / "model", calibration=calibration)
    running = start_server(folder, folder / "serve.log")
    running.wait_until_ready()
    yield running
    assert running.stop() == 0, running.output()


@pytest.fixture(scope="module")
def multi_model(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("multi-model") / "serve.log"
    running = start_server(base, log, SAGEMAKER_MULTI_MODEL="true")
    running.wait_until_ready()
    yield running
    assert running.stop() == 0, running.output()


def check(case: schemathesis.Case, server: Server, *beside: CheckFunction) -> None:
    """Send a request and hold the answer against every check but those `beside` the point."""
    if case.media_type in (TEXT, CSV, JSON_LINES):
        beside = (*beside, negative_data_rejection)  # whatever the generator means by it, it arrives as a text
    if case.media_type in (CSV, JSON_LINES):
        beside = (*beside, positive_data_acceptance)  # JSON Schema does not know what a line is
    response = case.call(base_url=server.url)
    if any(sentence in response.text for sentence in BEYOND_THE_SCHEMA):
        beside = (*beside, positive_data_acceptance)
    case.validate_response(response, excluded_checks=list(beside))


@ENDPOINT.parametrize()
@BOUNDED
def test_the_endpoint_does_what_its_document_says(case: schemathesis.Case, calibrated: Server) -> None:
    check(case, calibrated)


@MULTI_MODEL.include(path_regex="^/models").parametrize()
@BOUNDED
def test_the_multi_model_endpoint_does_what_its_document_says(case: schemathesis.Case, multi_model: Server) -> None:
    # No schema can say which folders exist; and a model may be called "x/invoke", so that GET is possible there.
    check(case, multi_model, positive_data_acceptance, unsupported_method, allow_header_conformance)
