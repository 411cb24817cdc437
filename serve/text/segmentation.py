"""Where a text is cut into sentences, and how its layout comes back: line breaks, blank lines, indentation, bullets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from container.text import split_sentences

# A line: what stands before its first word (indentation, a bullet, a number), its text, what stands behind.
_LINE = re.compile(r"(?P<before>[ \t\xa0\u3000]*(?:(?:[-*•>]|\#+|\d{1,3}[.)])[ \t]+)?)(?P<rest>.*)", re.DOTALL)
_BLANK = " \t\r\xa0\u3000"
_CLAUSE_END = (",", ";", ":", "—", "–", ")", "…")

# Four times the same, of 3 to 40 characters: what a model writes that has lost its way.
_LOOKED_AT = 2000  # characters, the last of a translation: who has begun to go in circles goes on to the end
_LOOP = re.compile(r"(.{3,40}?)\1{3,}")
_REPEATED = 7  # trigrams that are there again in the shortest loop, abcabcabcabc


def split(text: str, prefixes: Sequence[str]) -> tuple[list[str], list[str]]:
    """The sentences of `text`, and the gaps around them: one more, and `join` makes the text again.

    Between two sentences of a line the gap is one space, whatever stood there. `prefixes` are the
    non-breaking ones of the text's language.
    """
    gaps, sentences = [""], []
    for number, line in enumerate(text.split("\n")):
        gaps[-1] += "\n" if number else ""
        parts = _LINE.fullmatch(line)
        assert parts is not None  # it matches every line
        body = parts["rest"].rstrip(_BLANK)
        gaps[-1] += parts["before"]
        for index, sentence in enumerate(split_sentences(body, prefixes)):
            gaps[-1] += " " if index else ""
            sentences.append(sentence)
            gaps.append("")
        gaps[-1] += parts["rest"][len(body) :]
    return gaps, sentences


def join(gaps: Sequence[str], sentences: Sequence[str]) -> str:
    """The text of `sentences` with the `gaps` of `split` around them."""
    first, *others = gaps
    return first + "".join(sentence + gap for sentence, gap in zip(sentences, others, strict=True))


def shorten(sentence: str, sizes: Callable[[Sequence[str]], list[int]], room: int) -> list[str]:
    """`sentence` in parts of at most `room` tokens, joined by a space the sentence again.

    Cut behind the last clause mark in the second half of the room, else between the last two words that
    have room. `sizes` counts the tokens of each of some texts; a single word beyond the room stays whole.
    """
    if sum(sizes([sentence])) <= room:  # nearly always: one call, not one for each word
        return [sentence]
    words = sentence.split(" ")
    counts = sizes(words)
    parts, start, used = [], 0, 0
    clause = 0  # the index behind the last clause mark in the second half of this part
    for index, count in enumerate(counts):
        while used + count > room and index > start:
            stop = clause if clause > start else index
            parts.append(" ".join(words[start:stop]))
            start, used = stop, sum(counts[stop:index])
        used += count
        if words[index].endswith(_CLAUSE_END) and used > room // 2:
            clause = index + 1
    return [*parts, " ".join(words[start:])]


def loops(translation: str, source: str) -> bool:
    """Whether the translation repeats itself and the source does not."""
    end, start = f"{translation} "[-_LOOKED_AT:], f"{source} "[:_LOOKED_AT]
    trigrams = set(zip(end, end[1:], end[2:], strict=False))
    if len(end) - 2 - len(trigrams) < _REPEATED:  # nearly always, and five times as fast as to look for a loop
        return False
    return _LOOP.search(end) is not None and _LOOP.search(start) is None
