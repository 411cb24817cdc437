"""Which engine translates, and how it comes to life."""

from __future__ import annotations

from pathlib import Path

from container.artifact import open_artifact
from serve.ctranslate2_engine import CTranslate2Predictor
from serve.machine import available_cpus
from serve.parameters import Parameters
from serve.predictor import WARM_UP, Predictor


def load(folder: Path) -> Predictor:
    """Open, check and load the model in `folder` and decode one sentence to its end: ready when it returns."""
    predictor = CTranslate2Predictor(open_artifact(folder), available_cpus())
    predictor.translate([WARM_UP], Parameters())
    return predictor
