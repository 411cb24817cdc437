"""What must not be translated: URLs, addresses, tags and numbers as they stand, glossary terms as they are given.

Each such span is replaced by one of the placeholder symbols that the model learnt to carry over (training makes
copies of pairs with them), and put back afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from container.text import PLACEHOLDERS, normalise

# No alternative can be tried from inside its own match, so that a text of any shape costs linear time.
_UNTOUCHED = r"""
    (?: \b (?: https? | ftp ) :// | \b www\. ) [^\s<>"]* [^\s<>".,;:!?)\]'»”]   # a URL, without the sentence's marks
  | (?<! [\w.+-] ) [\w.+-]{1,64} @ [\w-]++ (?: \. [\w-]++ )++                     # an e-mail address
  | < /? [A-Za-z] [^<>]{0,200} >                                                # a tag
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
    """A sentence in which symbols stand for its protected spans; `left_out` are those without a symbol."""

    text: str
    spans: tuple[Span, ...] = ()
    left_out: tuple[str, ...] = ()

    def kept_by(self, translation: str) -> bool:
        """Whether the translation has each symbol exactly once."""
        symbols = {span.symbol for span in self.spans}
        return all(translation.count(symbol) == 1 for symbol in symbols)

    def fill(self, translation: str) -> str:
        """The translation with the spans in their places; symbols that the model made up are dropped."""
        for span in self.spans:
            translation = translation.replace(span.symbol, span.target)
        return " ".join(translation.translate(_DROPPED).split())

    def hide(self, translation: str) -> str:
        """The part of a filled translation with symbols in the place of spans again; each span once, in order."""
        for span in self.spans:
            translation = _whole(span.target).sub(span.symbol, translation, count=1)
        return translation

    def fill_source(self, text: str) -> str:
        """A part of the masked text as it was."""
        for span in self.spans:
            text = text.replace(span.symbol, span.source)
        return text


def mask(sentence: str, symbols: Sequence[str], glossary: Mapping[str, str]) -> Masked:
    """Put symbols in the place of protected spans; glossary terms count more than spans, longer more than shorter.

    `sentence` is normalised. A sentence with more spans than there are symbols has the rest `left_out`.
    """
    terms = {normalise(term).casefold(): normalise(target) for term, target in glossary.items()}
    free, spans, left_out = list(symbols), [], []

    def symbol_of(found: re.Match[str]) -> str:
        if not free:
            left_out.append(found[0])
            return found[0]
        spans.append(Span(free.pop(0), found[0], terms.get(found[0].casefold(), found[0])))
        return spans[-1].symbol

    text = _pattern(tuple(sorted(terms, key=len, reverse=True))).sub(symbol_of, sentence)
    return Masked(text, tuple(spans), tuple(left_out))


def _whole(words: str) -> re.Pattern[str]:
    """Finds `words` where no letter or digit goes on."""
    before, after = r"(?<!\w)" if words[:1].isalnum() else "", r"(?!\w)" if words[-1:].isalnum() else ""
    return re.compile(before + re.escape(words) + after)


@lru_cache(maxsize=32)
def _pattern(terms: tuple[str, ...]) -> re.Pattern[str]:
    """Finds glossary terms as whole words, in any case, and untouched spans."""
    words = "|".join(re.escape(term) for term in terms if term)
    either = rf"(?<!\w)(?:{words})(?!\w) | {_UNTOUCHED}" if words else _UNTOUCHED
    return re.compile(either, re.VERBOSE | re.IGNORECASE)
