"""Scores: each distinct source once, detokenised and cased, by sacreBLEU, with signatures.

Two scores of each kind: against a single reference (chosen by a hash; comparable with published numbers)
and against all references that the corpus has for the source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import sacrebleu

from container.artifact import Score
from train.corpus.pairs import Pair


@dataclass(frozen=True)
class ReferenceSet:
    """Distinct sources and, for each, its references; `references[i][0]` is the single one."""

    sources: list[str]
    references: list[list[str]]


def make_reference_set(pairs: Sequence[Pair], limit: int | None = None) -> ReferenceSet:
    """Group pairs by source.

    The first reference of a source is the one with the smallest hash. With a `limit`, the sources with the smallest
    hashes are taken; they keep the order of the pairs.
    """
    grouped: dict[str, list[str]] = {}
    for pair in pairs:
        grouped.setdefault(pair.source, []).append(pair.target)
    sources = list(grouped)
    if limit is not None and len(sources) > limit:
        chosen = set(sorted(sources, key=_hash)[:limit])
        sources = [source for source in sources if source in chosen]
    return ReferenceSet(sources, [sorted(grouped[source], key=_hash) for source in sources])


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def score(hypotheses: Sequence[str], test_set: ReferenceSet) -> dict[str, Score]:
    """`bleu` and `chrf` (single reference), `bleu_multi` and `chrf_multi` (all of them), each with its signature."""
    single: list[list[str | None]] = [[references[0] for references in test_set.references]]
    deepest = max(len(references) for references in test_set.references)
    streams = [
        [references[depth] if depth < len(references) else None for references in test_set.references]
        for depth in range(deepest)
    ]
    scores = {}
    for suffix, reference_streams in (("", single), ("_multi", streams)):
        for name, metric in (("bleu", sacrebleu.BLEU()), ("chrf", sacrebleu.CHRF())):
            result = metric.corpus_score(list(hypotheses), reference_streams)  # type: ignore[arg-type] # None: no such reference
            scores[name + suffix] = Score(value=round(result.score, 2), signature=str(metric.get_signature()))
    return scores
