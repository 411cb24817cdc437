"""The folders of SageMaker's container contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.paths import Paths


def test_the_base_is_opt_ml_unless_the_environment_names_another() -> None:
    assert Paths.from_environment({}).base == Path("/opt/ml")
    assert Paths.from_environment({"SAGEMAKER_BASE_DIR": "/else where"}).base == Path("/else where")


def test_the_environment_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", "/else where")
    assert Paths.from_environment().base == Path("/else where")


def test_every_path_is_where_sagemaker_documents_it() -> None:
    paths = Paths(Path("/opt/ml"))
    documented = {
        "config": "input/config",
        "hyperparameters": "input/config/hyperparameters.json",
        "input_data_config": "input/config/inputdataconfig.json",
        "resource_config": "input/config/resourceconfig.json",
        "checkpoint_config": "input/config/checkpointconfig.json",
        "data": "input/data",
        "model": "model",
        "output": "output",
        "output_data": "output/data",
        "tensorboard": "output/tensorboard",
        "failure": "output/failure",
        "checkpoints": "checkpoints",
    }
    properties = {name for name, value in vars(Paths).items() if isinstance(value, property)}
    assert {name: getattr(paths, name) for name in properties} == {
        name: Path("/opt/ml") / path for name, path in documented.items()
    }
