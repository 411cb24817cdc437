"""docs/extend.md: its examples work, and the files and names it speaks of exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import serve.web.formats
import train.job.hyperparameters
from serve.engine.interface import Hypothesis, Translation


def page(repo: Path) -> str:
    return (repo / "docs" / "extend.md").read_text()


def examples(repo: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page(repo), flags=re.MULTILINE | re.DOTALL)


def test_the_hyperparameter_is_one_line(repo: Path) -> None:
    field, _ = examples(repo)
    made = dict(vars(train.job.hyperparameters))
    exec(f"class More(Hyperparameters):\n{field}", made)  # the page's own line
    assert made["More"].model_validate({"attention_dropout": 0.2}).attention_dropout == 0.2
    with pytest.raises(ValueError, match="attention_dropout"):
        made["More"].model_validate({"attention_dropout": 2})


def test_the_content_type_is_two_functions(repo: Path) -> None:
    _, code = examples(repo)
    room = {**vars(serve.web.formats), "READERS": {}, "WRITERS": {}}  # the module's own tables stay as they are
    exec(code, room)  # the page's own lines
    (media,) = room["READERS"]
    request = room["READERS"][media]("Hello.\tjunk\n\nBye.\tjunk\n")
    assert [item.text for item in request.items] == ["Hello.", "", "Bye."]
    translations = [Translation((Hypothesis(text, 0.0),)) for text in ("Hola.", "", "Adiós.")]
    assert room["WRITERS"][media](request, translations) == "Hola.\n\nAdiós.\n"


def test_files_and_names_exist(repo: Path) -> None:
    """`name` in `file.py`: the file holds the name."""
    files = re.findall(r"`([a-z_]+/[\w/.]+\.py)`", page(repo))
    assert files
    assert [file for file in files if not (repo / file).is_file()] == []
    pairs = re.findall(r"`(\w+)`[^`]{0,20} in\s+`([\w/.]+\.py)`", page(repo))
    assert len(pairs) >= 4
    assert [pair for pair in pairs if pair[0] not in (repo / pair[1]).read_text()] == []
