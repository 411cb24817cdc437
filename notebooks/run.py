"""Run a notebook top to bottom and keep its outputs in it; a cell that raises leaves the file as it was.

    python notebooks/run.py notebooks/transformer_nmt_training_and_serving.ipynb

The notebooks read their choices from the environment (NMT_NOTEBOOK_MODE, NMT_IMAGE, ...): see their first cells.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CELL_SECONDS = 1800
# A container's log, which a thread of the SDK prints into whichever cell happens to run, also in the middle of a line.
LOG_LINE = re.compile(r"[a-z0-9]{10}-algo-\d+-[a-z0-9]{5} +\| .*\n")


def main(path: Path) -> None:
    """Execute the notebook at `path` in its own folder."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.resolve().parent)}}
    NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day, new in every run
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                output.text = LOG_LINE.sub("", output.text)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
