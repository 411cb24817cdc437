"""Where SageMaker puts things: `/opt/ml`, or the folder that `SAGEMAKER_BASE_DIR` names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INPUT_MODES = ("File", "FastFile", "Pipe")  # how SageMaker may hand a channel over


@dataclass(frozen=True)
class Paths:
    """The folders of the container contract under one base folder.

    Source: AWS developer guide, "How Amazon SageMaker provides training information" and
    "How Amazon SageMaker loads your model artifacts".
    """

    base: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Paths:
        return cls(Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml")))

    @property
    def config(self) -> Path:
        return self.base / "input" / "config"

    @property
    def hyperparameters(self) -> Path:
        return self.config / "hyperparameters.json"

    @property
    def input_data_config(self) -> Path:
        return self.config / "inputdataconfig.json"

    @property
    def resource_config(self) -> Path:
        return self.config / "resourceconfig.json"

    @property
    def checkpoint_config(self) -> Path:
        return self.config / "checkpointconfig.json"

    @property
    def data(self) -> Path:
        return self.base / "input" / "data"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def output_data(self) -> Path:
        return self.output / "data"

    @property
    def tensorboard(self) -> Path:
        return self.output / "tensorboard"

    @property
    def failure(self) -> Path:
        return self.output / "failure"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"
