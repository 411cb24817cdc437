"""One loaded model: what /ping and /invocations answer while it is loading, ready or broken.

And several: models come and go by HTTP, through the real nginx.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import quote

import pytest
import requests
from flask.testing import FlaskClient

from container.artifact import Decoding
from container.errors import ArtifactError
from serve.engine.interface import Predictor
from serve.engine.loading import load
from serve.models import LoadedModel, ModelNotFound, Models
from serve.settings import Settings
from serve.web.routes import create_app
from tests.serve.server import DEADLINE, Server, start_server, wait_for
from tests.serve.tiny_model import write_tiny_model

SECONDS = 60.0


class Loading:
    """A model that loads when it is let to."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.go = threading.Event()
        self.failure: BaseException | None = None
        self.failed = threading.Event()
        self.model = LoadedModel(self._load, Settings(), self._on_failure)
        self.client: FlaskClient = create_app(self.model).test_client()

    def _load(self) -> Predictor:
        assert self.go.wait(SECONDS)
        return load(self.base / "model")

    def _on_failure(self, error: BaseException) -> None:
        self.failure = error
        self.failed.set()

    def finish(self) -> None:
        """Let it load and wait until it has."""
        self.go.set()
        self.model._loader.shutdown(wait=True)


@pytest.fixture
def loading(base: Path) -> Iterator[Loading]:
    started = Loading(base)
    yield started
    started.go.set()
    started.model.close()


def test_503_while_loading_200_when_a_sentence_was_decoded(loading: Loading) -> None:
    for method, route in (("GET", "/ping"), ("POST", "/ping"), ("POST", "/invocations")):
        answer = loading.client.open(route, method=method, json=["Hello!"])
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert "loading" in answer.get_json()["error"]["message"]
    loading.finish()
    assert loading.client.get("/ping").status_code == 200
    assert loading.client.post("/invocations", json=["Hello!"]).status_code == 200


def test_a_bad_request_is_told_so_even_while_loading(loading: Loading) -> None:
    assert loading.client.post("/invocations", data=b"", content_type="application/json").status_code == 400


def test_a_model_that_cannot_be_loaded_keeps_ping_at_503(tmp_path: Path) -> None:
    started = Loading(tmp_path)
    started.finish()
    assert started.failed.wait(SECONDS)
    assert isinstance(started.failure, ArtifactError)
    assert started.client.get("/ping").status_code == 503


def test_our_own_bug_is_a_500_without_its_text(loading: Loading, caplog: pytest.LogCaptureFixture) -> None:
    loading.finish()

    def broken(*_: object) -> None:
        raise KeyError("a secret of ours")

    loading.model._batcher._predictor.prepare = broken  # type: ignore[union-attr,method-assign,assignment]
    answer = loading.client.post("/invocations", json=["Hello!"])
    assert answer.status_code == 500
    assert answer.get_json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text


def test_a_broken_engine_turns_ping_to_503(loading: Loading) -> None:
    loading.finish()

    def broken(*_: object) -> None:
        raise RuntimeError("no memory for the engine")

    loading.model._batcher._predictor.decode = broken  # type: ignore[union-attr,method-assign,assignment]
    assert loading.client.post("/invocations", json=["Hello!"]).status_code == 500
    loading.model._batcher.close()  # type: ignore[union-attr]  # the check on the warm-up sentence has run
    answer = loading.client.get("/ping")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "unavailable")


