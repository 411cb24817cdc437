"""docs/troubleshooting.md: each message that it says is ours is one that the code can print."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

GAP = "\0"  # in the place of what an f-string fills in
ANY = "…"  # the same in the document


def python_messages(repo: Path) -> list[str]:
    """Every string of the three packages, with a gap for each value that is filled in."""
    return [
        text
        for package in ("container", "train", "serve")
        for file in sorted((repo / package).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if (text := message(node))
    ]


def message(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def shell_messages(repo: Path) -> list[str]:
    """What build_and_push.sh says, with a gap for each variable."""
    said = re.findall(r'fail "(.*?)"(?: |\.|;|$)', (repo / "build_and_push.sh").read_text(), re.MULTILINE)
    return [re.sub(r"\$\{[^}]*\}|\$\w+", GAP, text) for text in said]


def quoted(repo: Path) -> dict[str, list[str]]:
    """The first column of each table below "Ours", by the title of its section."""
    ours = (repo / "docs" / "troubleshooting.md").read_text().split("\n## ")[1]
    return {
        section.split("\n", 1)[0]: re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
        for section in ours.split("\n### ")[1:]
    }


def stands_in(text: str, messages: list[str]) -> bool:
    """Whether a message begins, ends or goes on so; a gap of the document takes anything, also a gap of the code."""
    pattern = re.compile(".*".join(re.escape(part) for part in text.split(ANY)))
    return any(pattern.search(found) for found in messages)


@pytest.mark.parametrize(
    ("section", "count"),
    [("A training job", 18), ("An endpoint or a transform job", 17), ("build_and_push.sh", 9)],
)
def test_each_message_is_one_of_the_code(repo: Path, section: str, count: int) -> None:
    texts = quoted(repo)[section]
    assert len(texts) == count
    messages = shell_messages(repo) if section == "build_and_push.sh" else python_messages(repo)
    assert [text for text in texts if not stands_in(text, messages)] == []


def test_a_message_that_the_code_does_not_hold_is_found_out(repo: Path) -> None:
    assert not stands_in("There is no tunnel …", python_messages(repo))
    assert stands_in("There is no channel …", ["There is no channel \0 (\0): give the job an input channel"])
