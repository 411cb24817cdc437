"""What clients send and get, through the real nginx and gunicorn."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.serve.server import DEADLINE, Server, wait_for

TEXTS = ["I see the dog.", "", "Hello!", "  \t ", "the big red house"]


def message(response: requests.Response, status: int, code: str) -> str:
    """The one sentence of a JSON error, after checking its shape."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["code"] == code
    assert "Traceback" not in response.text
    return str(error["message"])


def test_instances_answer_predictions_in_order(server: Server) -> None:
    answer = server.invoke({"instances": TEXTS})
    assert answer.status_code == 200
    predictions = answer.json()["predictions"]
    assert [bool(entry["translation"]) for entry in predictions] == [True, False, True, False, True]
    alone = [server.invoke({"instances": [text]}).json()["predictions"][0] for text in TEXTS]
    assert predictions == alone  # sharing a batch changes nothing


def test_inputs_answer_like_hugging_face(server: Server) -> None:
    one = server.invoke({"inputs": "Hello!"}).json()
    several = server.invoke({"inputs": ["Hello!", "the dog"]}).json()
    assert list(one[0]) == ["translation_text", "warning"] or list(one[0]) == ["translation_text"]
    assert len(one) == 1
    assert len(several) == 2
    assert several[0] == one[0]


def test_a_bare_string_or_list_answers_like_instances(server: Server) -> None:
    expected = server.invoke({"instances": ["Hello!"]}).json()
    assert server.invoke('"Hello!"').json() == expected
    assert server.invoke(["Hello!"]).json() == expected
    assert server.invoke([]).json() == {"predictions": []}


@pytest.mark.parametrize("end", ["\n", ""])
def test_plain_text_answers_exactly_one_line_for_each(server: Server, end: str) -> None:
    answer = server.invoke("\n".join(TEXTS) + end, "text/plain")
    expected = [entry["translation"] for entry in server.invoke({"instances": TEXTS}).json()["predictions"]]
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode() == "\n".join(expected) + end


def test_no_character_in_a_line_makes_two_of_it(server: Server) -> None:
    body = "one\u2028two\x0bthree\x85four\r\nfive\n\n\nsix\n"
    answer = server.invoke(body.encode(), "text/plain").content.decode()
    assert answer.count("\n") == body.count("\n")
    assert len(answer.splitlines()) == body.count("\n")


def test_json_lines_and_csv(server: Server) -> None:
    expected = [entry["translation"] for entry in server.invoke({"instances": TEXTS}).json()["predictions"]]
    lines = "".join(json.dumps({"text": text} if text else text) + "\n" for text in TEXTS)
    answer = server.invoke(lines, "application/jsonlines").content.decode()
    assert [json.loads(line)["translation"] for line in answer.splitlines()] == expected
    answer = server.invoke('"I see the dog.",1\r\n\r\nHello!\n', "text/csv", Accept="text/plain").content.decode()
    assert answer.split("\n") == [expected[0], "", expected[2], ""]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", "text/plain; charset=utf-8"),
        ("", "text/plain; charset=utf-8"),
        ("application/json", "application/json"),
        ("text/plain;q=0.2, application/json;q=0.9", "application/json"),
        ("text/*;q=0.5, application/jsonlines", "application/jsonlines"),
        ("image/png, text/csv;q=0.1", "text/csv; charset=utf-8"),
    ],
)
def test_accept_chooses_the_answer(server: Server, accept: str, expected: str) -> None:
    assert server.invoke("Hello!\n", "text/plain", Accept=accept).headers["Content-Type"] == expected


def test_charsets_and_byte_order_mark(server: Server) -> None:
    plain = server.invoke("café\n".encode(), "text/plain").text
    assert server.invoke("café\n".encode("latin-1"), "text/plain; charset=ISO-8859-1").text == plain
    assert server.invoke("\ufeffcafé\n".encode(), "text/plain").text == plain


def test_parameters_of_the_request_and_of_an_instance(server: Server) -> None:
    body = {
        "instances": ["Hello!", {"text": "Hello!", "num_hypotheses": 3, "return_scores": False}, "the dog"],
        "parameters": {"return_scores": True, "beam_size": 4, "length_penalty": 1, "max_length": 5},
    }
    first, second, third = server.invoke(body).json()["predictions"]
    assert first["score"] < 0 and "hypotheses" not in first
    assert "score" not in second and len(second["hypotheses"]) == 3
    assert second["hypotheses"][0] == {"translation": first["translation"], "score": first["score"]}
    scores = [entry["score"] for entry in second["hypotheses"]]
    assert scores == sorted(scores, reverse=True)
    assert third["translation"] != first["translation"]


def test_more_hypotheses_than_the_default_beam_widen_it(server: Server) -> None:
    entry = server.invoke({"inputs": "Hello!", "parameters": {"num_hypotheses": 6}}).json()[0]
    assert len(entry["hypotheses"]) == 6


def test_private_use_and_broken_characters_do_no_harm(server: Server) -> None:
    plain = server.invoke(["the dog"]).json()
    assert server.invoke('["\\ue003the\\u0000 \\ud800dog\\ue00f"]').json() == plain


