"""Failures as answers: status, code and sentence of each kind, whoever refused the request."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.exceptions import (
    HTTPException,
    ImATeapot,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from container.errors import ArtifactError, Overloaded, PlatformError, UserError
from serve.models import ModelNotFound, NameInUse, NoMemory
from serve.web.answers import error_body
from serve.web.errors import handle_errors


def answer(error: Exception) -> tuple[int, str, str, str | None]:
    """Status, code, message and Retry-After of the answer to a request that raises `error`."""
    app = Flask("test")
    handle_errors(app)

    @app.get("/broken")
    def broken() -> None:
        raise error

    response = app.test_client().get("/broken")
    failed = response.get_json()["error"]
    assert set(failed) == {"code", "message"}
    return response.status_code, failed["code"], failed["message"], response.headers.get("Retry-After")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UserError("x"), 400, "bad_request"),
        (ModelNotFound("x"), 404, "not_found"),
        (NotFound("x"), 404, "not_found"),
        (MethodNotAllowed(description="x"), 405, "method_not_allowed"),
        (NotAcceptable("x"), 406, "not_acceptable"),
        (NameInUse("x"), 409, "already_loaded"),
        (RequestEntityTooLarge("x"), 413, "payload_too_large"),
        (UnsupportedMediaType("x"), 415, "unsupported_media_type"),
        (ArtifactError("x"), 503, "model_unavailable"),
        (PlatformError("x"), 503, "unavailable"),
        (Overloaded("x", retry_after=7), 503, "overloaded"),
        (NoMemory("x"), 507, "out_of_memory"),
    ],
)
def test_our_own_sentence_is_answered(error: Exception, status: int, code: str) -> None:
    retry_after = {503: str(getattr(error, "retry_after", 1))}.get(status)
    assert answer(error) == (status, code, "x", retry_after)


@pytest.mark.parametrize(
    ("refusal", "status", "message"),
    [
        (NotFound(), 404, "There is no /broken here: GET /openapi.json lists what is."),
        (MethodNotAllowed(["POST"]), 405, "GET /broken is not possible: the header Allow says what is."),
        (RequestEntityTooLarge(), 413, "The body is larger than the limit: send fewer texts at a time."),
        (ImATeapot(), 400, "The request could not be read: I'm a teapot."),
    ],
)
def test_what_werkzeug_refuses_gets_our_sentence(refusal: HTTPException, status: int, message: str) -> None:
    assert answer(refusal)[::2] == (status, message)


def test_our_sentence_is_answered_and_nobody_elses() -> None:
    assert error_body(ModelNotFound("No model is loaded.")) == {
        "error": {"code": "not_found", "message": "No model is loaded."}
    }
    body = error_body(ValueError("the secret is 42"))
    assert body["error"]["code"] == "internal_error"
    assert "42" not in body["error"]["message"]
    assert answer(ValueError("the secret is 42"))[:2] == (500, "internal_error")
