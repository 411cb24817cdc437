"""The HTTP routes of a multi-model endpoint (SAGEMAKER_MULTI_MODEL=true), where SageMaker loads and unloads models."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

from flask import Flask, Response, request
from werkzeug.routing import BaseConverter

from container.errors import UserError
from serve.models import Models
from serve.web import formats
from serve.web.routes import answer, new_app


class OpaqueName(BaseConverter):
    """Any text at all, slashes and line breaks too: every model that was loaded must be reachable."""

    regex = r"(?s:.+?)"
    part_isolating = False


def create_multi_model_app(models: Models) -> Flask:
    """The WSGI application over `models`: ready from the first moment, with no model at all."""
    app = new_app(models.settings, models.metrics, models.waiting)
    app.url_map.converters["opaque"] = OpaqueName
    app.url_map.merge_slashes = False

    @app.route("/ping", methods=["GET", "POST"])
    def ping() -> Response:
        for service in models.services():
            service.check()
        return Response(status=200)

    @app.post("/models")
    def load() -> Response:
        document = _object()
        models.load(document["model_name"], document["url"])
        return _json(models.describe(document["model_name"]))

    @app.get("/models")
    def list_models() -> Response:
        return _json(models.list(request.args.get("next_page_token")))

    @app.get("/models/<opaque:name>")
    def describe(name: str) -> Response:
        return _json(models.describe(name))

    @app.delete("/models/<opaque:name>")
    def unload(name: str) -> Response:
        models.unload(name)
        return _json({})

    @app.post("/models/<opaque:name>/invoke")
    def invoke(name: str) -> Response:
        with ExitStack() as held:
            return answer(held.enter_context(models.use(name)), held)

    return app


def _object() -> dict[str, str]:
    """The body of POST /models: `{"model_name", "url"}`, both strings, other names left alone."""
    document: Any = request.get_json(force=True, silent=True)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(name), str) and document[name] for name in ("model_name", "url")
    ):
        raise UserError('The body must be JSON with a name and a folder: {"model_name": "m", "url": "/opt/ml/…"}.')
    return document


def _json(value: object) -> Response:
    return Response(json.dumps(value), content_type=formats.JSON)
