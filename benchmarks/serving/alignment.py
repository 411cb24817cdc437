"""How many links of 50 hand-aligned sentence pairs the word alignment of the endpoint finds.

    python -m benchmarks.serving.alignment MODEL_DIRECTORY

The pairs stand in data/alignment.tsv. Each request has the target sentence as `prefix`, so that the model aligns this
sentence and not another translation. Prints a Markdown table: the share of the hand-made links that were found, and the
share of the answered links that are right. Only target words that have a hand-made link count.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import ROOT
from serve.engine.interface import Predictor, default_options
from serve.engine.loading import load

PAIRS = ROOT / "data" / "alignment.tsv"

Link = tuple[int, int]  # (source word, target word), counted from 0; words are split at white space


@dataclass(frozen=True)
class AlignedPair:
    """A sentence pair and the links that a person is sure of."""

    source: str
    target: str
    links: frozenset[Link]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model directory")
    predictor = load(parser.parse_args().model)
    pairs = read_pairs()
    found = [links_of(predictor, pair) for pair in pairs]
    recall, precision = shares(pairs, found)
    print("| pairs | hand-made links | found | right of those answered |\n|---|---|---|---|")
    print(f"| {len(pairs)} | {sum(len(pair.links) for pair in pairs)} | {recall:.1%} | {precision:.1%} |")


def read_pairs(path: Path = PAIRS) -> list[AlignedPair]:
    """Read the hand-aligned pairs: three columns with source, target, and links such as `0-0 1-2`."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [AlignedPair(source, target, frozenset(map(_link, links.split()))) for source, target, links in rows]


def _link(text: str) -> Link:
    source, target = text.split("-")
    return int(source), int(target)


def links_of(predictor: Predictor, pair: AlignedPair) -> set[Link]:
    """The links that the endpoint answers when the translation must begin with the target of the pair."""
    options = default_options(predictor.rules[0].decoding)
    options = replace(options, prefix=pair.target, return_alignment=True, beam_size=1)
    return set(predictor.translate([pair.source], options)[0].hypotheses[0].alignment)


def shares(pairs: Sequence[AlignedPair], found: Sequence[set[Link]]) -> tuple[float, float]:
    """Recall and precision of `found`, over the target words that have a hand-made link."""
    linked = [{target for _, target in pair.links} for pair in pairs]
    answered = [{link for link in links if link[1] in words} for links, words in zip(found, linked, strict=True)]
    right = sum(len(pair.links & links) for pair, links in zip(pairs, answered, strict=True))
    return right / sum(len(pair.links) for pair in pairs), right / max(1, sum(map(len, answered)))


if __name__ == "__main__":
    main()