BAD_BODIES: list[tuple[Any, str, tuple[str, ...]]] = [
    (b"", "application/json", ("body is empty",)),
    (b"", "text/plain", ("body is empty",)),
    (b" \n", "application/json", ("body is empty",)),
    (b'{"instances":\n ["a" 1]}', "application/json", ("not valid JSON", "line 2", "column 7")),
    (b'{"instances": [NaN]}', "application/json", ("not valid JSON", "NaN")),
    (b"[" * 100_000, "application/json", ("nested too deep",)),
    (b"1" * 10_000, "application/json", ("not valid JSON", "4300")),
    (b'["caf\xe9"]', "application/json", ("Line 1", "UTF-8")),
    (b"one\ntwo\ncaf\xe9\n", "text/plain", ("Line 3", "UTF-8")),
    (b'"one"\n{"text": 2}\n', "application/jsonlines", ("line 2", "text")),
    (b'"one"\n{"text"\n', "application/jsonlines", ("Line 2", "not valid JSON")),
    (b'one\n"two', "text/csv", ("Line 2", "CSV")),
    ({"instances": "Hello"}, "application/json", ("`instances` is a string", "list")),
    ({"instances": {"text": "a"}}, "application/json", ("`instances` is an object", "list")),
    ({"instances": ["a", 3]}, "application/json", ("`instances[1]` is a number",)),
    ({"instances": [None]}, "application/json", ("`instances[0]` is null",)),
    ({"instances": [{"txt": "a"}]}, "application/json", ("`instances[0]`", "`text`")),
    ({"inputs": 3}, "application/json", ("`inputs` is a number",)),
    ({}, "application/json", ("`instances`", "`inputs`")),
    ({"instances": [], "inputs": []}, "application/json", ("`instances`", "`inputs`")),
    ({"instance": ["a"]}, "application/json", ("'instance'", "did you mean `instances`?")),
    (17, "application/json", ("`body` is a number",)),
    ({"inputs": "a", "parameters": {"beam_sise": 2}}, "application/json", ("did you mean `beam_size`?",)),
    ({"inputs": "a", "parameters": {"zzz": 2}}, "application/json", ("'zzz'", "known are beam_size")),
    (
        {"inputs": "a", "parameters": {"beam_size": 33}},
        "application/json",
        ("`parameters.beam_size` is 33", "32"),
    ),
    (
        {"inputs": "a", "parameters": {"beam_size": "4"}},
        "application/json",
        ("`parameters.beam_size` is '4'",),
    ),
    (
        {"inputs": "a", "parameters": {"beam_size": True}},
        "application/json",
        ("`parameters.beam_size` is True",),
    ),
    (
        {"inputs": "a", "parameters": {"length_penalty": -1}},
        "application/json",
        ("`parameters.length_penalty`",),
    ),
    ({"inputs": "a", "parameters": {"max_length": 0}}, "application/json", ("`parameters.max_length` is 0",)),
    ({"inputs": "a", "parameters": []}, "application/json", ("`parameters` is a list",)),
    (
        {"inputs": "a", "parameters": {"beam_size": 2, "num_hypotheses": 3}},
        "application/json",
        ("`parameters.num_hypotheses` is 3", "`beam_size` is 2"),
    ),
    (
        {"instances": [{"text": "a", "beam": 2}]},
        "application/json",
        ("`instances[0]`", "did you mean `beam_size`?"),
    ),
]


@pytest.mark.parametrize(("body", "content_type", "parts"), BAD_BODIES)
def test_a_bad_body_is_a_400_that_names_the_place(
    server: Server, body: Any, content_type: str, parts: tuple[str, ...]
) -> None:
    sentence = message(server.invoke(body, content_type), 400, "bad_request")
    assert sentence.endswith((".", "?"))
    for part in parts:
        assert part in sentence


def test_what_is_not_read_or_not_made(server: Server) -> None:
    sentence = message(server.invoke("a", "application/x-www-form-urlencoded"), 415, "unsupported_media_type")
    assert "application/json" in sentence
    message(server.invoke("a", "text/plain; charset=zip"), 415, "unsupported_media_type")
    message(server.invoke("a", "text/plain", Content_Encoding="br"), 415, "unsupported_media_type")
    sentence = message(server.invoke("a", "text/plain", Accept="image/png"), 406, "not_acceptable")
    assert "application/json" in sentence


def test_unknown_routes_and_methods(server: Server) -> None:
    message(requests.get(f"{server.url}/nothing", timeout=DEADLINE), 404, "not_found")
    response = requests.get(f"{server.url}/invocations", timeout=DEADLINE)
    message(response, 405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]
    message(requests.request("TRACE", f"{server.url}/ping", timeout=DEADLINE), 405, "method_not_allowed")


def test_a_body_over_the_limit_is_a_json_413(server: Server) -> None:
    sentence = message(server.invoke(b"a" * (25 * 2**20 + 1), "text/plain"), 413, "payload_too_large")
    assert "25 MB" in sentence


def test_headers_that_come_back(server: Server) -> None:
    response = server.invoke(
        ["Hello!"],
        X_Amzn_SageMaker_Custom_Attributes="trace=7,who=me",
        X_Amzn_SageMaker_Inference_Id="abc",
    )
    assert response.headers["X-Amzn-SageMaker-Custom-Attributes"] == "trace=7,who=me"
    assert response.headers["X-Amzn-SageMaker-Inference-Id"] == "abc"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_ping(server: Server, method: str) -> None:
    response = requests.request(method, f"{server.url}/ping", timeout=DEADLINE)
    assert (response.status_code, response.content) == (200, b"")


def test_the_log_has_a_line_for_each_request_and_none_of_its_text(server: Server) -> None:
    response = server.invoke(["the secret zebra"])
    requests.get(f"{server.url}/secret-zebra", timeout=DEADLINE)
    server.invoke('{"instances": ["secret zebra]}')

    def of_request() -> list[dict[str, Any]]:
        return [line for line in server.json_lines() if line.get("request_id") == response.headers["X-Request-Id"]]

    wait_for(of_request)
    (line,) = of_request()
    assert (line["status"], line["records"]) == (200, 1)
    assert "zebra" not in server.output()
