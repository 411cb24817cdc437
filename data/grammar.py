"""Write data/sample.tsv, the embedded corpus: hand-written pairs and pairs drawn from the templates.

    python -m data.grammar            # write it
    python -m data.grammar --check    # exit 1 unless the committed file is what this would write

A line is `english<TAB>spanish<TAB>template<TAB>part`. Part `test` holds whole templates that `train` never
sees, and hand-written pairs chosen by a hash of their text, so that adding a pair moves no other. No sentence
of `test`, English or Spanish, is in `train`.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from data import templates_actions, templates_held_out, templates_people, templates_places, templates_things
from data.template import Pair, Template

HERE = Path(__file__).parent
SAMPLE = HERE / "sample.tsv"
HANDWRITTEN = HERE / "handwritten.tsv"

TRAIN_TEMPLATES = [
    *templates_actions.TEMPLATES,
    *templates_people.TEMPLATES,
    *templates_things.TEMPLATES,
    *templates_places.TEMPLATES,
]
TEST_TEMPLATES = templates_held_out.TEMPLATES
TRAIN_PER_TEMPLATE = 80
TEST_PER_TEMPLATE = 32
DRAWS = 4_000  # tries a template gets to fill its quota
HAND_TEST_SHARE = 0.13

Row = tuple[str, str, str, str]


def read_handwritten(path: Path = HANDWRITTEN) -> list[Pair]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(english, spanish) for english, spanish in (line.split("\t") for line in lines)]


def fraction(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def quota(template: Template, count: int, taken_english: set[str], taken_spanish: set[str]) -> Iterator[Pair]:
    """The first `count` pairs of a template with two sentences that nothing has taken yet; takes them."""
    found = 0
    for english, spanish in template.draws(DRAWS):
        if found == count:
            return
        if english not in taken_english and spanish not in taken_spanish:
            taken_english.add(english)
            taken_spanish.add(spanish)
            found += 1
            yield english, spanish


def split_handwritten(pairs: Iterable[Pair]) -> tuple[list[Pair], list[Pair]]:
    """(train, test): a pair goes to test by its hash, if no other pair shares a sentence with it."""
    pairs = list(dict.fromkeys(pairs))
    english = [pair[0] for pair in pairs]
    spanish = [pair[1] for pair in pairs]
    repeated = {text for side in (english, spanish) for text in side if side.count(text) > 1}
    test = [pair for pair in pairs if fraction(pair[0]) < HAND_TEST_SHARE and not repeated & set(pair)]
    return [pair for pair in pairs if pair not in set(test)], test


def sample() -> list[Row]:
    """Every row of the embedded corpus, in the order of the file."""
    hand_train, hand_test = split_handwritten(read_handwritten())
    taken_english = {english for english, _ in hand_train + hand_test}
    taken_spanish = {spanish for _, spanish in hand_train + hand_test}
    rows = [(*pair, "hand", "test") for pair in hand_test] + [(*pair, "hand", "train") for pair in hand_train]
    for template in TEST_TEMPLATES:
        rows += [
            (*pair, template.name, "test") for pair in quota(template, TEST_PER_TEMPLATE, taken_english, taken_spanish)
        ]
    for template in TRAIN_TEMPLATES:
        rows += [
            (*pair, template.name, "train")
            for pair in quota(template, TRAIN_PER_TEMPLATE, taken_english, taken_spanish)
        ]
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write data/sample.tsv, the embedded corpus.")
    parser.add_argument("--check", action="store_true", help="only verify that data/sample.tsv is up to date")
    options = parser.parse_args(arguments)
    text = "".join("\t".join(row) + "\n" for row in sample())
    if not options.check:
        SAMPLE.write_text(text, encoding="utf-8", newline="\n")
        print(f"{SAMPLE}: {text.count(chr(10))} pairs")
    elif not SAMPLE.exists() or SAMPLE.read_bytes() != text.encode():
        print(f"{SAMPLE} is not what the grammar writes; run: python -m data.grammar", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
