"""A trained model: what training hands over to export, evaluation and report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.corpus.batches import Cursor
from train.model.config import TransformerConfig


@dataclass(frozen=True)
class TrainedModel:
    """The shape of a model, its weights, and how far training came.

    weights: float32 moving averages by name. stopped_early: the job was told to stop before training was done.
    """

    config: TransformerConfig
    weights: dict[str, np.ndarray]
    cursor: Cursor
    stopped_early: bool = False
