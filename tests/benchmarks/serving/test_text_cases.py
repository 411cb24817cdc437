"""The single cases of `make bench-text`: the checks, the file, and what the server alone must make certain.

A case marked `server` must be right with the tiny random model too. Those marked `open` are not yet: such a test is
expected to fail, and once the server keeps the promise it fails for passing, until `open` is taken out of the case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving.text.cases import CHECKS, Case, Outcome, read_cases, report, try_case
from benchmarks.serving.text.client import Answer, Client, serving

CASES = read_cases()
CERTAIN = [case for case in CASES if case.by == "server"]
KINDS = {
    *("number", "digits", "capitals", "title case", "lower case", "symbol", "nothing to translate", "quotes"),
    *("placeholder", "tag", "Markdown", "subtitles", "name", "no final mark", "single word", "phrase", "long"),
    *("language", "glossary", "prefix", "layout", "body"),
}


@pytest.fixture(scope="module")
def client(base: Path) -> Iterator[Client]:
    with serving(base) as running:
        yield running


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.id, marks=[pytest.mark.xfail(strict=True)] if case.open else []) for case in CERTAIN],
)
def test_the_server_makes_it_certain_whatever_the_model_is(case: Case, client: Client) -> None:
    outcome = try_case(case, client)
    assert not outcome.failed, outcome.output


def test_the_file_has_several_cases_of_every_kind_each_once() -> None:
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []
    counted = Counter(case.kind for case in CASES)
    assert counted.keys() == KINDS
    assert min(counted.values()) >= 3
    assert all(case.expect or case.kind == "body" for case in CASES)
    assert all(case.by == "server" for case in CASES if case.open)


@pytest.mark.parametrize(
    ("check", "value", "given", "right", "wrong"),
    [
        ("equals", ["Hola.", "¡Hola!"], "Hello.", "Hola.", "hola."),
        ("contains", ["{x}", "%s"], "", "a {x} b %s", "a {x} b"),
        ("lacks", ["diez"], "", "once", "diez"),
        ("once", ["can"], "", "El can canta.", "El can y el can."),
        ("matches", r"^Sí$", "", "Sí", "Sí."),
        ("unchanged", True, "100", "100", "100."),
        ("keeps digits", True, "7, 19 and 7", "7, 19 y 7", "7, 19 y 77"),
        ("is upper case", True, "", "¿QUÉ? 2", "QUé"),
        ("no U+FFFD", True, "", "8 €", "8 \ufffd"),
        ("as many lines", True, "a\nb", "c\nd", "c d"),
        ("at least as long as", 0.5, "12345678", "1234", "123"),
        ("long or with a warning", 0.5, "12345678", "1234", "123"),
    ],
)
def test_a_check_tells_right_from_wrong(check: str, value: Any, given: str, right: str, wrong: str) -> None:
    assert CHECKS[check](value, given, Answer(right, None))
    assert not CHECKS[check](value, given, Answer(wrong, None))


def test_warnings_are_checked() -> None:
    warned, silent = Answer("", "It is short."), Answer("", None)
    assert CHECKS["has a warning"](True, "", warned) and CHECKS["has a warning"](False, "", silent)
    assert not CHECKS["has a warning"](True, "", silent) and not CHECKS["has a warning"](False, "", warned)
    assert CHECKS["long or with a warning"](0.5, "12345678", warned)


def test_a_line_that_is_no_case_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    for line in ('{"kind": "x"}', '{"kind": "x", "by": "me", "text": "", "expect": {}}', "no JSON"):
        path.write_text(line + "\n")
        with pytest.raises(ValueError, match=r"cases.jsonl, line 1, is no case"):
            read_cases(path)
    path.write_text('{"kind": "x", "by": "model", "text": "", "expect": {"is nice": true}}\n')
    with pytest.raises(ValueError, match="there is no check"):
        read_cases(path)


def test_a_status_that_was_not_expected_fails_a_case(client: Client) -> None:
    outcome = try_case(Case("body", "server", "[", b"[", "application/json", {"unchanged": True}), client)
    assert outcome.failed == ("status 200, not 400",)


def test_the_report_counts_by_kind_and_shows_what_is_wrong() -> None:
    right = Case("symbol", "server", "a", b"", "", {})
    wrong = Case("layout", "model", "a\u2028b", b"", "", {"equals": ["A\u2028B"], "no U+FFFD": True})
    shown = report([Outcome(right, "a", ()), Outcome(wrong, "ab", ("equals", "no U+FFFD"))])
    assert "| symbol | 1/1 |  | 1/1 |" in shown
    assert "| layout |  | 0/1 | 0/1 |" in shown
    assert "| all | 1/1 | 0/1 | 1/2 |" in shown
    assert "- layout (model): `a\\u2028b` -> `ab`; expected: equals" in shown
    assert shown.rstrip().endswith("no U+FFFD")
