"""The page for people at `/`: the files of serve/web/page/, and what they must know about the model.

The server has it outside of SageMaker (see `Settings.page`). Nothing in it comes from another host.
"""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask, Response, send_from_directory

from container.artifact import Manifest, find_model, read_manifest
from serve.web import formats

FOLDER = Path(__file__).parent / "page"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def add_page(app: Flask, model: Path) -> None:
    """Add the page for the model in the directory `model` to the application."""

    @app.get("/")
    def page() -> Response:
        return _file("index.html")

    @app.get("/page/<name>")
    def part(name: str) -> Response:
        return _file(name)

    @app.get("/page/model.json")
    def about() -> Response:
        directions = [_describe(manifest) for manifest in read_manifest(find_model(model)).directions]
        return Response(json.dumps({"directions": directions}), content_type=formats.JSON, headers=HEADERS)


def _describe(manifest: Manifest) -> dict[str, object]:
    """What the page must know about one direction of the model."""
    bleu = manifest.scores.get("bleu")
    return {
        "source_lang": manifest.source_lang,
        "target_lang": manifest.target_lang,
        "bleu": bleu.value if bleu else None,
        "confidence": manifest.calibration is not None,
    }


def _file(name: str) -> Response:
    response = send_from_directory(FOLDER, name, max_age=0)  # asked for again each time, answered by its ETag
    response.headers.update(HEADERS)
    return response
