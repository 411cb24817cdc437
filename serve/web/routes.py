"""The applications: every HTTP route, for one model (`create_app`) and for several (`create_multi_model_app`)."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice

from flask import Flask, Response, g, request
from pydantic import ValidationError
from werkzeug.routing import BaseConverter

from container.errors import UserError
from container.resources import available_cpus, available_memory
from serve.engine.interface import Translation
from serve.metrics import CONTENT_TYPE, Metrics
from serve.models import LoadedModel, Models, ModelToLoad
from serve.settings import Settings
from serve.web import formats
from serve.web.answers import write_stream
from serve.web.bodies import unpack
from serve.web.errors import handle_errors, request_id
from serve.web.logs import log
from serve.web.openapi import document
from serve.web.transform import execution_parameters

# Headers of a request that come back in its answer (SageMaker: "custom attributes", "inference id").
ECHOED = ("X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id", "X-Request-Id")


def create_app(model: LoadedModel) -> Flask:
    """The WSGI application over the one model of this process."""
    app = new_app(model.settings, model.metrics, model.waiting)

    @app.route("/ping", methods=["GET", "POST"])  # HEAD comes with GET
    def ping() -> Response:
        model.check()
        return Response(status=200)

    @app.post("/invocations")
    def invocations() -> Response:
        with ExitStack() as held:
            return answer(model, held)

    return app


# ---- several models (SAGEMAKER_MULTI_MODEL=true), which SageMaker loads and unloads --------------------


class OpaqueName(BaseConverter):
    """Any text at all, also slashes and line breaks: every model that was loaded must be reachable."""

    regex = r"(?s:.+?)"
    part_isolating = False


def create_multi_model_app(models: Models) -> Flask:
    """The WSGI application over `models`: ready from the first moment, without any model."""
    app = new_app(models.settings, models.metrics, models.waiting)
    app.url_map.converters["opaque"] = OpaqueName
    app.url_map.merge_slashes = False

    @app.route("/ping", methods=["GET", "POST"])
    def ping() -> Response:
        for model in models.loaded():
            model.check()
        return Response(status=200)

    @app.post("/models")  # 409 when the name is in use, 507 when there is no memory
    def load() -> Response:
        wanted = _model_to_load()
        models.load(wanted.model_name, wanted.url)
        return _json(models.describe(wanted.model_name))

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


def _model_to_load() -> ModelToLoad:
    try:
        return ModelToLoad.model_validate(request.get_json(force=True, silent=True))
    except ValidationError:
        raise UserError(
            'The body must be JSON with a name and a folder: {"model_name": "m", "url": "/opt/ml/…"}.'
        ) from None


# ---- what all applications have ------------------------------------------------------------------------


def new_app(settings: Settings, metrics: Metrics, waiting: Callable[[], int]) -> Flask:
    """An application with limits, description, metrics, JSON errors, and one log line a request."""
    app = Flask("serve", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_mb * 2**20 or None
    metrics.watch("nmt_waiting_sentences", waiting)

    @app.get("/execution-parameters")
    def parameters_of_a_transform() -> Response:
        cpus, memory = available_cpus(), available_memory()
        return _json(execution_parameters(cpus, memory, settings.max_body_mb, settings.max_requests))

    @app.get("/openapi.json")
    def openapi() -> Response:
        return _json(document(settings.multi_model))

    @app.get("/metrics")
    def prometheus() -> Response:
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    app.before_request(_start)
    app.after_request(partial(_finish, metrics))
    handle_errors(app)
    return app


def _json(value: object) -> Response:
    return Response(json.dumps(value), content_type=formats.JSON)


def answer(model: LoadedModel, held: ExitStack) -> Response:
    """Translate the request at hand. `held` is what it occupies; a stream keeps it until its last byte is sent."""
    settings = model.settings
    held.enter_context(model.slot())
    media, charset = formats.content_type(request.headers.get("Content-Type", ""))
    answer_in = formats.accepted(request.headers.get("Accept"), media)
    encoding = (request.content_encoding or "").lower()
    data = unpack(request.get_data(cache=False), encoding, settings.max_body_mb * 2**20)
    body = formats.read(data, media, charset, settings.record_errors)
    g.records = len(body.records)
    if any(record.parameters.stream for record in body.records):
        for error in filter(None, (record.error for record in body.records)):
            raise error  # a stream has no place for it
        return _streamed(model.stream(body.records), held)
    translations = model.translate(body.records, g.started + (settings.deadline_seconds or math.inf))
    written = formats.write(body, translations, answer_in)
    return Response(written, content_type=formats.content_type_of(answer_in))


def _streamed(translations: Iterator[Translation], held: ExitStack) -> Response:
    """An answer that is sent sentence by sentence, without nginx's buffers; it keeps its slot until its end."""
    first = list(islice(translations, 1))  # what can be refused is refused with its own status
    response = Response(write_stream(chain(first, translations)), content_type=formats.JSON_LINES)
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(held.pop_all().close)
    return response


def _start() -> None:
    g.started = time.monotonic()


def _finish(metrics: Metrics, response: Response) -> Response:
    """Echo the headers that are the client's own; count the request, and log it without any of its text."""
    for name in ECHOED:
        if name in request.headers:
            response.headers[name] = request.headers[name]
    route = str(request.url_rule or "none")  # not the path, which may hold text
    seconds = time.monotonic() - g.started
    metrics.add("nmt_requests_total", route=route, status=response.status_code)
    metrics.observe("nmt_request_seconds", seconds, route=route)
    if request.path == "/ping" and response.status_code == 200:
        return response  # asked every few seconds
    fields = {
        "request_id": request_id(),
        "method": request.method,
        "route": route,
        "status": response.status_code,
        "milliseconds": round(1000 * seconds, 1),
        "bytes_in": request.content_length or 0,
        "records": g.get("records", 0),
    }
    log.info("request", extra={"fields": fields})
    return response
