"""The documentation says what the code does: tables are current, links lead to existing files and headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.tables.contents import TABLES
from docs.tables.pages import names_of_tables, with_current_tables
from train.job.hyperparameters import Hyperparameters

PAGES = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "data/pretrained/README.md",
    "benchmarks/RESULTS.md",
    "benchmarks/EXPERIMENTS.md",
    "local_test/README.md",
    "tests/faults/README.md",
]


def pages(repo: Path) -> list[Path]:
    return [*(repo / page for page in PAGES), *sorted((repo / "docs").glob("*.md"))]


def test_every_table_is_current_and_stands_in_one_page(repo: Path) -> None:
    texts = [page.read_text() for page in pages(repo)]
    assert sorted(name for text in texts for name in names_of_tables(text)) == sorted(TABLES)
    old = [page.name for page in pages(repo) if with_current_tables(page.read_text()) != page.read_text()]
    assert not old, "run `make docs`"


def test_a_table_that_is_not_current_is_written_again() -> None:
    page = "# Errors\n\n<!-- table: errors -->\n| old |\n<!-- /table -->\n\nEnd.\n"
    current = with_current_tables(page)
    assert current == f"# Errors\n\n<!-- table: errors -->\n{TABLES['errors']()}\n<!-- /table -->\n\nEnd.\n"
    assert "`NameInUse`" in current and "| old |" not in current


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


def test_every_link_to_a_heading_leads_to_one(repo: Path) -> None:
    broken = [
        f"{page.relative_to(repo)}: {target}#{heading}"
        for page in pages(repo)
        for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text())
        if heading not in headings((page.parent / target if target else page).read_text())
    ]
    assert not broken


def headings(markdown: str) -> set[str]:
    """The anchors that GitHub makes of the headings of a page."""
    lines = re.findall(r"^#+ (.+)$", markdown, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("package", ["train", "serve"])
def test_the_paths_through_the_code_name_files_that_exist(repo: Path, package: str) -> None:
    """docs/README.md follows a pair through `train` and a request through `serve`."""
    text = (repo / "docs" / "README.md").read_text()
    section = next(part for part in text.split("\n## ") if f"through `{package}/`" in part)
    named = re.findall(r"`([\w/]+\.(?:py|conf))`", section)
    assert len(named) > 5
    assert not [name for name in named if not any((repo / folder / name).is_file() for folder in (package, "."))]


def test_every_make_target_that_is_documented_exists(repo: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (repo / "Makefile").read_text(), flags=re.MULTILINE))
    named = {name for page in pages(repo) for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named
    assert named <= targets
