"""Packed bodies, the limits in force, and what the server says about itself."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from werkzeug.exceptions import RequestEntityTooLarge

from container.artifact import open_artifact
from container.errors import Overloaded
from serve.engine.batching import Batcher, Work
from serve.engine.ctranslate2 import CTranslate2Predictor
from serve.engine.interface import default_options
from serve.web.bodies import unpack
from serve.web.transform import execution_parameters
from tests.serve.gate import HELD, Gate
from tests.serve.server import DEADLINE, Server, wait_for

Start = Callable[..., Server]
GIB = 2**30


def test_a_gzip_body_is_unpack(server: Server) -> None:
    plain = server.invoke("Hello!\nthe dog\n", "text/plain").text
    packed = gzip.compress(b"Hello!\n") + gzip.compress(b"the dog\n")  # two members are one file
    assert server.invoke(packed, "text/plain", Content_Encoding="gzip").text == plain


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"Hello!" * 100)[:-9], gzip.compress(b"Hello!")[:4]])
def test_a_broken_gzip_body_is_a_400(server: Server, body: bytes) -> None:
    response = server.invoke(body, "text/plain", Content_Encoding="gzip")
    assert response.status_code == 400
    assert "gzip" in response.json()["error"]["message"]


def test_a_gzip_bomb_is_a_413(server: Server) -> None:
    response = server.invoke(gzip.compress(b"a" * (26 * 2**20)), "text/plain", Content_Encoding="gzip")
    assert response.status_code == 413
    assert "25 MB" in response.json()["error"]["message"]


def test_no_more_than_the_limit_is_unpack() -> None:
    assert unpack(gzip.compress(b"abc"), "gzip", 3) == b"abc"
    with pytest.raises(RequestEntityTooLarge):
        unpack(gzip.compress(b"abcd"), "gzip", 3)


def test_json_lines_have_parameters_of_their_own(server: Server) -> None:
    lines = '"Hello!"\n{"text": "Hello!", "num_hypotheses": 2}\n\n'
    answer = server.invoke(lines, "application/jsonlines").text.split("\n")
    first, second, third = (json.loads(line) for line in answer[:3])
    assert (set(first) >= {"translation"}, "hypotheses" in first) == (True, False)
    assert len(second["hypotheses"]) == 2
    assert third == {"translation": ""}


def test_an_answer_past_the_deadline_is_a_503_and_leaves_the_queue(start: Start, gate: Gate) -> None:
    server = start(NMT_DEADLINE_SECONDS="1", NMT_BATCH_TOKENS="1", **gate.environment)
    server.wait_until_ready()
    with gate.shut():
        response = server.invoke({"instances": [HELD] * 1000})
        assert response.status_code == 503, response.text[:200]
        assert "NMT_DEADLINE_SECONDS" in response.json()["error"]["message"]
        assert server.waiting() == 0
    wait_for(lambda: server.invoke(["Hello!"]).status_code == 200)


def test_a_deadline_that_has_passed(base: Path) -> None:
    model = open_artifact(base / "model")
    batcher = Batcher(CTranslate2Predictor(model, 1), 1, 64, 64)
    works = [Work("the dog", default_options(model.manifest.decoding))] * 60
    with pytest.raises(Overloaded):
        batcher.decode(works, until=0.0)
    assert len(batcher.decode(works, until=math.inf)) == 60
    batcher.close()


def test_a_batch_transform_takes_a_body_of_any_size(start: Start) -> None:
    server = start(SAGEMAKER_BATCH="true")
    server.wait_until_ready()
    assert server.invoke(b" " * (26 * 2**20), "text/plain").status_code == 200


def test_execution_parameters_are_served(server: Server) -> None:
    limits = requests.get(f"{server.url}/execution-parameters", timeout=DEADLINE).json()
    assert set(limits) == {"MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB"}
    assert limits["BatchStrategy"] == "MULTI_RECORD"


@pytest.mark.parametrize(
    ("cpus", "memory", "max_body_mb", "max_requests", "expected"),
    [
        (2, 64 * GIB, 25, 256, (4, 6)),
        (64, 64 * GIB, 25, 256, (16, 6)),  # 16 x 6 MB <= 100 MB
        (64, 64 * GIB, 0, 256, (16, 6)),
        (2, 64 * GIB, 3, 256, (4, 3)),
        (2, 64 * GIB, 25, 1, (1, 6)),
        (8, 1 * GIB, 25, 256, (1, 6)),
        (8, GIB // 4, 25, 256, (1, 2)),
        (1, 2**20, 25, 256, (1, 1)),
    ],
)
def test_execution_parameters_agree_with_the_limits(
    cpus: int, memory: int, max_body_mb: int, max_requests: int, expected: tuple[int, int]
) -> None:
    limits = execution_parameters(cpus, memory, max_body_mb, max_requests)
    assert (limits["MaxConcurrentTransforms"], limits["MaxPayloadInMB"]) == expected
