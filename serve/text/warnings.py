"""Bounds and doubts that need no model, and what is told of a translation that must not be trusted.

None rests on a language: letters, digits and their widths are what Unicode says.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import regex

SHOWN_SPANS = 3
SHOWN_WARNINGS = 3
REPEATS = "The translation repeats itself: do not trust it."
LENGTH = "The translation is much too short or too long for its text: do not trust it."
UNSURE = "The model is very unsure of the translation, which may be invented: do not trust it."
NOTHING_LEFT = "Nothing of the text was left after clean-up."

_LOOKED_AT = 2000  # characters, the last of a translation: once a model repeats itself, it goes on to the end
# Four times the same, of up to 40 characters. The last one may be cut where the output ended.
_LOOP = regex.compile(r"(.{3,40}?)\1{3,}+", regex.DOTALL)
_REPEATED = 7  # trigrams that are there again in the shortest loop, abcabcabcabc

# Outside of these bounds are 2 of the 3,827 unseen pairs of Tatoeba, and of 25 other corpora of English and Spanish,
# which are freer, at most 0.9 % each. Widths make scripts alike.
_SHORTEST, _LONGEST = 0.55, 1.8  # widths of a translation for one of its source
_SLACK = 8  # widths more or fewer, which short texts need
FIRST_WIDE = "\u1100"  # no character before it is wide
_WIDE = {"W": 2.5, "F": 1.0}  # a Han or kana character says what two or three letters say; a full-width A does not


def repeats_itself(translation: str, source: str) -> bool:
    """Whether the translation repeats itself and the source does not.

    >>> repeats_itself("no sé qué no sé qué no sé qué no sé qué", "I do not know.")
    True
    >>> repeats_itself("ja ja ja ja ja", "ha ha ha ha ha")
    False
    """
    return _find_loop(translation) is not None and _LOOP.search(f"{source} "[:_LOOKED_AT]) is None


def cut_loop(translation: str) -> str:
    """`translation` with what it repeats at its end once only; as it is where nothing repeats.

    >>> cut_loop("Yo no sé qué no sé qué no sé qué no sé qué no s")
    'Yo no sé qué'
    """
    if (found := _find_loop(translation)) is None:
        return translation
    start = max(0, len(translation) + 1 - _LOOKED_AT)
    rest = f"{translation} "[start + found.end() :].rstrip()
    goes_on = found[1].startswith(rest)  # the output ended inside a repetition
    return translation[: start + found.start()] + found[1].rstrip() + ("" if goes_on else " " + rest.lstrip())


def _find_loop(translation: str) -> regex.Match[str] | None:
    end = f"{translation} "[-_LOOKED_AT:]
    trigrams = set(zip(end, end[1:], end[2:], strict=False))
    if len(end) - 2 - len(trigrams) < _REPEATED:  # nearly always, and five times as fast as to look for a loop
        return None
    return _LOOP.search(end)


def length_is_doubtful(source: str, translation: str, ratio: float = 1.0) -> bool:
    """Whether the translation is much too short or too long to say what its source says.

    ratio: how long a translation mostly is, for one of its source; a model can know it from what it was trained on.

    >>> length_is_doubtful("I have lived in this house since I was a small child.", "Vivo.")
    True
    >>> length_is_doubtful("Hi", "Hola")
    False
    """
    wanted, found = ratio * _width(source), _width(translation)
    return found + _SLACK < _SHORTEST * wanted or found > _LONGEST * wanted + _SLACK


def _width(text: str) -> float:
    """The length of a text in letters of an alphabet; marks and white space do not count."""
    if text.isascii() or max(text) < FIRST_WIDE:
        return sum(map(str.isalnum, text))
    return sum(_WIDE.get(unicodedata.east_asian_width(each), 1.0) for each in text if each.isalnum())


def collect_warnings(source: str, translation: str, *found: str | None) -> str | None:
    """All warnings about the translation of a sentence: those `found` before, and what its text shows."""
    repeats = REPEATS if repeats_itself(translation, source) else None
    length = None if repeats or not length_is_doubtful(source, translation) else LENGTH
    return " ".join(filter(None, (*found, repeats, length))) or None


def join_warnings(warnings: Sequence[str | None]) -> str | None:
    """The warnings of a text from those of its sentences: each once, and only the first few."""
    different = list(dict.fromkeys(filter(None, warnings)))
    more = f" (and {len(different) - SHOWN_WARNINGS} more)" if len(different) > SHOWN_WARNINGS else ""
    return " ".join(different[:SHOWN_WARNINGS]) + more if different else None


def list_spans(spans: Sequence[str]) -> str:
    """The first few spans as a warning shows them."""
    return ", ".join(map(repr, spans[:SHOWN_SPANS])) + (", …" if len(spans) > SHOWN_SPANS else "")
