"""The documentation says what the code does: generated tables are current, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from train.job.describe import markdown_table
from train.job.hyperparameters import Hyperparameters

PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "data/README.md", "benchmarks/RESULTS.md"]


def pages(repo: Path) -> list[Path]:
    return [*(repo / page for page in PAGES), *sorted((repo / "docs").glob("*.md"))]


def test_the_table_of_hyperparameters_is_the_schemas(repo: Path) -> None:
    assert (repo / "docs" / "hyperparameters.md").read_text().strip() == markdown_table().strip(), "run `make docs`"


@pytest.mark.parametrize("name", ["epochs", "batch_size", "max_len", "non_breaking_in", "dropout_rate"])
def test_the_original_scripts_names_are_in_the_table(repo: Path, name: str) -> None:
    assert name in Hyperparameters.model_fields
    assert f"`{name}`" in (repo / "docs" / "hyperparameters.md").read_text()


def test_every_relative_link_leads_to_a_file(repo: Path) -> None:
    broken = [
        f"{page.relative_to(repo)}: {target}"
        for page in pages(repo)
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_every_make_target_that_is_documented_exists(repo: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (repo / "Makefile").read_text(), flags=re.MULTILINE))
    named = {name for page in pages(repo) for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named
    assert named <= targets
