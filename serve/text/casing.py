"""Text in capitals, in title case or in lower case: given to a model in sentence case, and answered as it was written.

No dictionary is needed and no language is meant: a word is a run of letters, and case is what Unicode says. Scripts
without case are plain. `is_name` is what a caller may know of words, for instance from the pieces of a vocabulary:
whether a word that opens with a capital (`Tom`, the English `I`) is mostly written so. Without it, only what is
certain from the text itself is changed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Literal

import regex

from serve.text.spans import MARK, NUMBER, Span

Case = Literal["plain", "capitals", "title", "lower"]


# Two parts of a word at an apostrophe (I'm, L'eau, O'Brien) are two words here.
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*+")
_SENTENCE_END = regex.compile(r"[.!?…。！？؟।][^\p{L}\p{N}]*\s[^\p{L}\p{N}]*\Z")  # and what stands before the next
_SHORT = 3  # letters of words such as "of", "the", "und", "los": in a title they may be small
_TITLE_WORDS = 4  # so many with a capital, without `is_name`: fewer may be somebody's name
_TITLE_SHARE = 0.6  # of the words have a capital
_CAPITALS_SHARE = 0.8  # of the words, for a text in capitals: BUY THE NEW iPhone NOW
_LONE_CAPITALS = 4  # letters of a single word, for a text in capitals: STOP is one, USA need not be


# A capital where it opens, a small word of more than three letters, no two capitals in a row: no case but "plain".
_USUAL = re.compile(r"[A-ZÀ-ÖØ-Þ](?!.*[A-ZÀ-ÖØ-Þ]{2}).* [a-zß-öø-ÿ]{4}")


def looks_usual(text: str) -> bool:
    """Whether `text` is certainly plain, without a look at each word.

    >>> looks_usual("She lives here."), looks_usual("She Lives Here.")
    (True, False)
    """
    return _USUAL.match(text) is not None


def detect_case(text: str, spans: Sequence[Span] = (), is_name: Callable[[str], bool] | None = None) -> Case:
    """How `text`, a sentence or a heading, is written outside of `spans`; `plain` where that is not certain.

    A title has a capital on every word of more than three letters and on most others; with `is_name`, on at least
    one word that is no name; without it, on four words or more. Whole text in lower case has two words or more.

    >>> detect_case("I LOVE YOU."), detect_case("NASA launched a rocket."), detect_case("My Sister Has A Small Dog")
    ('capitals', 'plain', 'title')
    """
    found_words = [found for found in _words(text, spans) if found[0].lower() != found[0].upper()]
    words = [found[0] for found in found_words]
    if not words:
        return "plain"
    capitals = [word for word in words if _is_upper(word)]
    long = [word for word in capitals if len(word) > 1]
    if len(capitals) >= _CAPITALS_SHARE * len(words) and (
        len(long) > 1 or (long and (len(words) > 1 or len(long[0]) >= _LONE_CAPITALS))
    ):
        return "capitals"
    if all(word.islower() for word in words):
        opens = not any(map(_is_of_word, text[: found_words[0].start()]))  # "100 years ago" is plain
        return "lower" if opens and len(words) > 1 else "plain"
    return "title" if _is_title(text, spans, words, is_name) else "plain"


def _is_title(text: str, spans: Sequence[Span], words: Sequence[str], is_name: Callable[[str], bool] | None) -> bool:
    small = [word for word in words if word.islower()]
    if any(len(word) > _SHORT for word in small) or len(words) - len(small) < _TITLE_SHARE * len(words):
        return False
    within = [
        found[0]
        for found in _words(text, spans)
        if not (found[0].islower() or _opens_sentence(text, found.start()) or _follows_apostrophe(text, found))
    ]
    if is_name is not None:
        return not all(is_name(word) for word in within if _is_opened(word))
    return len(within) >= _TITLE_WORDS - 1


def to_sentence_case(
    text: str, case: Case, spans: Sequence[Span] = (), is_name: Callable[[str], bool] | None = None
) -> str:
    """`text`, which is written in `case`, as a sentence: a capital where it opens and on names; `spans` untouched.

    In a title, words with a capital inside (`NASA`, `iPhone`, `McDonald`) stay; in capitals nothing shows them.

    >>> to_sentence_case("I LOVE YOU. DO YOU?", "capitals"), to_sentence_case("How NASA Came To Be", "title")
    ('I love you. Do you?', 'How NASA came to be')
    """
    if case == "plain":
        return text

    def change(found: regex.Match[str]) -> str:
        word = found[0]
        opening = word[:1].title() + word[1:].lower()
        if case == "title" and not _is_opened(word):
            return word
        if case != "lower" and len(word) == 1 and text[found.end() : found.end() + 1] == ".":
            return word  # an initial, or a part of U.S.
        if _follows_apostrophe(text, found):
            return word.lower() if len(word) <= 2 or not (is_name and is_name(opening)) else opening
        named = is_name is not None and is_name(opening)
        return opening if named or _opens_sentence(text, found.start()) else word.lower()

    return _replace_words(text, spans, change)


def restore_case(translation: str, case: Case, keep: Sequence[Span] = ()) -> str:
    """`translation`, a sentence, written in `case`; `keep`, spans of the translation such as addresses, is untouched.

    In a title, each word of more than three letters gets a capital, and the first one; in lower case the first
    word loses its own. Letters change as Unicode says, whatever the language (ß becomes SS).

    >>> restore_case("Te quiero.", "capitals"), restore_case("Mi hermana tiene un perro", "title")
    ('TE QUIERO.', 'Mi Hermana Tiene un Perro')
    """
    if case == "plain":
        return translation
    first = next((found.start() for found in _words(translation, keep)), -1)

    def change(found: regex.Match[str]) -> str:
        word = found[0]
        if case == "capitals":
            return word.upper()
        if case == "lower":
            return word.lower() if found.start() == first and _is_opened(word) else word
        return word[0].title() + word[1:] if len(word) > _SHORT or found.start() == first else word

    return _replace_words(translation, keep, change)


def _replace_words(text: str, spans: Sequence[Span], change: Callable[[regex.Match[str]], str]) -> str:
    parts, position = [], 0
    for found in _words(text, spans):
        parts += [text[position : found.start()], change(found)]
        position = found.end()
    return "".join(parts) + text[position:]


def _words(text: str, spans: Sequence[Span]) -> list[regex.Match[str]]:
    """The words of `text` that touch none of `spans`, which are in order."""
    starts = [span.start for span in spans]

    def is_free(found: regex.Match[str]) -> bool:
        before = bisect_right(starts, found.end() - 1) - 1
        return before < 0 or spans[before].stop <= found.start()

    return [found for found in _WORD.finditer(text) if is_free(found)]


def _opens_sentence(text: str, start: int) -> bool:
    """Whether the word at `start` is the first of a sentence: nothing, or a sentence mark, stands before it."""
    before = text[max(0, start - 20) : start]
    if not any(map(_is_of_word, before)):
        return start <= 20 or _SENTENCE_END.search(before) is not None
    return _SENTENCE_END.search(before) is not None


def _is_of_word(character: str) -> bool:
    """Whether a character belongs to a word or number, or stands for one."""
    return character.isalnum() or character in (MARK, NUMBER)


def _follows_apostrophe(text: str, found: regex.Match[str]) -> bool:
    """Whether the word is what follows the apostrophe of a word: `m` of `I'm`."""
    start = found.start()
    return start > 1 and text[start - 1] in "'’" and text[start - 2].isalpha()


def _is_upper(word: str) -> bool:
    return word == word.upper() and word != word.lower()


def _is_opened(word: str) -> bool:
    """Whether the word has a capital at its beginning and no other: `Dog`, `A`."""
    return word[:1] != word[:1].lower() and word[1:] == word[1:].lower()
