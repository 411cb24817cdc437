"""What must not be translated: URLs, addresses, tags and numbers as they stand, glossary terms as they are given.

A tag is removed and put back by the word alignment (`serve.text.markup.tags`). Each other span is replaced by one of
the placeholder symbols that the model learnt to carry over (training makes copies of pairs with them), and put back
afterwards.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from container.text import normalise
from container.vocabulary import PLACEHOLDERS
from serve.engine.alignment import widen_links
from serve.engine.interface import Hypothesis
from serve.text.markup import tags
from serve.text.markup.tags import Tag, TaggedText, insert_tags, move_tags, remove_tags

MARK = "\uf001"  # a span that has no symbol yet: private like `tags.MARK`

_TAG = r"(?P<tag> < /? [A-Za-z] [^<>]{0,200} > )"
# No alternative can be tried from inside its own match, so that a text of any shape costs linear time.
_UNTOUCHED = r"""
    (?: \b (?: https? | ftp ) :// | \b www\. ) [^\s<>"]* [^\s<>".,;:!?)\]'»”]   # a URL, without the sentence's marks
  | (?<! [\w.+-] ) [\w.+-]{1,64} @ [\w-]++ (?: \. [\w-]++ )++                     # an e-mail address
  | (?<! \w ) (?= \d [.,:/-]? \d ) \d++ (?: [.,:/-] \d++ )*+ (?! \w )           # a number of two digits or more
"""

_DROPPED = dict.fromkeys(map(ord, PLACEHOLDERS))


@dataclass(frozen=True)
class Span:
    """One protected span: its symbol, the words that it replaces, and the words to write in the translation."""

    symbol: str
    source: str
    target: str


@dataclass(frozen=True)
class Mask:
    """A sentence without its tags, in which symbols stand for its other protected spans.

    left_out: spans that stand in the text as they are, because the model has no symbols.
    """

    text: str
    spans: tuple[Span, ...] = ()
    tags: tuple[Tag, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def original(self) -> str:
        """The sentence before it was masked."""
        return self.write_sources(self.tagged.text if self.tags else self.text)

    @property
    def tagged(self) -> TaggedText:
        """The sentence with its tags and still with symbols."""
        return insert_tags(self.text.split(), self.tags)

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
        """Whether the translation has each symbol exactly once, and none as a part of a word."""
        return all(
            translation.count(span.symbol) == 1 == len(_whole_words(span.symbol, alone=True).findall(translation))
            for span in self.spans
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
    """The masked parts of a normalised sentence, each with what stands behind it (a space; nothing inside a word).

    Glossary terms win over other spans, longer terms over shorter ones. `cut` cuts a text that is too long for the
    model; a part has no more spans than there are symbols.
    """
    terms = {normalise(term).casefold(): normalise(target) for term, target in glossary.items()}
    spans: list[tuple[str, str]] = []
    found_tags: list[str] = []

    def mark(found: re.Match[str]) -> str:
        if found["tag"]:
            found_tags.append(found[0])
            return tags.MARK
        spans.append((found[0], terms.get(found[0].casefold(), found[0])))
        return MARK

    text = _compile_spans(tuple(sorted(terms, key=len, reverse=True))).sub(mark, sentence)
    if not spans and not found_tags:
        return [(Mask(part), " ") for part in cut(text)]
    parts = [piece for part in cut(text) for piece in _limit_marks(part, len(symbols))]
    left, left_tags = iter(spans), iter(found_tags)
    masks = []
    for part, gap in parts:
        bare, placed = remove_tags(part, [next(left_tags) for _ in range(part.count(tags.MARK))])
        own = [next(left) for _ in range(part.count(MARK))]
        masks.append((_write_symbols(bare, own, symbols, placed), gap))
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
    return replace(
        hypothesis,
        text=mask.write_targets(text),
        alignment=alignment,
        token_scores=tuple((mask.write_targets(token), score) for token, score in hypothesis.token_scores),
    )


def _limit_marks(text: str, limit: int) -> Iterator[tuple[str, str]]:
    """Pieces of `text` with at most `limit` marks each (0 is no limit), cut at a space where there is one.

    With each piece comes what stands behind it: a space, or nothing inside a word.
    """
    start = 0
    marks = [found.start() for found in re.finditer(MARK, text)]
    for last, following in zip(marks[limit - 1 :: limit], marks[limit::limit], strict=False) if limit else ():
        space = text.rfind(" ", last, following)
        stop = space if space > 0 else last + 1
        yield text[start:stop], " " if space > 0 else ""
        start = stop + (space > 0)
    yield text[start:], " "


def _write_symbols(
    text: str, spans: Sequence[tuple[str, str]], symbols: Sequence[str], placed: tuple[Tag, ...]
) -> Mask:
    """The mask of a text: a symbol for each mark, or without symbols the span itself."""
    left = iter(spans)
    if not symbols:
        return Mask(
            re.sub(MARK, lambda _: next(left)[0], text), tags=placed, left_out=tuple(target for _, target in spans)
        )
    numbered = tuple(Span(symbol, *span) for symbol, span in zip(symbols, spans, strict=False))
    named = iter(numbered)
    return Mask(re.sub(MARK, lambda _: next(named).symbol, text), numbered, placed)


@lru_cache(maxsize=256)
def _whole_words(words: str, alone: bool = False) -> re.Pattern[str]:
    """Finds `words` where no letter or digit goes on; `alone`, where none stands beside them."""
    before, after = (r"(?<!\w)" if alone or edge.isalnum() else "" for edge in (words[:1], words[-1:]))
    return re.compile(before + re.escape(words) + (after and r"(?!\w)"))


@lru_cache(maxsize=32)
def _compile_spans(terms: tuple[str, ...]) -> re.Pattern[str]:
    """Finds glossary terms as whole words, in any case, and untouched spans."""
    words = "|".join(re.escape(term) for term in terms if term)
    terms_first = rf"(?<!\w)(?:{words})(?!\w) | " if words else ""
    return re.compile(terms_first + _TAG + "|" + _UNTOUCHED, re.VERBOSE | re.IGNORECASE)
