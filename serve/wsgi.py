"""What a gunicorn worker runs: the application over the model of this container."""

from __future__ import annotations

import os
import sys
from functools import partial

from flask import Flask
from gunicorn.arbiter import Arbiter

from container.errors import NmtError
from container.paths import Paths
from serve.emf import Reporter
from serve.engine.loading import load
from serve.models import LoadedModel, Models
from serve.settings import Settings
from serve.web.logs import log, log_to_stdout
from serve.web.page import add_page
from serve.web.routes import create_app, create_multi_model_app


def application() -> Flask:
    """The application, its model loading in the background. Called in the worker, after the fork."""
    paths, settings = Paths.from_environment(), Settings.from_environment()
    log_to_stdout(settings.log_text)
    if settings.multi_model:
        models = Models(paths.base / "models", settings)
        return _with_extensions(create_multi_model_app(models), models, settings)
    model = LoadedModel(partial(load, paths.model, settings), settings, end_worker)
    app = create_app(model)
    if settings.page:
        add_page(app, paths.model)
    return _with_extensions(app, model, settings)


def _with_extensions(app: Flask, models: LoadedModel | Models, settings: Settings) -> Flask:
    """The application with what gunicorn closes when its worker ends: the models, and the metrics for CloudWatch."""
    app.extensions["models"] = models
    if settings.emf:
        reporter = Reporter(models.metrics, models.waiting, settings.emf_seconds, sys.stdout)
        reporter.watch(app)
        app.extensions["emf"] = reporter
    return app


def end_worker(error: BaseException) -> None:
    """End a worker that cannot load its model, with the exit code that makes gunicorn, and so the container, end too.

    `sys.exit` would end only the thread that loads.
    """
    if isinstance(error, NmtError):
        print(f"serve: {error}", file=sys.stderr, flush=True)
    else:
        log.error("the model cannot be loaded", exc_info=error)
    os._exit(Arbiter.WORKER_BOOT_ERROR)
