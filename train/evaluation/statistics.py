"""The numbers of the report: what the parts of the corpus hold, and how the translations score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import sacrebleu
from sacrebleu.significance import _bootstrap_resample, estimate_ci

from train.corpus.augmentation import placeholder_copies
from train.corpus.directions import directions
from train.corpus.encoding import Encoded, encode
from train.corpus.pairs import Pair
from train.corpus.prepare import Prepared
from train.corpus.sentence_keys import sentence_key
from train.corpus.split import Corpus
from train.evaluation.scores import ReferenceSet
from train.job.hyperparameters import Hyperparameters

LENGTHS = ((1, 4), (5, 8), (9, 14), (15, None))  # source words, both ends included
RESAMPLES = 1000
EXAMPLES = 20  # best and worst test sentences to show
MAPS = 3
MAP_WORDS = range(4, 13)  # of a source whose attention is drawn: long enough to be of interest, short enough to read


@dataclass(frozen=True)
class Translations:
    """The test set as the published model translated it, and how many seconds that took."""

    test_set: ReferenceSet
    hypotheses: list[str]
    seconds: float


def interval_halves(translations: Translations) -> dict[str, float]:
    """Half of the 95 % bootstrap interval of `bleu` and `chrf` (single reference), in points.

    Koehn 2004, "Statistical significance tests for machine translation evaluation"; sacreBLEU's seed is fixed. These
    are the steps of sacreBLEU's `corpus_score(..., n_bootstrap=...)`. That function itself cannot be called: in version
    2.6 it raises a `TypeError` when a resample has a chrF of 0, which happens with a small test part.
    """
    references = [[several[0] for several in translations.test_set.references]]
    half = {}
    for name, metric in (("bleu", sacrebleu.BLEU()), ("chrf", sacrebleu.CHRF())):
        statistics = metric._extract_corpus_statistics(translations.hypotheses, references)
        _, resampled = _bootstrap_resample(statistics, metric, RESAMPLES)
        _, half[name] = estimate_ci(np.array([score.score for score in resampled], dtype=float))
    return {name: float(value) for name, value in half.items()}


@dataclass(frozen=True)
class Bucket:
    """The test sentences whose source has so many words, and their BLEU (single reference; 0 without sentences)."""

    words: str
    sentences: int
    bleu: float


def bleu_by_length(translations: Translations) -> list[Bucket]:
    """BLEU by source length, a bucket for each of `LENGTHS`."""
    lengths = [count_words(source) for source in translations.test_set.sources]
    buckets = []
    for low, high in LENGTHS:
        inside = [index for index, length in enumerate(lengths) if low <= length <= (high or length)]
        hypotheses = [translations.hypotheses[index] for index in inside]
        references = [translations.test_set.references[index][0] for index in inside]
        bleu = sacrebleu.BLEU().corpus_score(hypotheses, [references]).score if inside else 0.0
        buckets.append(Bucket(f"{low}–{high}" if high else f"{low} or more", len(inside), bleu))
    return buckets


@dataclass(frozen=True)
class Example:
    """One test sentence and its chrF against the closest of its references."""

    chrf: float
    source: str
    references: list[str]
    hypothesis: str


def best_and_worst(translations: Translations, count: int = EXAMPLES) -> tuple[list[Example], list[Example]]:
    """`count` examples from each end of the order by chrF, no sentence in both; of equals, the longest first."""
    metric = sacrebleu.CHRF()
    test_set = translations.test_set
    examples = [
        Example(metric.sentence_score(hypothesis, references).score, source, references, hypothesis)
        for hypothesis, source, references in zip(
            translations.hypotheses, test_set.sources, test_set.references, strict=True
        )
    ]
    count = min(count, len(examples) // 2)

    def longest_first(sign: int) -> Callable[[Example], tuple[float, int, str]]:
        return lambda example: (sign * example.chrf, -count_words(example.source), example.source)

    best = sorted(examples, key=longest_first(-1))[:count]
    chosen = {example.source for example in best}
    rest = [example for example in examples if example.source not in chosen]
    return best, sorted(rest, key=longest_first(1))[: max(count, 1)]


@dataclass(frozen=True)
class Leak:
    """How many different sentences two parts have in common, letters and digits compared without case."""

    parts: tuple[str, str]
    sources: int
    targets: int


def find_leaks(corpus: Corpus) -> list[Leak]:
    """For each two parts, how many sentences stand in both: 0 everywhere when the split has no leak."""
    held_out = {name: _keys(part) for name, part in list_parts(corpus) if name != "train"}
    known = tuple(set().union(*sides) for sides in zip(*held_out.values(), strict=True))
    keys = {"train": _keys(corpus.train, known), **held_out}  # the training part may be too large for a set
    return [
        Leak((one, other), len(keys[one][0] & keys[other][0]), len(keys[one][1] & keys[other][1]))
        for one, other in combinations(keys, 2)
    ]


def _keys(pairs: Iterable[Pair], among: Sequence[set[str]] | None = None) -> tuple[set[str], set[str]]:
    """The keys of all sources and of all targets; only those `among` these two sets, when given."""
    found: tuple[set[str], set[str]] = set(), set()
    for pair in pairs:
        for side, text in enumerate(pair):
            key = sentence_key(text)
            if among is None or key in among[side]:
                found[side].add(key)
    return found


@dataclass(frozen=True)
class PartStatistics:
    """One part of the corpus in numbers. `source_words` and `target_words` hold the length of each sentence."""

    name: str
    pairs: int
    source_words: np.ndarray
    target_words: np.ndarray
    source_tokens: int
    target_tokens: int


def measure_parts(prepared: Prepared, hp: Hyperparameters) -> list[PartStatistics]:
    """Of each part. Words are the corpus's; tokens those the model sees: in each of its directions, with
    placeholder copies, without pairs beyond `max_len`."""
    test, _ = encode(prepared.corpus.test, prepared.tokenizer, hp.max_len, directions(hp))
    encoded: dict[str, Encoded] = {"train": prepared.train, "validation": prepared.validation, "test": test}
    return [
        PartStatistics(
            name=name,
            pairs=len(part),
            source_words=np.fromiter((count_words(pair.source) for pair in part), dtype=np.int64),
            target_words=np.fromiter((count_words(pair.target) for pair in part), dtype=np.int64),
            source_tokens=int(encoded[name].source_lengths.sum()),
            target_tokens=int(encoded[name].target_lengths.sum()),
        )
        for name, part in list_parts(prepared.corpus)
    ]


def count_left_out(prepared: Prepared, hp: Hyperparameters) -> list[tuple[str, int]]:
    """(reason, pairs) for everything that was given and is not trained on, and for what was added."""
    corpus = prepared.corpus
    reasons = {
        "empty": "one side is empty after clean-up",
        "repeated": "the same pair stood there before",
        "tied_to_held_out": "shares a sentence with a channel that is held out",
    }
    rows = [(reasons.get(name, name), count) for name, count in sorted(corpus.dropped.items())]
    copies = len(placeholder_copies(corpus.train, hp.seed))
    limit, ways = f"more than max_len={hp.max_len} tokens on a side", len(directions(hp))
    rows.append((f"{limit} (train)", len(corpus.train) + copies - len(prepared.train) // ways))
    rows.append((f"{limit} (validation)", len(corpus.validation) - len(prepared.validation) // ways))
    rows.append(("added: copies with a placeholder for a shared word (train)", copies))
    return rows


def choose_mapped_sources(test_set: ReferenceSet) -> list[str]:
    """The few test sources whose attention is drawn: of readable length, spread over the test set."""
    readable = [source for source in test_set.sources if count_words(source) in MAP_WORDS] or test_set.sources
    return readable[:: max(1, len(readable) // MAPS)][:MAPS]


def list_parts(corpus: Corpus) -> Iterator[tuple[str, Sequence[Pair]]]:
    yield from (("train", corpus.train), ("validation", corpus.validation), ("test", corpus.test))


def count_words(text: str) -> int:
    return len(text.split())
