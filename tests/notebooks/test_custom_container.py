"""The notebook of the custom container: run top to bottom in local mode, and its committed outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.conftest import Execute, printed, tidied
from tests.serve.server import free_port

NOTEBOOK = "transformer_nmt_training_custom_container.ipynb"
SENTENCE = re.compile(
    r"^(Where is the station\?|My sister has a small dog\.|She doesn't speak Spanish\.) {2,}(\S.*)$", re.M
)


@pytest.fixture
def work(image: str, tmp_path: Path) -> Iterator[Path]:
    """A folder for the notebook; what its containers wrote is ours again afterwards, and they are gone."""
    with tidied(tmp_path, image, owner=image):
        yield tmp_path


@pytest.mark.docker
def test_it_runs_top_to_bottom_without_an_aws_account(execute: Execute, image: str, work: Path) -> None:
    environment = {
        "NMT_NOTEBOOK_QUICK": "1",
        "NMT_NOTEBOOK_WORK": str(work),
        "NMT_NOTEBOOK_PORT": str(free_port()),
        "NMT_IMAGE": image,
    }
    said = printed(execute(NOTEBOOK, 600, environment))
    assert "¿Dónde está la estación?" in said  # the pretrained model; that of the quick job may say anything
    assert "train: the model stands in /opt/ml/model" in said
    assert "'validation:bleu'" in said  # the metric definitions found it in the log
    assert "train: resumed from checkpoint-" in said
    assert '{"done": true}' in said  # the stream's last line
    lines = (work / "transformed" / "lines.txt.out").read_text().split("\n")
    assert len(lines) > 5 and not any(lines[5:])  # the model of the quick job may leave some of the five empty
    assert "learning_rate" in said and "Logarithmic" in said


def test_the_committed_outputs_are_those_of_a_run_with_real_translations(repo: Path) -> None:
    notebook = nbformat.read(repo / "notebooks" / NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    translations = [translation for _, translation in SENTENCE.findall(printed(notebook))]
    assert len(translations) == 6  # of the model that the notebook trains, then of the pretrained one
    assert translations[3:] == [
        "¿Dónde está la estación?",
        "Mi hermana tiene un perro pequeño.",
        "Ella no habla español.",
    ]
