"""Where a text is cut into sentences, and how its layout comes back: line breaks, blank lines, indentation, bullets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from container.text import split_sentences

# A line: what stands before its first word (indentation, a bullet, a number), its text, what stands behind.
_LINE = re.compile(r"(?P<before>[ \t\xa0\u3000]*(?:(?:[-*•>]|\#+|\d{1,3}[.)])[ \t]+)?)(?P<rest>.*)", re.DOTALL)
_BLANK = " \t\r\xa0\u3000"
_CLAUSE_END = (",", ";", ":", "—", "–", ")", "…")


def split_text(text: str, prefixes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Gaps and sentences of `text`: there is one gap more than sentences, and `join_text` makes the text again.

    Between two sentences of a line the gap is one space, whatever stood there. `prefixes` are the
    non-breaking prefixes of the text's language.
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


def join_text(gaps: Sequence[str], sentences: Sequence[str]) -> str:
    """The text of `sentences` with the `gaps` of `split_text` around them."""
    first, *others = gaps
    return first + "".join(sentence + gap for sentence, gap in zip(sentences, others, strict=True))


def cut_sentence(sentence: str, count_tokens: Callable[[Sequence[str]], list[int]], max_tokens: int) -> list[str]:
    """Parts of a sentence with at most `max_tokens` tokens each; joined by a space they are the sentence again.

    A part ends behind the last clause mark in its second half, else between the last two words that fit.
    `count_tokens` counts the tokens of each of some texts; a single word with more tokens stays whole.
    """
    if sum(count_tokens([sentence])) <= max_tokens:  # nearly always: one call, not one for each word
        return [sentence]
    words = sentence.split(" ")
    counts = count_tokens(words)
    parts, start, used = [], 0, 0
    clause = 0  # the index behind the last clause mark in the second half of this part
    for index, count in enumerate(counts):
        while used + count > max_tokens and index > start:
            stop = clause if clause > start else index
            parts.append(" ".join(words[start:stop]))
            start, used = stop, sum(counts[stop:index])
        used += count
        if words[index].endswith(_CLAUSE_END) and used > max_tokens // 2:
            clause = index + 1
    return [*parts, " ".join(words[start:])]
