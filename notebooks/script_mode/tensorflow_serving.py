"""A stand-in for SageMaker's TensorFlow Serving container, for machines that cannot pull AWS's image.

It is no TensorFlow Serving: the SavedModel is run by TensorFlow itself. But it is asked and answers in the same
way, so that `code/inference.py` is called as on SageMaker (aws/sagemaker-tensorflow-serving-container):

    GET  :8080/ping                      200 once the model is loaded
    POST :8080/invocations               input_handler -> the predict API -> output_handler
    POST :8501/v1/models/NAME:predict    TensorFlow Serving's REST predict API, column format only
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import requests
import tensorflow as tf

MODEL = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "model")
HTTP_PORT = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
REST_PORT = int(os.environ.get("TFS_REST_PORT", "8501"))


class Context(NamedTuple):
    """What the handlers are told of a request; the fields and their order are AWS's."""

    model_name: str
    model_version: str | None
    method: str
    rest_uri: str
    grpc_port: str | None
    channel: Any
    custom_attributes: str | None
    request_content_type: str
    accept_header: str
    content_length: int


def find_saved_model(model: Path) -> Path:
    """The newest folder `NAME/<number>` of the model directory that holds a saved_model.pb."""
    found = [file.parent for file in model.rglob("saved_model.pb") if re.fullmatch(r"\d+", file.parent.name)]
    if not found:
        raise SystemExit(f"{model} holds no NAME/<number>/saved_model.pb: train with saved_model=true.")
    return max(found, key=lambda folder: int(folder.name))


def import_handlers(model: Path) -> ModuleType:
    """`code/inference.py` of the model directory."""
    spec = importlib.util.spec_from_file_location("inference", model / "code" / "inference.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{model} holds no code/inference.py.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Answering(BaseHTTPRequestHandler):
    """Writes one answer and logs nothing: request texts are the user's."""

    def answer(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        return


def predict_server(saved_model: Path) -> ThreadingHTTPServer:
    """The REST predict API over the signatures of a SavedModel."""
    signatures = tf.saved_model.load(str(saved_model)).signatures

    class Predict(Answering):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                signature = signatures[body.get("signature_name", "serving_default")]
                outputs = run(signature, body["inputs"])
            except (KeyError, ValueError, tf.errors.OpError) as error:
                self.answer(400, json.dumps({"error": str(error)}).encode())
                return
            self.answer(200, json.dumps({"outputs": outputs}).encode())

    return ThreadingHTTPServer(("127.0.0.1", REST_PORT), Predict)


def run(signature: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """One call of a signature; nested lists in, nested lists out."""
    wanted = signature.structured_input_signature[1]
    tensors = {name: tf.constant(inputs[name], dtype=spec.dtype) for name, spec in wanted.items()}
    return {name: value.numpy().tolist() for name, value in signature(**tensors).items()}


def endpoint_server(handlers: ModuleType, name: str) -> ThreadingHTTPServer:
    """SageMaker's two routes, with the handlers of `code/inference.py` behind the second."""

    class Endpoint(Answering):
        def do_GET(self) -> None:
            self.answer(200 if self.path == "/ping" else 404, b"")

        def do_POST(self) -> None:
            context = Context(
                model_name=name,
                model_version=None,
                method="predict",
                rest_uri=f"http://127.0.0.1:{REST_PORT}/v1/models/{name}:predict",
                grpc_port=None,
                channel=None,
                custom_attributes=self.headers.get("X-Amzn-SageMaker-Custom-Attributes"),
                request_content_type=self.headers.get("Content-Type") or "application/json",
                accept_header=self.headers.get("Accept") or "application/json",
                content_length=int(self.headers["Content-Length"]),
            )
            try:
                request = handlers.input_handler(self.rfile, context)
                response = requests.post(context.rest_uri, data=request, timeout=60)
                body, content_type = handlers.output_handler(response, context)
            except Exception as error:  # noqa: BLE001 - as AWS's container: whatever a handler raises is a 500
                self.answer(500, json.dumps({"error": str(error)}).encode())
                return
            self.answer(200, body if isinstance(body, bytes) else body.encode(), content_type)

    return ThreadingHTTPServer(("0.0.0.0", HTTP_PORT), Endpoint)


def main() -> None:
    saved_model = find_saved_model(MODEL)
    predict = predict_server(saved_model)
    threading.Thread(target=predict.serve_forever, daemon=True).start()
    endpoint_server(import_handlers(MODEL), saved_model.parent.name).serve_forever()


if __name__ == "__main__":
    main()
