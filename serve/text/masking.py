"""Takes out of a sentence what must not be translated, and puts it back into the translation.

Spans (`serve.text.spans`) are found before a text is cut into sentences; a private character marks the place of each.
Tags, marks of Markdown, brackets and symbols are removed and put back by the word alignment
(`serve.text.markup.tags`). Each other span is replaced by one of the placeholder symbols that the model learnt to carry
over (training makes copies of pairs with them), and put back afterwards.

Numbers: a model that learnt its symbols from names writes them where names stand, and loses the noun behind. So a
plain number is shown to it first (`Mask.show_numbers`). Models whose symbols differ by kind need that no more: the
place to ask is `serve.text.markup.marking.is_shown`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from container.vocabulary import PLACEHOLDERS
from serve.engine.alignment import widen_links
from serve.engine.interface import Hypothesis, TextRules
from serve.text.markup.marking import SPAN_MARKS, Places, Span, mark_spans
from serve.text.markup.tags import Tag, TaggedText, insert_tags, move_tags, remove_tags

_DIGITS = re.compile(r"\d+")
_DROPPED = dict.fromkeys(map(ord, PLACEHOLDERS))


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
    marks = [found.start() for found in SPAN_MARKS.finditer(text)]
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
        written = SPAN_MARKS.sub(lambda _: next(left).source, text)
        return Mask(written, tags=placed, left_out=tuple(span.target for span in spans))
    numbered = tuple(replace(span, symbol=symbol) for symbol, span in zip(symbols, spans, strict=False))
    named = iter(numbered)
    return Mask(SPAN_MARKS.sub(lambda _: next(named).symbol, text), numbered, placed)


@lru_cache(maxsize=256)
def _whole_words(words: str, alone: bool = False) -> re.Pattern[str]:
    """Finds `words` where no letter or digit goes on; `alone`, where none stands beside them."""
    before, after = (r"(?<!\w)" if alone or edge.isalnum() else "" for edge in (words[:1], words[-1:]))
    return re.compile(before + re.escape(words) + (after and r"(?!\w)"))
