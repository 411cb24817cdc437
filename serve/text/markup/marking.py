"""Marks what must not be translated in a text, before it is cut into sentences, by private characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from container.text import normalise, split_sentences
from container.vocabulary import PLACEHOLDERS
from serve.engine.interface import TextRules
from serve.text import spans as found_spans
from serve.text.markup import tags
from serve.text.markup.markdown import find_markup
from serve.text.markup.tags import Markup, read_markup
from serve.text.spans import MARK, NUMBER

HELD = "\uf003"  # a tag over several lines, found before the lines were cut
_MARKS = re.compile(f"[{tags.MARK}{MARK}{NUMBER}]")
SPAN_MARKS = re.compile(f"[{MARK}{NUMBER}]")
_UNWANTED = dict.fromkeys([*map(ord, PLACEHOLDERS), *map(ord, (tags.MARK, MARK, NUMBER, HELD, "\ufffd"))])
# What stands for each mark while sentences are cut: a quote closes or opens one, a letter or a digit may open it.
_SHADOWS = str.maketrans({tags.MARK: '"', MARK: "\u4e00", NUMBER: "0"})
_OPENING_MARK = re.compile(rf"(?:^|(?<=\s)){tags.MARK} ")
_PLAIN_NUMBER = re.compile(r"\d{1,15}")
_INNER_DOT = re.compile(r"\.\w|\w@\w")


@dataclass(frozen=True)
class Span:
    """One protected span: its symbol, the words that it replaces, and the words to write in the translation.

    shown: the model may see it at first, for it is likely to write it as it is.
    """

    symbol: str
    source: str
    target: str
    shown: bool = False


@dataclass(frozen=True)
class Marked:
    """A text, normalised, with a mark in the place of each span and tag; these in order.

    raw: the text as it came. unlearnt: letters of words that the model cannot read, which are spans.
    """

    text: str
    raw: str
    spans: tuple[Span, ...] = ()
    tags: tuple[Markup, ...] = ()
    unlearnt: int = 0

    @property
    def letters(self) -> int:
        """Letters outside of all spans and tags."""
        return sum(map(str.isalpha, self.text))


def mark_spans(
    raw: str, glossary: Mapping[str, str], rules: TextRules, held: Iterator[str] | None = None, markdown: bool = True
) -> Marked:
    """A text, or a line of one, with a mark for each span and tag. `held`: the tags that `HELD` stands for."""
    if not glossary and rules.plain.issuperset(raw) and _INNER_DOT.search(raw) is None:
        return Marked(" ".join(raw.split()), raw)  # nearly always: nothing special
    text = raw.translate(rules.rewrites) if rules.rewrites else raw
    markup = {span.start: (span, each) for span, each in _find_marks(text)} if markdown else {}
    found = found_spans.find_spans(text, glossary, rules.is_known)
    markup = _drop_crossing(markup, found)
    if HELD in text and held is not None:
        for at in (index for index, character in enumerate(text) if character == HELD):
            tag = next(held)
            markup[at] = (found_spans.Span(at, at + 1, "tag", tag, tag), read_markup(tag))
    covered = bytearray(len(text))
    for span, _ in markup.values():
        covered[span.start : span.stop] = b"\1" * (span.stop - span.start)
    kept = [span for span in found if covered.find(1, span.start, span.stop) < 0]
    return _write_marks(raw, text, sorted([*kept, *(span for span, _ in markup.values())], key=_start), markup)


def _start(span: found_spans.Span) -> int:
    return span.start


def _find_marks(text: str) -> Iterator[tuple[found_spans.Span, Markup]]:
    """The marks of Markdown inside a line, with what each pair has in common."""
    if not any(mark in text for mark in "*_~["):
        return
    for index, (opening, closing) in enumerate(find_markup(text)):
        yield opening, Markup(opening.text, f"{tags.MARKDOWN}{index}")
        yield closing, Markup(closing.text, f"{tags.MARKDOWN}{index}", True)


def _drop_crossing(
    markup: dict[int, tuple[found_spans.Span, Markup]], found: Sequence[found_spans.Span]
) -> dict[int, tuple[found_spans.Span, Markup]]:
    """The marks without those that begin or end inside a span, such as an address, and without their partners."""
    if not markup:
        return markup
    stop = max(span.stop for span, _ in markup.values())
    taken = bytearray(stop + 1)
    for span in found:
        if span.kind != "symbol" and span.start < stop:
            taken[span.start : min(span.stop, stop)] = b"\1" * (min(span.stop, stop) - span.start)
    crossing = {each.name for span, each in markup.values() if taken[span.start] or taken[span.stop - 1]}
    return {start: pair for start, pair in markup.items() if pair[1].name not in crossing}


def _write_marks(
    raw: str,
    text: str,
    found: Sequence[found_spans.Span],
    markup: Mapping[int, tuple[found_spans.Span, Markup]],
) -> Marked:
    """The text with a mark for each span of `found`."""
    parts: list[str] = []
    spans: list[Span] = []
    taken_out: list[Markup] = []
    position = unlearnt = 0
    for span in found:
        parts.append(_normalise_between(text[position : span.start]))
        position = span.stop
        if span.kind == "entity" and _is_readable(span.value):
            parts.append(span.value)
        elif span.start in markup or _is_tag(span):
            beside = text[max(0, span.start - 1) : span.start], text[span.stop : span.stop + 1]
            parts.append(tags.MARK if span.kind == "tag" or not all(map(str.isalnum, beside)) else f" {tags.MARK} ")
            taken_out.append(markup[span.start][1] if span.start in markup else read_markup(span.text))
        else:
            shown = span.kind == "number" and is_shown(span.text)
            parts.append(NUMBER if span.kind == "number" else MARK)
            spans.append(Span("", span.text, normalise(span.value) if span.kind == "glossary" else span.text, shown))
            unlearnt += sum(map(str.isalpha, span.text)) if span.kind == "symbol" else 0
    parts.append(_normalise_between(text[position:]))
    return Marked(" ".join("".join(parts).split()), raw, tuple(spans), tuple(taken_out), unlearnt)


def _is_tag(span: found_spans.Span) -> bool:
    """Whether a span is taken out and put back by the alignment: what is no word of the sentence."""
    return span.kind in ("tag", "entity") or (span.kind == "symbol" and not any(map(str.isalpha, span.text)))


def _is_readable(character: str) -> bool:
    """Whether an entity is read as its character: `&eacute;`, `&#39;`, `&nbsp;`, and not `&lt;`."""
    return character.isalnum() or character.isspace() or character in "'’"


def is_shown(number: str) -> bool:
    return _PLAIN_NUMBER.fullmatch(number) is not None and number.isascii()


def _normalise_between(text: str) -> str:
    """`normalise`, but white space at the edges stays: the words beside are not glued to a span."""
    if not text:
        return ""
    before = " " if text[0].isspace() else ""
    behind = " " if text[-1].isspace() else ""
    return f"{before}{normalise(text)}{behind}"


def strip_private(text: str) -> str:
    """The text without the characters that marks and symbols are, and without U+FFFD: no input can forge one."""
    return text if text.isprintable() and "\ufffd" not in text else text.translate(_UNWANTED)


def cut_sentences(marked: Marked, prefixes: Sequence[str]) -> list[str]:
    """The sentences of a text with marks: a tag ends none and opens none, a number and another span may open one.

    A word that the model cannot read may be an abbreviation all the same.
    """
    if not (marked.spans or marked.tags):
        return split_sentences(marked.text, prefixes)
    text = marked.text
    bare = _OPENING_MARK.sub(tags.MARK * 2, text)
    whole = bare.translate(_SHADOWS)
    origins: Sequence[int] = range(len(text))
    if any(span.source.isalpha() for span in marked.spans):
        whole, origins = _spell_out(bare, marked.spans)
    sentences, position = [], 0
    for sentence in split_sentences(whole, prefixes):
        position += whole[position : position + 1] == " "
        stop = position + len(sentence)
        sentences.append(text[origins[position] : origins[stop - 1] + 1])
        position = stop
    return sentences


def _spell_out(text: str, spans: Sequence[Span]) -> tuple[str, list[int]]:
    """The text with its words instead of their marks; and for each character, that of the text it stands for."""
    left, shadow, origins = iter(spans), [], []
    for index, character in enumerate(text):
        word = next(left).source if character in (MARK, NUMBER) else ""
        shadow.append(word if word.isalpha() else character.translate(_SHADOWS))
        origins += [index] * len(shadow[-1])
    return "".join(shadow), origins


class Places:
    """Gives out the spans and tags of a marked text, in order, sentence by sentence."""

    def __init__(self, marked: Marked) -> None:
        self._spans, self._tags = list(marked.spans), list(marked.tags)
        self._span = self._tag = 0

    def take(self, text: str) -> tuple[list[Span], list[Markup]]:
        """Those whose marks stand in `text`, which is the next part of the marked text."""
        span, tag = self._span, self._tag
        self._span += len(SPAN_MARKS.findall(text))
        self._tag += text.count(tags.MARK)
        return self._spans[span : self._span], self._tags[tag : self._tag]

    def read(self, text: str) -> str:
        """The next part of the marked text as it was before it was marked."""
        span, tag = self._span, self._tag
        found = self.take(text)
        self._span, self._tag = span, tag
        spans, taken_out = iter(found[0]), iter(found[1])
        return _MARKS.sub(lambda found: next(taken_out).text if found[0] == tags.MARK else next(spans).source, text)
