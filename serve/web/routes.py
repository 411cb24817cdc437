"""The HTTP routes. Everything a request can get wrong ends in the one error table of `container.errors`."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from container import errors
from serve.engine.interface import Translation
from serve.machine import available_cpus, available_memory, execution_parameters
from serve.metrics import Metrics
from serve.service import Service
from serve.settings import Settings
from serve.web import formats
from serve.web.openapi import document

log = logging.getLogger("serve")

# Headers of a request that come back in its answer (SageMaker: "custom attributes", "inference id").
ECHOED = ("X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id", "X-Request-Id")


def create_app(service: Service) -> Flask:
    """The WSGI application over `service`, the one model of this process."""
    app = new_app(service.settings, service.metrics, service.waiting)

    @app.route("/ping", methods=["GET", "POST"])  # HEAD comes with GET
    def ping() -> Response:
        service.check()
        return Response(status=200)

    @app.post("/invocations")
    def invocations() -> Response:
        with ExitStack() as held:
            return answer(service, held)

    return app


def new_app(settings: Settings, metrics: Metrics, waiting: Callable[[], int]) -> Flask:
    """An application with what all modes have: limits, description, metrics, JSON errors, one log line a request."""
    app = Flask("serve", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_mb * 2**20 or None

    @app.get("/execution-parameters")
    def parameters_of_a_transform() -> Response:
        limits = execution_parameters(available_cpus(), available_memory(), settings.max_body_mb, settings.max_requests)
        return Response(json.dumps(limits), content_type=formats.JSON)

    @app.get("/openapi.json")
    def openapi() -> Response:
        return Response(json.dumps(document(settings.multi_model)), content_type=formats.JSON)

    @app.get("/metrics")
    def prometheus() -> Response:
        text = metrics.text({"nmt_waiting_sentences": waiting()})
        return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")

    app.before_request(_start)
    app.after_request(partial(_finish, metrics))
    app.register_error_handler(errors.NmtError, failed)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, failed)
    return app


def answer(service: Service, held: ExitStack) -> Response:
    """Translate the request at hand. `held` is what it occupies, until its last byte is out where it streams."""
    settings = service.settings
    held.enter_context(service.slot())
    media, charset = formats.content_type(request.headers.get("Content-Type", ""))
    answer_in = formats.accepted(request.headers.get("Accept"), media)
    encoding = (request.content_encoding or "").lower()
    data = formats.unpacked(request.get_data(cache=False), encoding, settings.max_body_mb * 2**20)
    parsed = formats.read(data, media, charset, settings.record_errors)
    g.records = len(parsed.items)
    if any(item.parameters.stream for item in parsed.items):
        for error in filter(None, (item.error for item in parsed.items)):
            raise error  # a stream has no place for it
        return _streamed(service.stream(parsed.items), held)
    translations = service.translate(parsed.items, g.started + (settings.deadline_seconds or math.inf))
    return Response(formats.write(parsed, translations, answer_in), content_type=_with_charset(answer_in))


def _streamed(translations: Iterator[Translation], held: ExitStack) -> Response:
    """An answer that goes out sentence by sentence, past nginx's buffers; its slot is held until the last is out."""
    first = list(islice(translations, 1))  # what can be refused is refused with its own status
    response = Response(formats.write_stream(chain(first, translations)), content_type=formats.JSON_LINES)
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(held.pop_all().close)
    return response


def _with_charset(media: str) -> str:
    return media if media.startswith("application/") else f"{media}; charset=utf-8"  # JSON is UTF-8 by itself


def failed(error: Exception) -> Response:
    """The answer to any failure: status and code of its kind, one sentence, and never a traceback."""
    kind = errors.kind_of(error)
    if not isinstance(error, errors.NmtError):
        log.error("unexpected failure", exc_info=error, extra={"fields": {"request_id": _request_id()}})
    response = Response(json.dumps(errors.error_body(error)), kind.status, content_type=formats.JSON)
    if kind.status == 503:
        response.headers["Retry-After"] = str(getattr(error, "retry_after", 1))
    return response


def _refused(refusal: HTTPException) -> Response:
    """werkzeug's own refusals in our words; headers such as Allow stay."""
    here = f"{request.method} {request.path[:100]}"
    known: dict[int | None, errors.NmtError] = {
        404: errors.NotFound(f"There is no {request.path[:100]} here: GET /openapi.json lists what is."),
        405: errors.MethodNotAllowed(f"{here} is not possible: the header Allow says what is."),
        413: errors.PayloadTooLarge("The body is larger than the limit: send fewer texts at a time."),
    }
    default: errors.NmtError = errors.UserError(f"The request could not be read: {refusal.name}.")
    if refusal.code is None or refusal.code >= 500:
        default = errors.AlgorithmError("The server failed on this request; its log says why.")
    response = failed(known.get(refusal.code, default))
    if isinstance(allowed := getattr(refusal, "valid_methods", None), (list, tuple, set, frozenset)):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


# ---- one log line a request ----------------------------------------------------------------------------


ENCODER = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` would make one for each line


class JsonLines(logging.Formatter):
    """Log records as JSON objects, one a line; `extra={"fields": {…}}` adds fields.

    An exception's message may quote what a client sent: without `log_text` only its kind and its places are logged.
    """

    def __init__(self, log_text: bool = False) -> None:
        super().__init__()
        self._log_text = log_text

    def format(self, record: logging.LogRecord) -> str:
        time_of = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time_of, "level": record.levelname.lower(), "message": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            line["traceback"] = "".join(traceback.format_exception(error)) if self._log_text else _places(error)
        return ENCODER.encode(line)


def _places(error: BaseException) -> str:
    """The traceback of an exception and of its causes, without their messages."""
    parts: list[str] = []
    chain: BaseException | None = error
    while chain is not None:
        parts.insert(0, "".join(traceback.format_tb(chain.__traceback__)) + type(chain).__name__)
        chain = chain.__cause__ or chain.__context__
    return "\n".join(parts)


def log_to_stdout(log_text: bool = False) -> None:
    """Send this room's log to stdout, where SageMaker collects it, and give gunicorn's the same form.

    A line says nothing of the place, the thread or the process that wrote it, so nothing of it is looked up:
    half the cost of a line ("Optimization", in Python's logging HOWTO). It holds for every logger of the process.
    """
    logging._srcfile = None  # type: ignore[attr-defined]
    logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False
    formatter = JsonLines(log_text)
    for theirs in logging.getLogger("gunicorn.error").handlers:
        theirs.setFormatter(formatter)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def _request_id() -> str:
    return request.headers.get("X-Request-Id", "")


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
        "request_id": _request_id(),
        "method": request.method,
        "route": route,
        "status": response.status_code,
        "milliseconds": round(1000 * seconds, 1),
        "bytes_in": request.content_length or 0,
        "records": g.get("records", 0),
    }
    log.info("request", extra={"fields": fields})
    return response
