"""What is told of a translation that must not be trusted."""

from __future__ import annotations

import re
from collections.abc import Sequence

SHOWN_SPANS = 3
SHOWN_WARNINGS = 3
REPEATS = "The translation repeats itself: do not trust it."
NOTHING_LEFT = "Nothing of the text was left after clean-up."

# Four times the same 3 to 40 characters.
_REPETITION = re.compile(r"(.{3,40}?)\1{3,}")
_REPEATED_TRIGRAMS = 7  # of the shortest repetition, abcabcabcabc
_LOOKED_AT = 2000  # characters, the last of a translation: a model that begins to repeat itself goes on to the end


def collect_warnings(source: str, translation: str, *found: str | None) -> str | None:
    """All warnings about the translation of a sentence: those `found` before, and whether it repeats itself."""
    repeats = REPEATS if repeats_itself(translation, source) else None
    return " ".join(filter(None, (*found, repeats))) or None


def join_warnings(warnings: Sequence[str | None]) -> str | None:
    """The warnings of a text from those of its sentences: each once, and only the first few."""
    different = list(dict.fromkeys(filter(None, warnings)))
    more = f" (and {len(different) - SHOWN_WARNINGS} more)" if len(different) > SHOWN_WARNINGS else ""
    return " ".join(different[:SHOWN_WARNINGS]) + more if different else None


def repeats_itself(translation: str, source: str) -> bool:
    """Whether the translation repeats itself and the source does not."""
    end, start = f"{translation} "[-_LOOKED_AT:], f"{source} "[:_LOOKED_AT]
    trigrams = set(zip(end, end[1:], end[2:], strict=False))
    # Nearly always true, and five times as fast as the search.
    if len(end) - 2 - len(trigrams) < _REPEATED_TRIGRAMS:
        return False
    return _REPETITION.search(end) is not None and _REPETITION.search(start) is None


def list_spans(spans: Sequence[str]) -> str:
    """The first few spans as a warning shows them."""
    return ", ".join(map(repr, spans[:SHOWN_SPANS])) + (", …" if len(spans) > SHOWN_SPANS else "")
