"""The sets of `make bench-text`: which alteration each has, and in what form its translations are compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.serving.text import alterations
from benchmarks.serving.text.pairs import Altered, Pair, draw
from benchmarks.serving.text.replacements import replace_names, replace_numbers

PLAIN = "plain"
CONJUNCTIONS = {"en": ", but ", "es": ", pero "}  # between the clauses of one long sentence; ", " elsewhere
_ENDS = re.compile(r"[.!?…]\Z")
_WORD = re.compile(r"[^\W\d_]+")
Compared = Callable[[str], str]


def as_it_stands(text: str) -> str:
    return text


@dataclass(frozen=True)
class TextSet:
    """Altered texts, and how texts are written for the comparison.

    compared: done to the translations and references of the altered texts before they are scored.
    compared_plain: done to those of the plain sentences beside them, so that both differ in nothing but the input.
    """

    name: str
    texts: tuple[Altered, ...]
    compared: Compared = field(default=as_it_stands)
    compared_plain: Compared = field(default=as_it_stands)

    @property
    def sentences(self) -> int:
        return sum(len(text.parts) for text in self.texts)


def make_sets(pairs: Sequence[Pair], limit: int, source_lang: str, target_lang: str) -> list[TextSet]:
    """The plain set, and each altered one from the first pairs that can be altered; at most `limit` sentences each."""

    def each(alter: Callable[[Pair], Altered | None]) -> tuple[Altered, ...]:
        return tuple(altered for altered in map(alter, pairs) if altered is not None)[:limit]

    numbers = [copy for pair in pairs for copy in replace_numbers(pair, source_lang, target_lang)]
    marks, fold = alterations.without_final_and_opening_marks, alterations.straighten_quotes
    return [
        TextSet(PLAIN, each(lambda pair: Altered(pair.source, pair.reference, (pair,)))),
        TextSet("capitals", each(alterations.to_capitals), compared_plain=str.upper),
        TextSet("title case", each(alterations.to_title_case), str.lower, str.lower),
        TextSet("lower case", each(alterations.to_lower_case), str.lower, str.lower),
        TextSet("no final mark", each(alterations.drop_final_mark), alterations.without_opening_marks, marks),
        TextSet("typos", each(alterations.add_typos)),
        TextSet("curly quotes", each(alterations.curl_quotes), fold, fold),
        TextSet("symbol or brackets", each(alterations.add_symbol)),
        TextSet("emoji", each(alterations.add_emoji)),
        TextSet("number", tuple(numbers[:limit])),
        TextSet("replaced name", each(replace_names)),
        TextSet("sentences joined", tuple(join_sentences(pairs[:limit]))),
        TextSet("one long sentence", tuple(join_clauses(pairs, limit, source_lang, target_lang))),
    ]


def join_sentences(pairs: Sequence[Pair]) -> Iterator[Altered]:
    """Two to four sentences after each other in one text, each with its final mark."""
    whole = [pair for pair in pairs if _ENDS.search(pair.source) and _ENDS.search(pair.reference)]
    for parts in _groups(whole, 2, 4):
        sources, references = _columns(parts)
        yield Altered(" ".join(sources), " ".join(references), parts)


def join_clauses(pairs: Sequence[Pair], limit: int, source_lang: str, target_lang: str) -> Iterator[Altered]:
    """Three or four statements as the clauses of one sentence: `He left, but the door is open, but …`

    Only statements whose first word the corpus writes small elsewhere, so that no name loses its capital.
    """
    small = [_small_words(pair.source for pair in pairs), _small_words(pair.reference for pair in pairs)]
    found = []
    for pair in pairs:
        sides = (pair.source, pair.reference)
        first = [_WORD.match(text) for text in sides]
        simple = all(text.endswith(".") and len(re.findall(r"[.!?…,;:]", text)) == 1 for text in sides)
        if simple and all(word and word[0].lower() in known for word, known in zip(first, small, strict=True)):
            found.append(pair)
    for parts in _groups(found[:limit], 3, 4):
        joined = []
        for texts, lang in zip(_columns(parts), (source_lang, target_lang), strict=True):
            clauses = [texts[0], *(text[0].lower() + text[1:] for text in texts[1:])]
            joined.append(CONJUNCTIONS.get(lang, ", ").join(clause.removesuffix(".") for clause in clauses) + ".")
        yield Altered(joined[0], joined[1], parts)


def _small_words(texts: Iterator[str]) -> set[str]:
    """Words that stand in small letters inside of sentences."""
    return {word for text in texts for word in _WORD.findall(text)[1:] if word.islower()}


def _groups(pairs: Sequence[Pair], low: int, high: int) -> Iterator[tuple[Pair, ...]]:
    """The pairs in groups of `low` to `high`; a rest of fewer than `low` is left out."""
    start = 0
    while len(pairs) - start >= low:
        group = tuple(pairs[start : start + draw("group", pairs[start].source).randint(low, high)])
        yield group
        start += len(group)


def _columns(parts: Sequence[Pair]) -> tuple[list[str], list[str]]:
    return [pair.source for pair in parts], [pair.reference for pair in parts]
