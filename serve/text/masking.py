"""What must not be translated: URLs, addresses, tags and numbers as they stand, glossary terms as they are given.

A tag is taken out and put back by the word alignment (`serve.text.tags`). Each other span is replaced by one of the
placeholder symbols that the model learnt to carry over (training makes copies of pairs with them), and put back
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
from serve.text import tags
from serve.text.tags import Tag, Woven, weave

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
    """One protected span: its symbol, the words it stands for, and those to write instead."""

    symbol: str
    source: str
    target: str


@dataclass(frozen=True)
class Masked:
    """A sentence without its tags, in which symbols stand for its other protected spans.

    left_out: spans that stand as they are, because the model has no symbols.
    """

    text: str
    spans: tuple[Span, ...] = ()
    tags: tuple[Tag, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """The sentence as it was."""
        return self.fill_source(self.woven.text if self.tags else self.text)

    @property
    def woven(self) -> Woven:
        """The sentence with its tags and still with symbols."""
        return weave(self.text.split(), self.tags)

    def plain(self) -> Masked:
        """The same sentence without symbols: for a model that loses them."""
        starts = [0]
        for word in self.text.split():
            starts.append(starts[-1] + len(self.fill_source(word).split()))
        moved = tuple(
            replace(tag, word=starts[tag.word + 1] - 1 if tag.side == "after" else starts[tag.word])
            for tag in self.tags
        )
        return Masked(self.fill_source(self.text), tags=moved)

    def honoured_by(self, translation: str) -> bool:
        """Whether a translation without symbols has what each span must become, as often as it must."""
        wanted = Counter([*(span.target for span in self.spans), *self.left_out])
        return all(len(_whole(target).findall(translation)) >= count for target, count in wanted.items())

    def kept_by(self, translation: str) -> bool:
        """Whether the translation has each symbol exactly once, and none as a part of a word."""
        return all(
            translation.count(span.symbol) == 1 == len(_whole(span.symbol, alone=True).findall(translation))
            for span in self.spans
        )

    def fill(self, translation: str) -> str:
        """The translation with the spans in their places; symbols that the model made up are dropped."""
        for span in self.spans:
            translation = re.sub(rf"(?<=\w)(?={span.symbol})|(?<={span.symbol})(?=\w)", " ", translation)
            translation = translation.replace(span.symbol, span.target)
        return " ".join(translation.translate(_DROPPED).split())

    def hide(self, translation: str) -> str:
        """The part of a filled translation with symbols in the place of spans again, each once, and without tags."""
        for tag in self.tags:
            translation = translation.replace(tag.text, "", 1)
        for span in self.spans:
            translation = _whole(span.target).sub(span.symbol, translation, count=1)
        return " ".join(translation.split())

    def fill_source(self, text: str) -> str:
        """A part of the masked text as it was."""
        for span in self.spans:
            text = text.replace(span.symbol, span.source)
        return text


def protect(
    sentence: str,
    symbols: Sequence[str],
    glossary: Mapping[str, str],
    shorten: Callable[[str], list[str]] = lambda text: [text],
) -> list[tuple[Masked, str]]:
    """The parts of a normalised sentence, each with what stands behind it (a space, or nothing inside a word).

    Glossary terms count more than spans, longer more than shorter. `shorten` cuts a text that is too long for the
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

    text = _pattern(tuple(sorted(terms, key=len, reverse=True))).sub(mark, sentence)
    if not spans and not found_tags:
        return [(Masked(short), " ") for short in shorten(text)]
    parts = [piece for short in shorten(text) for piece in _few(short, len(symbols))]
    left, left_tags = iter(spans), iter(found_tags)
    masked = []
    for part, gap in parts:
        bare, placed = tags.take_out(part, [next(left_tags) for _ in range(part.count(tags.MARK))])
        own = [next(left) for _ in range(part.count(MARK))]
        masked.append((_numbered(bare, own, symbols, placed), gap))
    return masked


def _few(text: str, limit: int) -> Iterator[tuple[str, str]]:
    """`text` in pieces of at most `limit` marks (0 is no limit), cut at a space where there is one."""
    start = 0
    marks = [found.start() for found in re.finditer(MARK, text)]
    for last, following in zip(marks[limit - 1 :: limit], marks[limit::limit], strict=False) if limit else ():
        space = text.rfind(" ", last, following)
        stop = space if space > 0 else last + 1
        yield text[start:stop], " " if space > 0 else ""
        start = stop + (space > 0)
    yield text[start:], " "


def _numbered(text: str, spans: Sequence[tuple[str, str]], symbols: Sequence[str], placed: tuple[Tag, ...]) -> Masked:
    """The text with a symbol for each mark, or without symbols with the spans themselves."""
    left = iter(spans)
    if not symbols:
        return Masked(
            re.sub(MARK, lambda _: next(left)[0], text), tags=placed, left_out=tuple(target for _, target in spans)
        )
    numbered = tuple(Span(symbol, *span) for symbol, span in zip(symbols, spans, strict=False))
    named = iter(numbered)
    return Masked(re.sub(MARK, lambda _: next(named).symbol, text), numbered, placed)


@lru_cache(maxsize=256)
def _whole(words: str, alone: bool = False) -> re.Pattern[str]:
    """Finds `words` where no letter or digit goes on; `alone`, where none stands beside them."""
    before, after = (r"(?<!\w)" if alone or edge.isalnum() else "" for edge in (words[:1], words[-1:]))
    return re.compile(before + re.escape(words) + (after and r"(?!\w)"))


@lru_cache(maxsize=32)
def _pattern(terms: tuple[str, ...]) -> re.Pattern[str]:
    """Finds glossary terms as whole words, in any case, and untouched spans."""
    words = "|".join(re.escape(term) for term in terms if term)
    terms_first = rf"(?<!\w)(?:{words})(?!\w) | " if words else ""
    return re.compile(terms_first + _TAG + "|" + _UNTOUCHED, re.VERBOSE | re.IGNORECASE)
