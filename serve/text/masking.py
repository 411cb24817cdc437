"""Takes out of a sentence what must not be translated, and puts it back into the translation.

Spans (`serve.text.spans`) are found before a text is cut into sentences; a private character marks the place of each.
Tags, marks of Markdown, brackets and symbols are removed and put back by the word alignment
(`serve.text.markup.tags`). Each other span is replaced by one of the placeholder symbols that the model learnt to carry
over (training makes copies of pairs with them), and put back afterwards.

Numbers: a model that learnt its symbols from names writes them where names stand, and loses the noun behind. So a
plain number is shown to it first (`Mask.show_numbers`). Models whose symbols differ by kind need that no more: the
place to ask is `_is_shown`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from container.text import normalise, split_sentences
from container.vocabulary import PLACEHOLDERS
from serve.engine.alignment import widen_links
from serve.engine.interface import Hypothesis, TextRules
from serve.text import spans as found_spans
from serve.text.markup import tags
from serve.text.markup.markdown import find_markup
from serve.text.markup.tags import Markup, Tag, TaggedText, insert_tags, move_tags, read_markup, remove_tags
from serve.text.spans import MARK, NUMBER

HELD = "\uf003"  # a tag over several lines, found before the lines were cut
_MARKS = re.compile(f"[{tags.MARK}{MARK}{NUMBER}]")
_SPAN_MARKS = re.compile(f"[{MARK}{NUMBER}]")
_UNWANTED = dict.fromkeys([*map(ord, PLACEHOLDERS), *map(ord, (tags.MARK, MARK, NUMBER, HELD, "\ufffd"))])
# What stands for each mark while sentences are cut: a quote closes or opens one, a letter or a digit may open it.
_SHADOWS = {tags.MARK: '"', MARK: "\u4e00", NUMBER: "0"}
_OPENING_MARK = re.compile(rf"(?:^|(?<=\s)){tags.MARK} ")
_PLAIN_NUMBER = re.compile(r"\d{1,15}")
_DIGITS = re.compile(r"\d+")
_INNER_DOT = re.compile(r"\.\w|\w@\w")

_DROPPED = dict.fromkeys(map(ord, PLACEHOLDERS))


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


@dataclass(frozen=True)
class Mask:
    """A sentence without its tags, in which symbols stand for its other protected spans.

    shown: the plain numbers that stand in the text as they are. left_out: spans that do, because the model has no
    symbols.
    """

    text: str
    spans: tuple[Span, ...] = ()
    tags: tuple[Tag, ...] = ()
    left_out: tuple[str, ...] = ()
    shown: tuple[str, ...] = field(default=(), compare=False)

    @property
    def original(self) -> str:
        """The sentence before it was masked."""
        return restore_space(
            self.write_sources(self.tagged.text if self.tags else self.text),
            [tag.text for tag in self.tags] + [span.source for span in self.spans],
        )

    @property
    def tagged(self) -> TaggedText:
        """The sentence with its tags and still with symbols."""
        return insert_tags(self.text.split(), self.tags)

    def show_numbers(self) -> Mask:
        """The same sentence with its plain numbers as they are."""
        text, kept = self.text, []
        for span in self.spans:
            if span.shown:
                text = text.replace(span.symbol, span.source)
            else:
                kept.append(span)
        shown = tuple(span.target for span in self.spans if span.shown)
        return replace(self, text=text, spans=tuple(kept), shown=shown) if shown else self

    def without_symbols(self) -> Mask:
        """The same sentence without symbols, for a model that loses them."""
        starts = [0]
        for word in self.text.split():
            starts.append(starts[-1] + len(self.write_sources(word).split()))
        moved = tuple(
            replace(tag, word=starts[tag.word + 1] - 1 if tag.side == "after" else starts[tag.word])
            for tag in self.tags
        )
        return Mask(self.write_sources(self.text), tags=moved)

    def has_all_targets(self, translation: str) -> bool:
        """Whether a translation without symbols has what each span must become, as often as it must."""
        wanted = Counter([*(span.target for span in self.spans), *self.left_out])
        return all(len(_whole_words(target).findall(translation)) >= count for target, count in wanted.items())

    def has_all_symbols(self, translation: str) -> bool:
        """Whether the translation has each symbol and each shown number exactly once, and none as a part of a word."""
        return all(
            translation.count(span.symbol) == 1 == len(_whole_words(span.symbol, alone=True).findall(translation))
            for span in self.spans
        ) and (not self.shown or self._has_shown(translation))

    def _has_shown(self, translation: str) -> bool:
        wanted = Counter(self.shown)
        return Counter(_DIGITS.findall(translation)) == wanted and all(
            len(_whole_words(number).findall(translation)) == count for number, count in wanted.items()
        )

    def write_targets(self, translation: str) -> str:
        """The translation with what each span must become in its place; symbols that the model made up are dropped."""
        for span in self.spans:
            translation = re.sub(rf"(?<=\w)(?={span.symbol})|(?<={span.symbol})(?=\w)", " ", translation)
            translation = translation.replace(span.symbol, span.target)
        if not translation.isprintable():  # no symbol is printable
            translation = translation.translate(_DROPPED)
        return " ".join(translation.split())

    def hide_targets(self, translation: str) -> str:
        """Undo `write_targets` in a part of a translation: each symbol once, and no tags."""
        for tag in self.tags:
            translation = translation.replace(tag.text, "", 1)
        for span in self.spans:
            translation = _whole_words(span.target).sub(span.symbol, translation, count=1)
        return " ".join(translation.split())

    def write_sources(self, text: str) -> str:
        """A part of the masked text as it was before it was masked."""
        for span in self.spans:
            text = text.replace(span.symbol, span.source)
        return text


# ---- a text with marks in the place of its spans -------------------------------------------------------


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
            shown = span.kind == "number" and _is_shown(span.text)
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


def _is_shown(number: str) -> bool:
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
    text, spans = marked.text, iter(marked.spans)
    shadow, origins = [], []  # what the cutting sees, and the character of the text that each of its own stands for
    for index, character in enumerate(_OPENING_MARK.sub(tags.MARK * 2, text)):
        word = next(spans).source if character in (MARK, NUMBER) else ""
        shadow.append(word if word.isalpha() else _SHADOWS.get(character, character))
        origins += [index] * len(shadow[-1])
    sentences, whole, position = [], "".join(shadow), 0
    for sentence in split_sentences(whole, prefixes):
        position += whole[position : position + 1] == " "
        stop = position + len(sentence)
        sentences.append(text[origins[position] : origins[stop - 1] + 1])
        position = stop
    return sentences


# ---- masks ---------------------------------------------------------------------------------------------


class Places:
    """Gives out the spans and tags of a marked text, in order, sentence by sentence."""

    def __init__(self, marked: Marked) -> None:
        self._spans, self._tags = list(marked.spans), list(marked.tags)
        self._span = self._tag = 0

    def take(self, text: str) -> tuple[list[Span], list[Markup]]:
        """Those whose marks stand in `text`, which is the next part of the marked text."""
        span, tag = self._span, self._tag
        self._span += len(_SPAN_MARKS.findall(text))
        self._tag += text.count(tags.MARK)
        return self._spans[span : self._span], self._tags[tag : self._tag]

    def read(self, text: str) -> str:
        """The next part of the marked text as it was before it was marked."""
        span, tag = self._span, self._tag
        found = self.take(text)
        self._span, self._tag = span, tag
        spans, taken_out = iter(found[0]), iter(found[1])
        return _MARKS.sub(lambda found: next(taken_out).text if found[0] == tags.MARK else next(spans).source, text)


def mask_spans(
    sentence: str,
    symbols: Sequence[str],
    glossary: Mapping[str, str],
    cut: Callable[[str], list[str]] = lambda text: [text],
) -> list[tuple[Mask, str]]:
    """The masked parts of one sentence: `mark_spans` and `mask_parts` in one."""
    marked = mark_spans(sentence, glossary, TextRules(plain=frozenset()))
    return mask_parts(cut(marked.text), symbols, Places(marked))


def mask_parts(parts: Sequence[str], symbols: Sequence[str], places: Places) -> list[tuple[Mask, str]]:
    """The masks of the parts of a marked sentence, each with what stands behind it (a space; nothing inside a word).

    A part has no more spans than there are symbols.
    """
    masks = []
    for part, gap in (piece for whole in parts for piece in _limit_marks(whole, len(symbols))):
        spans, taken_out = places.take(part)
        bare, placed = remove_tags(part, taken_out)
        masks.append((_write_symbols(bare, spans, symbols, placed), gap))
    return masks


def unmask(hypothesis: Hypothesis, mask: Mask) -> Hypothesis:
    """The hypothesis with tags and spans in their places; its links, between masked words before, between all words."""
    if not (mask.tags or mask.spans or hypothesis.alignment or hypothesis.token_scores):
        text = mask.write_targets(hypothesis.text)
        return hypothesis if text == hypothesis.text else replace(hypothesis, text=text)
    words, text, alignment = hypothesis.text.split(), hypothesis.text, hypothesis.alignment
    if mask.tags:
        before, after = mask.tagged, insert_tags(words, move_tags(mask.tags, words, alignment))
        inside = [(i, j) for i, j in alignment if i < len(before.places) and j < len(words)]
        text, alignment = after.text, tuple((before.places[i], after.places[j]) for i, j in inside)
    if alignment:
        source = [len(mask.write_sources(word).split()) for word in mask.tagged.text.split()]
        target = [len(mask.write_targets(word).split()) for word in text.split()]
        alignment = widen_links(alignment, source, target)
    spaced = [tag.text for tag in mask.tags] + [span.target for span in mask.spans]
    return replace(
        hypothesis,
        text=restore_space(mask.write_targets(text), spaced),
        alignment=alignment,
        token_scores=tuple((mask.write_targets(token), score) for token, score in hypothesis.token_scores),
    )


def restore_space(text: str, parts: Sequence[str]) -> str:
    """The text, in which white space was squeezed, with the white space inside `parts` as it was."""
    for part in parts:
        squeezed = " ".join(part.split())
        if squeezed != part.strip():
            text = text.replace(squeezed, part, 1)
    return text


def _limit_marks(text: str, limit: int) -> Iterator[tuple[str, str]]:
    """Pieces of `text` with at most `limit` marks each (0 is no limit), cut at a space where there is one.

    With each piece comes what stands behind it: a space, or nothing inside a word.
    """
    start = 0
    marks = [found.start() for found in _SPAN_MARKS.finditer(text)]
    for last, following in zip(marks[limit - 1 :: limit], marks[limit::limit], strict=False) if limit else ():
        space = text.rfind(" ", last, following)
        stop = space if space > 0 else last + 1
        yield text[start:stop], " " if space > 0 else ""
        start = stop + (space > 0)
    yield text[start:], " "


def _write_symbols(text: str, spans: Sequence[Span], symbols: Sequence[str], placed: tuple[Tag, ...]) -> Mask:
    """The mask of a text: a symbol for each mark, or without symbols the span itself."""
    left = iter(spans)
    if not symbols:
        written = _SPAN_MARKS.sub(lambda _: next(left).source, text)
        return Mask(written, tags=placed, left_out=tuple(span.target for span in spans))
    numbered = tuple(replace(span, symbol=symbol) for symbol, span in zip(symbols, spans, strict=False))
    named = iter(numbered)
    return Mask(_SPAN_MARKS.sub(lambda _: next(named).symbol, text), numbered, placed)


@lru_cache(maxsize=256)
def _whole_words(words: str, alone: bool = False) -> re.Pattern[str]:
    """Finds `words` where no letter or digit goes on; `alone`, where none stands beside them."""
    before, after = (r"(?<!\w)" if alone or edge.isalnum() else "" for edge in (words[:1], words[-1:]))
    return re.compile(before + re.escape(words) + (after and r"(?!\w)"))
