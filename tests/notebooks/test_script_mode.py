"""Script mode: the staged folder, the entry script under AWS's toolkit, the handler, and the notebook of all three."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from container.paths import Paths
from notebooks.script_mode.stage import ENTRY, stage
from notebooks.script_mode.train_nmt import lay_out, take
from tests.notebooks.conftest import Execute, printed, tidied
from tests.serve.server import free_port
from train.job.channels import read_channels
from train.job.cluster import read_cluster

NOTEBOOK = "transformer_nmt_training_and_serving.ipynb"
SENTENCE = re.compile(r"^(Good morning!|Where is the station\?|My sister has a small dog\.) +(\S.*)$", re.MULTILINE)


@pytest.fixture
def script_mode_image(image: str, tmp_path: Path) -> Iterator[str]:
    """A name for the image that the notebook builds; what it started is gone afterwards."""
    name = "sagemaker-nmt-script-mode-test"
    with tidied(tmp_path, name, owner=image):
        yield name


@pytest.mark.docker
def test_the_notebook_runs_top_to_bottom_without_an_aws_account(
    execute: Execute, image: str, script_mode_image: str, tmp_path: Path
) -> None:
    environment = {
        "NMT_NOTEBOOK_QUICK": "1",
        "NMT_NOTEBOOK_WORK": str(tmp_path),
        "NMT_NOTEBOOK_PORT": str(free_port()),
        "NMT_IMAGE": image,
        "NMT_SCRIPT_MODE_IMAGE": script_mode_image,
    }
    said = printed(execute(NOTEBOOK, 900, environment))
    assert "train: resumed from" in said
    assert "saved_model/1/saved_model.pb" in said
    assert "code/inference.py" in said
    assert len(SENTENCE.findall(said)) == 3, said


def test_the_committed_outputs_are_those_of_a_run_with_real_translations(repo: Path) -> None:
    notebook = nbformat.read(repo / "notebooks" / NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    translations = [translation for _, translation in SENTENCE.findall(printed(notebook))]
    assert len(set(translations)) == 3
    assert "estación" in translations[1]


# The pieces


def test_the_staged_folder_holds_what_the_job_needs_and_not_tensorflow(tmp_path: Path) -> None:
    folder = stage(tmp_path / "source")
    assert {ENTRY, "requirements.txt", "serving", "container", "train"} == {path.name for path in folder.iterdir()}
    wanted = (folder / "requirements.txt").read_text()
    assert "ctranslate2" in wanted and "sentencepiece" in wanted and "safetensors" in wanted
    assert "tensorflow" not in wanted
    assert not list(folder.rglob("__pycache__"))


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    for folder in ("training data", "model", "output", "checkpoints"):
        (tmp_path / folder).mkdir()
    (tmp_path / "training data" / "pairs.tsv").write_text("Hello.\tHola.\n")
    return {
        "SM_MODEL_DIR": str(tmp_path / "model"),
        "SM_OUTPUT_DIR": str(tmp_path / "output"),
        "SM_CHECKPOINT_DIR": str(tmp_path / "checkpoints"),
        "SM_CHANNELS": '["checkpoints", "training"]',
        "SM_CHANNEL_TRAINING": str(tmp_path / "training data"),
        "SM_CHANNEL_CHECKPOINTS": str(tmp_path / "checkpoints"),
        **more,
    }


def test_the_toolkits_variables_become_a_job_as_train_reads_it(tmp_path: Path) -> None:
    hosts = {"SM_HOSTS": '["algo-1", "algo-2"]', "SM_CURRENT_HOST": "algo-2", "SM_NETWORK_INTERFACE_NAME": "eth1"}
    config: dict[str, Any] = {"training": {"TrainingInputMode": "File", "S3DistributionType": "ShardedByS3Key"}}
    given = environment(tmp_path, SM_INPUT_DATA_CONFIG=json.dumps(config), **hosts)
    lay_out(given, tmp_path / "ml")
    paths = Paths(tmp_path / "ml")
    channels = read_channels(paths)
    assert list(channels) == ["training"]
    assert channels["training"].sharded
    assert (channels["training"].directory / "pairs.tsv").read_text() == "Hello.\tHola.\n"
    cluster = read_cluster(paths.resource_config)
    assert (cluster.hosts, cluster.rank) == (("algo-1", "algo-2"), 1)
    assert paths.model.resolve() == tmp_path / "model"
    assert paths.output.resolve() == tmp_path / "output"


@pytest.mark.parametrize(
    ("arguments", "value", "rest"),
    [
        (["--epochs", "3"], None, ["--epochs", "3"]),
        (["--keep_checkpoints", "True", "--epochs", "3"], "True", ["--epochs", "3"]),
        (["--epochs", "3", "--keep-checkpoints"], "true", ["--epochs", "3"]),
        (["--keep-checkpoints", "--epochs", "3"], "true", ["--epochs", "3"]),
    ],
)
def test_its_own_arguments_do_not_reach_train(arguments: list[str], value: str | None, rest: list[str]) -> None:
    assert take(arguments, "keep_checkpoints") == value
    assert arguments == rest
