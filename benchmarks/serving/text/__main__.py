"""Scores a model on text as people write it, through the real server: `make bench-text`.

    python -m benchmarks.serving.text --model DIR --corpus PATH.tsv [--sentences 1000] [--only SET] [--json FILE]

Prints a Markdown table of plain and altered copies of a held-out file, then how many single cases are right and each
that is wrong. The same model and file give the same translations in every run; only the seconds differ. The exit code
is 0 whatever the scores are, and 1 when the server fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.serving.text.cases import Outcome, read_cases, report, try_cases
from benchmarks.serving.text.client import ServerError, languages_of, serving
from benchmarks.serving.text.pairs import read_pairs
from benchmarks.serving.text.scores import Measured, measure_sets, signature, table
from benchmarks.serving.text.sets import TextSet, make_sets

CASES = "cases"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a model directory, or a folder with `model` in it")
    parser.add_argument("--corpus", type=Path, required=True, help="a TSV file that training has not seen")
    parser.add_argument("--sentences", type=int, default=1000, help="at most, in each set")
    parser.add_argument("--only", action="append", help=f"the name of a set, or `{CASES}`; may be given again")
    parser.add_argument("--json", type=Path, help="where to keep the figures and each translation")
    given = parser.parse_args(arguments)
    sets = make_sets(read_pairs(given.corpus), given.sentences, *languages_of(given.model))
    names = [*(each.name for each in sets), CASES]
    if unknown := set(given.only or ()) - set(names):
        parser.error(f"there is no set {', '.join(sorted(unknown))}: give one of {', '.join(names)}")
    wanted = [each for each in sets if not given.only or each.name in given.only]
    try:
        with serving(given.model) as client:
            measured = measure_sets(wanted, client) if wanted else []
            if measured:
                print(table([each.row for each in measured]), flush=True)
            outcomes = try_cases(read_cases(), client) if not given.only or CASES in given.only else []
    except ServerError as error:
        print(f"The server failed: {error}", file=sys.stderr)
        return 1
    if outcomes:
        print(f"\n{report(outcomes)}")
    if given.json:
        given.json.write_text(json.dumps(_kept(wanted, measured, outcomes), ensure_ascii=False, indent=1) + "\n")
    return 0


def _kept(sets: Sequence[TextSet], measured: Sequence[Measured], outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Everything that was measured, for a later comparison."""
    return {
        "signature": signature(),
        "sets": [
            {
                **asdict(result.row),
                "texts": [
                    {"source": text.source, "reference": text.reference, **asdict(answer)}
                    for text, answer in zip(each.texts, result.answers, strict=True)
                ],
            }
            for each, result in zip(sets, measured, strict=True)
        ],
        "cases": [
            {
                "kind": each.case.kind,
                "by": each.case.by,
                "input": each.case.given,
                "output": each.output,
                "failed": each.failed,
            }
            for each in outcomes
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
