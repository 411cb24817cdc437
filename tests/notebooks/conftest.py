"""Runs a notebook as a person would, top to bottom, with nothing of AWS."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.engine import clean_environment, docker, image  # noqa: F401  # image is a fixture

Notebook = Any  # nbformat.NotebookNode: attributes made from JSON
Execute = Callable[..., Notebook]


@pytest.fixture(scope="session")
def execute(repo: Path) -> Execute:
    """`execute(notebook, timeout, environment)`: the notebook with its outputs; a cell that raises fails the test.

    notebook: its name in notebooks/. timeout: seconds for one cell. environment: variables for the kernel.
    """

    def run(name: str, timeout: int, environment: Mapping[str, str]) -> Notebook:
        notebook = nbformat.read(repo / "notebooks" / name, as_version=4)
        resources = {"metadata": {"path": str(repo / "notebooks")}}
        client = NotebookClient(notebook, timeout=timeout, kernel_name="python3", resources=resources)
        return client.execute(env={**clean_environment(), "PYTHONPATH": os.fspath(repo), **environment})

    return run


def printed(notebook: Notebook) -> str:
    """What all cells printed."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")


@contextmanager
def tidied(folder: Path, started_of: str, owner: str) -> Iterator[None]:
    """Afterwards the containers that were started within of an image are gone, and what they wrote in `folder` is ours.

    owner: an image that is there, to change the owner with.
    """

    def containers() -> set[str]:
        return set(docker("ps", "--all", "--quiet", f"--filter=ancestor={started_of}", check=False).stdout.split())

    before = containers()
    yield
    if started := containers() - before:
        docker("rm", "--force", "--volumes", *started)
    docker("network", "rm", "sagemaker-local", check=False)
    mount = f"--mount=type=bind,source={folder},target=/mine"
    docker("run", "--rm", mount, owner, "chown", "-R", f"{os.getuid()}:{os.getgid()}", "/mine")
