"""Run a notebook top to bottom and keep its outputs in it; a cell that raises leaves the file as it was.

    python notebooks/run.py notebooks/transformer_nmt_training_and_serving.ipynb

The notebooks read their choices from the environment (NMT_NOTEBOOK_MODE, NMT_IMAGE, ...): see their first cells.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CELL_SECONDS = 1800


def main(path: Path) -> None:
    """Execute the notebook at `path` in its own folder."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.resolve().parent)}}
    NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day, new in every run
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
