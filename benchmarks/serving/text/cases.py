"""Single inputs, each with what must hold of its translation: `cases.jsonl` beside this file, a case a line.

| field | meaning |
|---|---|
| `kind` | the kind of text, as in the table of results |
| `by` | `server`: the server alone must make it certain, whatever the model is; `model`: a good model is needed too |
| `open` | true where the server does not keep that promise yet: its test is expected to fail |
| `text` | one text, sent as JSON with its `parameters` if it has any |
| `plain` | in the place of `text`: a text/plain body, in which each line is a text |
| `body` | in the place of `text`: a whole JSON body, or a string that is sent as it is |
| `expect` | the checks below, by name, with their values; all must hold. `status` is 200 unless it stands here |
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from benchmarks.serving.text.client import JSON, Answer, Client, answer_of

CASES = Path(__file__).with_name("cases.jsonl")
PLAIN_TEXT = "text/plain; charset=utf-8"
SHOWN = 80  # characters of an input in the name of its case
LONGEST_SHOWN = 300  # characters of a text in the report
JOINERS = "\u200c\u200d"  # inside of emoji, for one
MAKERS = ("server", "model")

Check = Callable[[Any, str, Answer], bool]

# Each check gets its value in the file, the input and the answer.
CHECKS: Mapping[str, Check] = {
    "equals": lambda accepted, given, answer: answer.text in accepted,
    "contains": lambda parts, given, answer: all(part in answer.text for part in parts),
    "lacks": lambda parts, given, answer: not any(part in answer.text for part in parts),
    "once": lambda words, given, answer: all(_count(word, answer.text) == 1 for word in words),
    "matches": lambda pattern, given, answer: re.search(pattern, answer.text) is not None,
    "unchanged": lambda wanted, given, answer: (answer.text == given) == wanted,
    "keeps digits": lambda wanted, given, answer: (_numbers(answer.text) >= _numbers(given)) == wanted,
    "is upper case": lambda wanted, given, answer: bool(answer.text and answer.text == answer.text.upper()) == wanted,
    "no U+FFFD": lambda wanted, given, answer: ("\ufffd" not in answer.text) == wanted,
    "has a warning": lambda wanted, given, answer: (answer.warning is not None) == wanted,
    "as many lines": lambda wanted, given, answer: (answer.text.count("\n") == given.count("\n")) == wanted,
    "at least as long as": lambda share, given, answer: _is_long(share, given, answer),
    "long or with a warning": lambda share, given, answer: answer.warning is not None or _is_long(share, given, answer),
}


@dataclass(frozen=True)
class Case:
    """One input, as it is sent, and what must hold of the answer."""

    kind: str
    by: Literal["server", "model"]
    given: str
    body: bytes
    content_type: str
    expect: Mapping[str, Any]
    status: int = 200
    open: bool = False

    @property
    def id(self) -> str:
        return f"{self.kind}: {escape(self.given)[:SHOWN]}"


@dataclass(frozen=True)
class Outcome:
    """A case with its output, and the names of the checks that failed."""

    case: Case
    output: str
    failed: tuple[str, ...]


def read_cases(path: Path = CASES) -> list[Case]:
    """The cases of a file; `ValueError` names the line that is none."""
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            cases.append(_parse(json.loads(line)))
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path.name}, line {number}, is no case: {error!r}.") from error
    return cases


def _parse(entry: dict[str, Any]) -> Case:
    expect = dict(entry["expect"])
    status = expect.pop("status", 200)
    if unknown := expect.keys() - CHECKS.keys():
        raise ValueError(f"there is no check {sorted(unknown)}")
    if entry["by"] not in MAKERS:
        raise ValueError(f"`by` is {entry['by']!r}")
    content_type = JSON
    if "plain" in entry:
        given, body, content_type = entry["plain"], entry["plain"], PLAIN_TEXT
    elif "text" in entry:
        given = entry["text"]
        body = json.dumps({"instances": [given], "parameters": entry.get("parameters", {})})
    else:
        body = entry["body"] if isinstance(entry["body"], str) else json.dumps(entry["body"])
        given = body
    return Case(
        entry["kind"], entry["by"], given, body.encode(), content_type, expect, status, entry.get("open", False)
    )


def try_cases(cases: Sequence[Case], client: Client) -> list[Outcome]:
    return [try_case(case, client) for case in tqdm(cases, unit=" cases", disable=None)]


def try_case(case: Case, client: Client) -> Outcome:
    """Send one case. A status that is not the expected one fails it, and its other checks are not made."""
    response = client.post(case.body, case.content_type)
    if response.status != case.status:
        return Outcome(case, response.body.strip(), (f"status {case.status}, not {response.status}",))
    answer = Answer(response.body, None)
    if case.content_type == JSON and case.expect:
        answer = answer_of(json.loads(response.body)["predictions"][0])
    failed = tuple(name for name, value in case.expect.items() if not CHECKS[name](value, case.given, answer))
    warning = f" (warning: {answer.warning})" if answer.warning else ""
    return Outcome(case, answer.text + warning, failed)


def report(outcomes: Sequence[Outcome]) -> str:
    """How many are right by kind, as a Markdown table, and each wrong one with input, output and expectation."""
    lines = ["| kind | right, server alone | right, with the model | right |", "|---|---|---|---|"]
    for kind in [*dict.fromkeys(outcome.case.kind for outcome in outcomes), ""]:
        of_kind = [outcome for outcome in outcomes if kind in ("", outcome.case.kind)]
        made = [_right([outcome for outcome in of_kind if outcome.case.by == maker]) for maker in MAKERS]
        lines.append(f"| {kind or 'all'} | {made[0]} | {made[1]} | {_right(of_kind)} |")
    lines.append("")
    for outcome in outcomes:
        if outcome.failed:
            expected = ", ".join(_expectation(outcome.case, name) for name in outcome.failed)
            texts = f"{_shown(outcome.case.given)} -> {_shown(outcome.output)}"
            lines.append(f"- {outcome.case.kind} ({outcome.case.by}): {texts}; expected: {expected}")
    return "\n".join(lines)


def _right(outcomes: Sequence[Outcome]) -> str:
    return f"{sum(not outcome.failed for outcome in outcomes)}/{len(outcomes)}" if outcomes else ""


def _expectation(case: Case, check: str) -> str:
    """What a failed check wants; a status says it by itself."""
    value = case.expect.get(check, True)
    return check if value is True else f"{check} {json.dumps(value, ensure_ascii=False)}"


def _shown(text: str) -> str:
    """A text in one line of Markdown, cut where it is long."""
    line = escape(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")
    return f"`` {line} ``" if "`" in line else f"`{line}`"


def escape(text: str) -> str:
    """The text with line separators and the like as Python writes them: `\\n`, `\\u2028`."""
    return "".join(each if each.isprintable() or each in JOINERS else repr(each)[1:-1] for each in text)


def _count(word: str, text: str) -> int:
    """How often a word stands in a text, not as a part of another."""
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text))


def _numbers(text: str) -> Counter[str]:
    """Its runs of digits."""
    return Counter(re.findall(r"\d+", text))


def _is_long(share: float, given: str, answer: Answer) -> bool:
    return len(answer.text) >= share * len(given)
