"""A server built like AWS's bring-your-own-container sample, with the same engine, to be measured beside `serve`.

    MODEL_DIR=… python -m benchmarks.serving.sample_shape --port 8080

nginx stands before one synchronous gunicorn worker for each vCPU. Each worker loads its own copy of the model at its
first request. One request is one call of the engine. The code is new; the sample that it follows is
github.com/aws/amazon-sagemaker-examples, advanced_functionality/scikit_bring_your_own.
INTRA_THREADS: threads of the engine; 1 is faster here, 0 is the default of CTranslate2.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import ctranslate2
import sentencepiece
from flask import Flask, Response, request

from container.artifact import Artifact, open_artifact
from container.resources import available_cpus
from container.text import normalise

NGINX = """
daemon off; worker_processes auto; pid {folder}/nginx.pid; error_log stderr;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream gunicorn {{ server unix:{folder}/gunicorn.sock; }}
  server {{
    listen {port} deferred; client_max_body_size 5m; keepalive_timeout 5;
    location ~ ^/(ping|invocations) {{ proxy_set_header Host $http_host; proxy_pass http://gunicorn; }}
  }}
}}
"""

app = Flask(__name__)


@lru_cache(maxsize=1)
def model() -> tuple[Artifact, sentencepiece.SentencePieceProcessor, ctranslate2.Translator]:
    """The model of this worker."""
    artifact = open_artifact(Path(os.environ["MODEL_DIR"]))
    threads = int(os.environ.get("INTRA_THREADS", "1"))
    translator = ctranslate2.Translator(str(artifact.ctranslate2), inter_threads=1, intra_threads=threads)
    return artifact, sentencepiece.SentencePieceProcessor(model_file=str(artifact.tokenizer)), translator


@app.get("/ping")
def ping() -> Response:
    """Healthy when the model can be loaded."""
    model()
    return Response(status=200)


@app.post("/invocations")
def invocations() -> Response:
    """One request, one call of the engine."""
    artifact, tokenizer, translator = model()
    document = request.get_json()
    prefix = list(artifact.manifest.source_tokens_prefix)
    sources = [prefix + tokenizer.encode(normalise(text), out_type=str) for text in document["instances"]]
    found = translator.translate_batch(sources, beam_size=document["parameters"]["beam_size"])
    answer = [{"translation": tokenizer.decode(each.hypotheses[0])} for each in found]
    return Response(json.dumps({"predictions": answer}), content_type="application/json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=8080)
    port = parser.parse_args().port
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        config.write_text(user + NGINX.format(folder=folder, port=port))
        nginx = subprocess.Popen(["nginx", "-e", "stderr", "-c", str(config)])
        workers = ["-k", "sync", "-w", str(available_cpus()), "-b", f"unix:{folder}/gunicorn.sock", "--timeout", "60"]
        quiet = ["--no-control-socket", "benchmarks.serving.sample_shape:app"]
        gunicorn = subprocess.Popen([sys.executable, "-m", "gunicorn", *workers, *quiet])
        signal.signal(signal.SIGTERM, lambda *_: gunicorn.terminate())
        gunicorn.wait()
        nginx.send_signal(signal.SIGQUIT)
        return nginx.wait()


if __name__ == "__main__":
    sys.exit(main())
