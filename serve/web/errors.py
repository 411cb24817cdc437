"""Failures as HTTP answers: `{"error": {"code", "message"}}`, one sentence, and never a traceback.

Kinds of failure that the whole program knows are in `container.errors`. What only HTTP knows is refused by werkzeug's
own exceptions, raised with a sentence of ours.
"""

from __future__ import annotations

import json

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from container.errors import AlgorithmError, NmtError, UserError, kind_of
from serve.web.answers import INTERNAL, error_body, error_of
from serve.web.formats import JSON
from serve.web.logs import log

# Status of each refusal of HTTP: its code, and what it means.
REFUSALS = {
    404: ("not_found", "there is no such route"),
    405: ("method_not_allowed", "the route exists, the method does not"),
    406: ("not_acceptable", "`Accept` names no type that can be written"),
    413: ("payload_too_large", "the body is larger than the limit"),
    415: ("unsupported_media_type", "the content type, charset or content encoding cannot be read"),
}


def handle_errors(app: Flask) -> None:
    """Answer every exception of a request with JSON."""
    app.register_error_handler(NmtError, answer_failure)
    app.register_error_handler(HTTPException, answer_refusal)
    app.register_error_handler(Exception, answer_failure)


def answer_failure(error: Exception) -> Response:
    """The answer to a failure of a known kind, or to a bug, which is logged."""
    kind = kind_of(error)
    if not isinstance(error, NmtError):
        log.error("unexpected failure", exc_info=error, extra={"fields": {"request_id": request_id()}})
    response = Response(json.dumps(error_body(error)), kind.status, content_type=JSON)
    if kind.status == 503:
        response.headers["Retry-After"] = str(getattr(error, "retry_after", 1))
    return response


def answer_refusal(refusal: HTTPException) -> Response:
    """The answer to a refusal by werkzeug, or by our own code with one of werkzeug's exceptions."""
    if refusal.code not in REFUSALS:
        server = refusal.code is None or refusal.code >= 500
        return answer_failure(
            AlgorithmError(INTERNAL) if server else UserError(f"The request could not be read: {refusal.name}.")
        )
    code, _ = REFUSALS[refusal.code]
    own = refusal.description if refusal.description != type(refusal).description else None
    response = Response(json.dumps(error_of(code, own or _sentence(refusal))), refusal.code, content_type=JSON)
    if isinstance(allowed := getattr(refusal, "valid_methods", None), (list, tuple, set, frozenset)):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _sentence(refusal: HTTPException) -> str:
    """Our sentence for what werkzeug refuses by itself."""
    path = request.path[:100]
    sentences: dict[int | None, str] = {
        404: f"There is no {path} here: GET /openapi.json lists what is.",
        405: f"{request.method} {path} is not possible: the header Allow says what is.",
        413: "The body is larger than the limit: send fewer texts at a time.",
    }
    return sentences.get(refusal.code, f"The request was refused: {refusal.name}.")


def request_id() -> str:
    """The id that nginx or the client gave the request at hand."""
    return request.headers.get("X-Request-Id", "")
