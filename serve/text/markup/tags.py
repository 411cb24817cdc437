"""Tags such as `<b>`: taken out before the engine sees the text, and put back at the translations of their words.

A model that never saw a tag makes nonsense around one, and around a symbol in its place. Without tags the sentence is
an ordinary one, and the word alignment says where each tag belongs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from serve.engine.alignment import Links

MARK = "\uf000"  # a private character that `normalise` takes out of every text, so that no input can forge it

MARKDOWN = "Markdown "  # begins the name of each pair of its marks

_NAME = re.compile(r"</?\s*([\w:-]+)")
_BRACKETS = {")": "(", "]": "[", "}": "{", "»": "«", "”": "“"}
_END = re.compile(r"[.,;:!?…)\]»”\"']+\Z")


@dataclass(frozen=True)
class Markup:
    """What is taken out of a text and put back: a tag, a mark of Markdown, a bracket, a symbol.

    name: what opens and what closes the same have in common; empty where it belongs to no pair.
    """

    text: str
    name: str = ""
    closes: bool = False


def read_markup(text: str) -> Markup:
    """A tag or a bracket with its role.

    >>> read_markup("</b>"), read_markup("(")
    (Markup(text='</b>', name='b', closes=True), Markup(text='(', name='(', closes=False))
    """
    if name := _NAME.match(text):
        return Markup(text, name[1], text.startswith("</"))
    if text in _BRACKETS:
        return Markup(text, _BRACKETS[text], True)
    return Markup(text, text if text in _BRACKETS.values() else "")


@dataclass(frozen=True)
class Tag:
    """A tag at word `word` of the text without tags: glued before it, glued after it, or by itself in front of it.

    inside: a full stop that follows the word, here or in the translation, follows the tag.
    """

    text: str
    word: int
    side: Literal["before", "after", "alone"]
    inside: bool = False
    name: str = ""
    closes: bool = False


@dataclass(frozen=True)
class TaggedText:
    """A text with its tags, and the index in it of each word of the text without tags (words split at white space)."""

    text: str
    places: tuple[int, ...]


def remove_tags(marked: str, tags: Sequence[Markup]) -> tuple[str, tuple[Tag, ...]]:
    """The text without its marks, and for each mark the tag of `tags` that it stands for, with its place."""
    if not tags:
        return marked, ()
    words: list[str] = []
    found: list[Tag] = []

    def add(side: Literal["before", "after", "alone"], inside: bool = False) -> None:
        tag = tags[len(found)]
        found.append(Tag(tag.text, len(words), side, inside, tag.name, tag.closes))

    for word in marked.split():
        bare = word.replace(MARK, "")
        read = 0
        for character in word:
            if character != MARK:
                read += 1
            elif not bare:
                add("alone")
            elif not read:
                add("before")
            else:
                add("after", not _END.search(bare[:read]))
        if bare:
            words.append(bare)
    return " ".join(words), tuple(found)


def move_tags(tags: Sequence[Tag], words: Sequence[str], alignment: Links) -> list[Tag]:
    """Move the tags from their source words to the target `words` linked to these."""
    ends = _pair_tags(tags)
    targets: dict[int, list[int]] = {}
    for source, target in alignment:
        if target < len(words):  # the tokenizer may see more words: to it "´" is two
            targets.setdefault(source, []).append(target)

    def targets_of(first: int, last: int) -> list[int]:
        return sorted(target for source in range(first, last + 1) for target in targets.get(source, []))

    def first_after(word: int) -> int:
        return min(
            (found[0] for source in range(word, max(targets, default=-1) + 1) if (found := targets_of(source, source))),
            default=len(words),
        )

    def last_before(word: int) -> int:
        found = next((found for source in range(word, -1, -1) if (found := targets_of(source, source))), None)
        return found[-1] if found else -1

    placed = []
    for index, tag in enumerate(tags):
        opener, closer = ends.get(index, (index, index))
        last = tags[closer].word - (tags[closer].side != "after")
        enclosed = targets_of(tags[opener].word, last) if opener != closer else []
        if (
            opener != closer and not enclosed and words and tag.name.startswith(MARKDOWN)
        ):  # around nothing it is no markup
            enclosed = [min(first_after(tags[opener].word), len(words) - 1)]
        if tag.closes or tag.side == "after":
            at = enclosed[-1] if enclosed else last_before(tag.word - (tag.side != "after"))
            placed.append(replace(tag, word=at if tag.side == "after" else at + 1))
        else:
            placed.append(replace(tag, word=enclosed[0] if enclosed else first_after(tag.word)))
    return placed


def _pair_tags(tags: Sequence[Tag]) -> dict[int, tuple[int, int]]:
    """For each tag of a pair, the indices of the opening and the closing one."""
    open_, pairs = [], {}
    for index, tag in enumerate(tags):
        if not tag.name:
            continue
        if not tag.closes:
            open_.append((tag.name, index))
        elif opened := next((each for each in reversed(open_) if each[0] == tag.name), None):
            open_.remove(opened)
            pairs[opened[1]] = pairs[index] = (opened[1], index)
    return pairs


def insert_tags(words: Sequence[str], tags: Sequence[Tag]) -> TaggedText:
    """Put the tags at their places among the words; a tag beyond the words stands by itself."""
    count = len(words)
    alone: list[list[str]] = [[] for _ in range(count + 1)]
    before, inside, after = [""] * count, [""] * count, [""] * count
    for tag in tags:
        if tag.side == "alone" or not 0 <= tag.word < count:
            alone[max(0, min(tag.word, count))].append(tag.text)
        elif tag.side == "before":
            before[tag.word] += tag.text
        elif tag.inside:
            inside[tag.word] += tag.text
        else:
            after[tag.word] += tag.text
    out: list[str] = []
    places = []
    for index, word in enumerate(words):
        out += [text for tag in alone[index] for text in tag.split()]
        end = _END.search(word)
        stop = end.start() if end and inside[index] else len(word)
        whole = f"{before[index]}{word[:stop]}{inside[index]}{word[stop:]}{after[index]}".split()
        places.append(len(out) + len(f"{before[index]}.".split()) - 1)
        out += whole
    out += [text for tag in alone[count] for text in tag.split()]
    return TaggedText(" ".join(out), tuple(places))
