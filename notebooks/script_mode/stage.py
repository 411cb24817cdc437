"""Make the source folder of script mode: the packages, requirements.txt without TensorFlow, and the entry script.

python notebooks/script_mode/stage.py build/script_mode
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENTRY = "train_nmt.py"


def stage(destination: Path) -> Path:
    """Write the folder anew; returns it. TensorFlow is the container's own, so requirements.txt leaves it out."""
    shutil.rmtree(destination, ignore_errors=True)
    destination.mkdir(parents=True)
    for package in ("container", "train"):
        shutil.copytree(ROOT / package, destination / package, ignore=shutil.ignore_patterns("__pycache__", "bin"))
    shutil.copyfile(HERE / ENTRY, destination / ENTRY)
    shutil.copytree(HERE / "serving", destination / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    (destination / "requirements.txt").write_text("\n".join(requirements()) + "\n")
    return destination


def requirements() -> list[str]:
    """What training needs beside TensorFlow, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["train"]]
    return [line for line in wanted if not line.startswith("tensorflow")]


if __name__ == "__main__":
    print(f"staged {stage(Path(sys.argv[1]))}")
