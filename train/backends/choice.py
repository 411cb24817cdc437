"""Which framework trains. This file imports a framework only when it is chosen."""

from __future__ import annotations

import os
from importlib.util import find_spec

from container.errors import HyperparameterError
from train.backends.backend import Backend
from train.job.cluster import Cluster
from train.job.hyperparameters import Hyperparameters

PACKAGES = {"tensorflow": "tensorflow", "pytorch": "torch"}  # the first that is installed is the default
TITLES = {"tensorflow": "TensorFlow", "pytorch": "PyTorch"}


def with_framework(hp: Hyperparameters) -> Hyperparameters:
    """`hp` with `framework` decided. `HyperparameterError` when what it asks for is not installed here."""
    installed = [name for name, package in PACKAGES.items() if find_spec(package) is not None]
    wanted = hp.framework or (installed[0] if installed else "tensorflow")
    if wanted not in installed:
        raise HyperparameterError(
            f"framework={wanted} was asked for, and this image has {' and '.join(installed) or 'none'}: "
            f"use the image with {TITLES[wanted]}, or leave framework out."
        )
    if hp.saved_model and wanted != "tensorflow":
        remedy = "set framework=tensorflow" if "tensorflow" in installed else "use the image with TensorFlow"
        raise HyperparameterError(
            f"saved_model=true needs TensorFlow, and this job trains with PyTorch: {remedy}, or set saved_model=false."
        )
    return hp.model_copy(update={"framework": wanted})


def open_backend(hp: Hyperparameters, cluster: Cluster) -> Backend:
    """Import the framework that `hp.framework` names, which takes seconds, and connect it to the other hosts.

    Keras reads KERAS_BACKEND when it is imported, so no module that imports Keras may be imported before this call.
    """
    if hp.framework == "pytorch":
        os.environ["KERAS_BACKEND"] = "torch"
        from train.backends.pytorch.backend import PyTorchBackend

        return PyTorchBackend(cluster)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from train.backends.tensorflow.backend import TensorFlowBackend

    return TensorFlowBackend(cluster)
