"""docs/extend.md: its examples work, and the files and names it speaks of exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

import container.errors
import train.job.hyperparameters
from container.errors import UserError
from docs.tables.contents import TABLES
from serve import metrics, settings
from serve.engine.loading import load
from serve.models import LoadedModel
from serve.settings import Settings
from serve.web import answers, bodies, formats
from serve.web.errors import handle_errors
from serve.web.routes import create_app
from tests.serve.tiny_model import write_tiny_model


def page(repo: Path) -> str:
    return (repo / "docs" / "extend.md").read_text()


def example(repo: Path, section: str) -> str:
    """The Python code in a section of the page."""
    text = page(repo).partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return str(code)


def test_the_hyperparameter_is_one_line(repo: Path) -> None:
    made = dict(vars(train.job.hyperparameters))
    exec(f"class More(Hyperparameters):\n{example(repo, 'A hyperparameter')}", made)  # the page's own line
    assert made["More"].model_validate({"attention_dropout": 0.2}).attention_dropout == 0.2
    with pytest.raises(ValueError, match="attention_dropout"):
        made["More"].model_validate({"attention_dropout": 2})


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    """The application of the server over a tiny model."""
    write_tiny_model(tmp_path / "model")
    model = LoadedModel(partial(load, tmp_path / "model"), Settings())
    model.wait_until_loaded()
    yield create_app(model).test_client()
    model.close()


@pytest.fixture
def own_tables() -> Iterator[None]:
    """What an example enters into a table of the program is gone after the test."""
    formats_before, metrics_before = dict(formats.FORMATS), dict(metrics.METRICS)
    yield
    for table, before in ((formats.FORMATS, formats_before), (metrics.METRICS, metrics_before)):
        table.clear()
        table.update(before)  # type: ignore[arg-type]
    formats.content_type.cache_clear()
    formats.accepted.cache_clear()


def test_the_content_type_is_a_reader_and_an_entry(repo: Path, client: FlaskClient, own_tables: None) -> None:
    body = "Hello!\tjunk\n\nthe dog\tjunk\n"
    send = partial(client.post, "/invocations", data=body, content_type="text/tab-separated-values")
    assert send().status_code == 415
    exec(example(repo, "A content type of the endpoint"), {**vars(bodies), **vars(answers), **vars(formats)})
    plain = client.post("/invocations", data="Hello!\n\nthe dog\n", content_type="text/plain")
    assert send().status_code == 200
    assert send().text == plain.text
    assert send().headers["Content-Type"].startswith("text/tab-separated-values")
    described = client.get("/openapi.json").get_json()["paths"]["/invocations"]["post"]
    assert described["requestBody"]["content"]["text/tab-separated-values"]["schema"]["type"] == "string"
    assert "`text/tab-separated-values`" in TABLES["content-types"]()


def test_the_setting_is_one_line(repo: Path) -> None:
    made = dict(vars(settings))
    exec(f"class More(Settings):\n{example(repo, 'A setting of the server')}", made)
    assert made["More"].from_environment({"NMT_GREETING": "2"}).greeting == 2
    with pytest.raises(UserError, match="NMT_GREETING is '4': give a whole number from 0 to 3"):
        made["More"].from_environment({"NMT_GREETING": "4"})


def test_the_error_is_one_class(repo: Path) -> None:
    made = dict(vars(container.errors))
    exec(example(repo, "An error"), made)
    app = Flask("test")
    handle_errors(app)

    @app.get("/greeting")
    def greet() -> None:
        raise made["TooManyGreetings"]("The server has greeted you: do not ask again.")

    answer = app.test_client().get("/greeting")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (429, "too_many_greetings")


def test_the_metric_is_one_line_and_a_call(repo: Path, own_tables: None) -> None:
    exec(example(repo, "A metric of the server"), dict(vars(metrics)))
    counted = metrics.Metrics()
    counted.add("nmt_greetings_total", language="es")
    assert 'nmt_greetings_total{language="es"} 1.0\n' in counted.text()
    assert "`nmt_greetings_total`" in TABLES["metrics"]()


def test_files_and_names_exist(repo: Path) -> None:
    """`name` in `file.py`: the file holds the name."""
    files = re.findall(r"`([a-z_]+/[\w/.]+\.py)`", page(repo))
    assert files
    assert [file for file in files if not (repo / file).is_file()] == []
    pairs = re.findall(r"`(\w+)`[^`]{0,20} in\s+`([\w/.]+\.py)`", page(repo))
    assert len(pairs) >= 4
    assert [pair for pair in pairs if pair[0] not in (repo / pair[1]).read_text()] == []
