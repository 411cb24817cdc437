"""What a gunicorn worker runs: the application over the model of this container."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial

from flask import Flask
from gunicorn.arbiter import Arbiter

from container.errors import NmtError
from container.paths import Paths
from serve.emf import Reporter
from serve.engine.loading import load
from serve.models import Models
from serve.service import Service
from serve.settings import Settings
from serve.web.model_routes import create_multi_model_app
from serve.web.page_routes import add_page
from serve.web.routes import create_app, log_to_stdout

log = logging.getLogger("serve")


def application() -> Flask:
    """The application, its model loading in the background. Called in the worker, after the fork."""
    paths, settings = Paths.from_environment(), Settings.from_environment()
    log_to_stdout(settings.log_text)
    if settings.multi_model:
        models = Models(paths.base / "models", settings)
        app = create_multi_model_app(models)
        return _reporting(app, models, settings)
    service = Service(partial(load, paths.model, settings), settings, end_worker)
    app = create_app(service)
    if settings.page:
        add_page(app, paths.model)
    return _reporting(app, service, settings)


def _reporting(app: Flask, service: Service | Models, settings: Settings) -> Flask:
    """The application with what gunicorn closes when its worker ends."""
    app.extensions["service"] = service
    if settings.emf_seconds:
        reporter = Reporter(service.metrics, service.waiting, settings.emf_seconds, sys.stdout)
        reporter.watch(app)
        app.extensions["emf"] = reporter
    return app


def end_worker(error: BaseException) -> None:
    """End a worker that cannot load its model, in the way that makes gunicorn, and so the container, end too.

    `sys.exit` would end only the loading thread.
    """
    if isinstance(error, NmtError):
        print(f"serve: {error}", file=sys.stderr, flush=True)
    else:
        log.error("the model cannot be loaded", exc_info=error)
    os._exit(Arbiter.WORKER_BOOT_ERROR)