def test_a_model_that_loads_but_cannot_decode_is_not_ready(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model", Decoding(max_target_length=0))  # the engine refuses it at the first word
    started = Loading(tmp_path)
    started.finish()
    assert started.failed.wait(SECONDS)
    assert started.client.get("/ping").status_code == 503


def test_what_fails_behind_the_model_is_no_endless_loading() -> None:
    """A predictor that no queue can be made for: the process must end, not answer 503 for ever."""
    failed = threading.Event()
    model = LoadedModel(lambda: cast(Predictor, object()), Settings(), lambda error: failed.set())
    assert failed.wait(SECONDS)
    with pytest.raises(ArtifactError):
        model.check()


# ---- several models --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def models_base(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like /opt/ml with three models, a damaged one, and one that a link leads out to. Read only."""
    folder = tmp_path_factory.mktemp("multi")
    for name in ("a", "b", "c", "bad"):
        shutil.copytree(base / "model", folder / "models" / name / "model")
    (folder / "models" / "bad" / "model" / "tokenizer.model").write_bytes(b"damaged")
    (folder / "models" / "out").mkdir()
    (folder / "models" / "out" / "model").symlink_to(base / "model")
    (folder / "models" / "nested").mkdir()
    (folder / "models" / "nested" / "link").symlink_to(base / "model")
    return folder


class Endpoint:
    """A running multi-model server, asked as SageMaker asks it."""

    def __init__(self, server: Server, base: Path) -> None:
        self.server, self.base = server, base

    def url_of(self, folder: str) -> str:
        return str(self.base / "models" / folder / "model")

    def ask(self, method: str, path: str, **arguments: object) -> requests.Response:
        return requests.request(method, f"{self.server.url}{path}", timeout=DEADLINE, **arguments)  # type: ignore[arg-type]

    def load(self, name: str, url: str) -> requests.Response:
        return self.ask("POST", "/models", json={"model_name": name, "url": url})

    def names(self) -> list[str]:
        return [entry["modelName"] for entry in self.ask("GET", "/models").json()["models"]]

    def invoke(self, name: str) -> requests.Response:
        return self.ask("POST", f"/models/{quote(name, safe='')}/invoke", json=["Hello!"])


def code(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.fixture(scope="module")
def running(models_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("log") / "serve.log"
    # Room for two of the tiny models.
    server = start_server(models_base, log, SAGEMAKER_MULTI_MODEL="true", NMT_MODELS_MEMORY_MB="40")
    server.wait_until_ready()
    yield server
    assert server.stop() == 0, server.output()


@pytest.fixture
def endpoint(running: Server, models_base: Path) -> Iterator[Endpoint]:
    endpoint = Endpoint(running, models_base)
    yield endpoint
    for name in endpoint.names():
        assert endpoint.ask("DELETE", f"/models/{quote(name, safe='')}").status_code == 200


def test_without_any_model_it_is_ready_and_lists_none(endpoint: Endpoint) -> None:
    assert endpoint.server.ping() == 200
    assert endpoint.ask("GET", "/models").json() == {"models": []}


def test_load_describe_invoke_unload(endpoint: Endpoint, server: Server) -> None:
    assert endpoint.load("m", endpoint.url_of("a")).status_code == 200
    described = {"modelName": "m", "modelUrl": endpoint.url_of("a")}
    assert endpoint.ask("GET", "/models/m").json() == described
    assert endpoint.ask("GET", "/models").json() == {"models": [described]}
    assert endpoint.invoke("m").json() == server.invoke(["Hello!"]).json()
    assert endpoint.ask("DELETE", "/models/m").status_code == 200
    for response in (endpoint.invoke("m"), endpoint.ask("GET", "/models/m"), endpoint.ask("DELETE", "/models/m")):
        assert code(response) == (404, "not_found")
    assert endpoint.load("m", endpoint.url_of("a")).status_code == 200  # and again


@pytest.mark.parametrize(
    "name", ["0123456789abcdef", "a model/with.slash", "//x", "ñandú", "invoke", "a\nb", "x/invoke"]
)
def test_names_are_opaque(endpoint: Endpoint, name: str) -> None:
    assert endpoint.load(name, endpoint.url_of("a")).status_code == 200
    assert endpoint.names() == [name]
    assert endpoint.invoke(name).status_code == 200


def test_a_name_in_use_is_a_409_and_no_memory_a_507(endpoint: Endpoint) -> None:
    assert endpoint.load("a", endpoint.url_of("a")).status_code == 200
    assert code(endpoint.load("a", endpoint.url_of("b"))) == (409, "already_loaded")
    assert endpoint.load("b", endpoint.url_of("b")).status_code == 200
    assert code(endpoint.load("c", endpoint.url_of("c"))) == (507, "out_of_memory")
    assert endpoint.ask("DELETE", "/models/a").status_code == 200
    assert endpoint.load("c", endpoint.url_of("c")).status_code == 200
    assert endpoint.names() == ["b", "c"]


def test_a_model_that_cannot_be_loaded_leaves_nothing_behind(endpoint: Endpoint) -> None:
    response = endpoint.load("bad", endpoint.url_of("bad"))
    assert code(response) == (503, "model_unavailable")
    assert "tokenizer.model is damaged" in response.json()["error"]["message"]
    assert endpoint.names() == []
    assert endpoint.load("bad", endpoint.url_of("a")).status_code == 200
    assert endpoint.server.ping() == 200


@pytest.mark.parametrize("folder", ["out", "../../model", "../..", "../../../etc", "a/../../.."])
def test_no_path_leads_out(endpoint: Endpoint, folder: str) -> None:
    response = endpoint.load("m", endpoint.url_of(folder))
    assert code(response) == (400, "bad_request")
    assert endpoint.names() == []


def test_no_link_inside_a_model_leads_out(endpoint: Endpoint) -> None:
    assert code(endpoint.load("m", str(endpoint.base / "models" / "nested"))) == (400, "bad_request")


@pytest.mark.parametrize("body", ["", "[]", '{"model_name": "m"}', '{"model_name": 1, "url": "x"}', "{", '"x"'])
def test_a_bad_load_is_a_400(endpoint: Endpoint, body: str) -> None:
    response = endpoint.ask("POST", "/models", data=body, headers={"Content-Type": "application/json"})
    assert code(response) == (400, "bad_request")
    assert "model_name" in response.json()["error"]["message"]


def test_invocations_without_a_model_is_a_404(endpoint: Endpoint) -> None:
    assert code(endpoint.server.invoke(["Hello!"])) == (404, "not_found")


def test_a_model_streams_too(endpoint: Endpoint) -> None:
    endpoint.load("m", endpoint.url_of("a"))
    body = {"inputs": "Hello! Hello!", "parameters": {"stream": True}}
    lines = endpoint.ask("POST", "/models/m/invoke", json=body).text.splitlines()
    assert json.loads(lines[-1]) == {"done": True}
    assert len(lines) == 3


def test_the_list_has_pages(models_base: Path) -> None:
    models = Models(models_base / "models", Settings(), page=2)
    for name in "cab":
        models.load(name, str(models_base / "models" / name / "model"))
    first = models.list(None)
    assert [entry["modelName"] for entry in first["models"]] == ["a", "b"]
    second = models.list(first["nextPageToken"])
    assert [entry["modelName"] for entry in second["models"]] == ["c"]
    assert "nextPageToken" not in second
    models.close()


def test_a_model_in_use_is_unloaded_when_its_last_request_has_gone(models_base: Path) -> None:
    models = Models(models_base / "models", Settings())
    models.load("m", str(models_base / "models" / "a" / "model"))
    with models.use("m") as model:
        unloading = threading.Thread(target=models.unload, args=["m"])
        unloading.start()
        wait_for(lambda: not models.loaded())  # until nobody finds it any more
        with pytest.raises(ModelNotFound), models.use("m"):
            pass
        model.check()
        assert unloading.is_alive()
    unloading.join(DEADLINE)
    assert not unloading.is_alive()
    assert models.list(None) == {"models": []}
