"""Choose the engine and its device, and load the model into it."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import ctranslate2

from container.artifact import open_artifact
from container.errors import PlatformError
from container.resources import available_cpus
from serve.engine.ctranslate2 import CTranslate2Predictor
from serve.engine.interface import WARM_UP, Predictor
from serve.settings import Settings, check_engine


def load(folder: Path, settings: Settings | None = None) -> Predictor:
    """Open, check and load the model in `folder`, and decode one sentence: the predictor returned is ready.

    `ArtifactError` when the model is not whole or not made for the engine; `PlatformError` when the
    machine lacks the GPU or the package that the settings ask for.
    """
    predictor = _load(folder, settings or Settings())
    predictor.translate([WARM_UP])
    return predictor


def _load(folder: Path, settings: Settings) -> Predictor:
    if settings.engine == "tensorflow":
        check_engine(settings.engine)
        from serve.engine.tensorflow import TensorFlowPredictor  # imports TensorFlow: seconds, and 300 MB

        return TensorFlowPredictor(open_artifact(folder, with_saved_model=True), available_cpus(), settings.device)
    gpus = ctranslate2.get_cuda_device_count()
    device = choose_device(settings.device, gpus if gpus and open_cublas() else 0)
    return CTranslate2Predictor(open_artifact(folder), available_cpus(), device)


def choose_device(wanted: str, gpus: int) -> str:
    """The device ("cpu" or "cuda") for the value of NMT_DEVICE ("auto", "cpu", "cuda") and the number of usable GPUs.

    `PlatformError` when NMT_DEVICE is "cuda" and there is no usable GPU.
    """
    if wanted == "cuda" and not gpus:
        raise PlatformError(
            "NMT_DEVICE is cuda but the engine sees no GPU: take an instance type with one and the image for it, "
            "start Docker with --gpus all, or set NMT_DEVICE=auto."
        )
    return "cuda" if gpus and wanted != "cpu" else "cpu"


def open_cublas() -> bool:
    """Whether cuBLAS is installed, which CTranslate2 opens by its name at the first matrix product on a GPU.

    TensorFlow's packages for the GPU keep it in a folder that the linker does not search. Once the library is open,
    CTranslate2 finds it by its name.
    """
    for name in ("libcublasLt.so.12", "libcublas.so.12"):
        found = [path for folder in sys.path if (path := Path(folder, "nvidia", "cublas", "lib", name)).is_file()]
        try:
            ctypes.CDLL(str(found[0]) if found else name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            return False
    return True
