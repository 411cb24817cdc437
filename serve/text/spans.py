"""Finds what a translation must not change: numbers, addresses, placeholders, tags, symbols and glossary terms.

Spans are found in the whole text, before it is cut into sentences, so that a full stop inside one ends no sentence.
No rule rests on one language: a word character is a letter, mark or digit of any script, and scripts that put no
spaces between words (Chinese, Thai, ...) have no word boundary where they meet a span.

Every decimal digit of a text lies in a span, whatever stands around it. Each pattern takes time linear in the text:
repeats are possessive, and a match cannot begin inside the part that an earlier attempt has read.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import regex

from container.text import normalise

MARK = "\uf001"  # stands for a span in a text; private, so that `normalise` takes it out of what people write
NUMBER = "\uf002"  # the same for a number, which may open a sentence like a word
Kind = Literal[
    "glossary", "tag", "code", "url", "email", "path", "placeholder", "entity", "handle", "hashtag", "number", "symbol"
]
"""From the kind that counts most to the one that counts least, where spans of the same length overlap."""


@dataclass(frozen=True, slots=True)
class Span:
    """The characters `start` to `stop` of a text, which are `text`.

    value: what the translation must have in their place; for an entity, the character that it stands for, which the
        model may read (the translation has the entity itself).
    """

    start: int
    stop: int
    kind: Kind
    text: str
    value: str


# Parts of patterns. `_W` is a character of a word in a script that puts spaces between words.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
WORD_CHARACTER = _W = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_UNSPACED}]]"
_L = rf"[[\p{{L}}\p{{M}}_]--[{_UNSPACED}]]"
_GAP = r"[\x20\xa0\u2007\u2009\u202f]"  # spaces that stand inside a number: never a line break

# A word with a digit (25, H2O, v2, 70kg, 3rd), perhaps as a price or a percentage.
_DIGITS = rf"\p{{Sc}}?+ {_L}*+ \p{{N}} {_W}*+ [%‰]?+"
_JOINT = r"[.,:/'’′+\-‐‑–—−*×÷=\^~٫٬·⁄∶．，：／－＋]"
# A number in groups and a telephone number begin at their first group, so that a failure is not tried again at each.
_GROUPS = rf"""(?<! \p{{Nd}} {_GAP} )
    \p{{Nd}}{{1,3}}+ (?: {_GAP} \p{{Nd}}{{3}}+ (?! \p{{Nd}} ) )++ (?: [.,] \p{{Nd}}++ )?+ (?! {_W} )"""
_PHONE = rf"""(?<! [{_W}.,] | \p{{Nd}} [{_GAP}.\-] )
    \+?+ (?: \p{{Nd}}{{1,4}}+ {_GAP} )?+ (?: \( \p{{Nd}}{{2,5}}+ \) | \p{{Nd}}{{2,4}}+ )
    (?: [{_GAP}.\-]?+ \p{{Nd}}{{2,4}}+ )++ (?! {_W} )"""
# Symbols of units that are written alike in all languages, behind a space. "pm" and "in" are words of a language.
_UNIT = rf"""(?: [%‰°º′″] [CFK]?+ | \p{{Sc}} (?! {_GAP}?+ \p{{N}} )
    | (?: km/h | [kcmµμnMG]? m [²³]?+ (?: /s | ² )?+ | k?g | mg | [µμ]g | ml | cl | dl | k?Wh? | [kMG]?Hz | [kMGT]i?B
        | kcal | k?Pa | kJ | dB | mph | lbs? | oz | ft | ha ) (?! {_W} ) )"""
_NUMBER = rf"""
    (?<! {_W} ) (?! \s )
    (?: [№§] {_GAP}?+ )?+
    (?: (?<! \p{{Sc}} ) (?: \p{{Lu}}{{1,3}}+ )?+ \p{{Sc}} {_GAP}? (?= [+\-−]? [.٫]? \p{{N}} ) )?+
    (?: (?<! {_W} ) \p{{Lu}} [\p{{Lu}}\p{{N}}]*+ [-‐‑] (?= \p{{N}} ) )?+      # COVID-19
    (?: (?<! [{_W}.,)\]] ) [#+\-−±≈~<>≤≥]?+ [.٫]?+ (?= \p{{Sc}}?+ \p{{N}} ) )?+
    (?: {_GROUPS} | (?<! {_W} ) {_DIGITS} (?: {_JOINT} {_DIGITS} )*+ )
    (?: (?<= \p{{Nd}} ['’′] \p{{Nd}}++ ) ["”″] )?+                              # 5'7"
    (?: {_GAP}?+ {_UNIT} | \+ (?! {_W} ) )?+
"""
_ADDRESS = r"""[^\s<>"“”«»。，、！？；（）「」『』【】《》`]++"""
_PRINTF = r"""% (?: \( [\w.]{1,64}+ \) )?+ (?: \d{1,3}+ \$ )?+ [\-+0\#]*+ (?: \d{1,4}+ | \* )?+ (?: \. \d{1,4}+ )?+
    (?: hh | h | ll | [lLzjt] )?+ [diouxXeEfFgGcrsaAp@]"""

# Kind, characters of which a text must have one for the pattern to be tried ("0" is any digit), pattern.
_PATTERNS: tuple[tuple[Kind, str, str], ...] = (
    # Attributes may hold anything in quotes. What is no proper tag is one all the same when it holds no < or >.
    (
        "tag",
        "<",
        r"""</?+ \p{L} [\w:.\-]*+ (?: (?: \s++ | (?<= ["'] ) ) [^\s"'<>/=]++
              (?: \s*+ = \s*+ (?: "[^"]*+" | '[^']*+' | [^\s"'<>=`]++ ) )?+ )*+ \s*+ /?+ >
            | </?+ \p{L} [^<>]*+ > | <! \p{L} [^<>]*+ >""",
    ),
    ("code", "`", r"(?<!`) ` (?!`) [^`\n]++ ` (?!`) | (?<!`) `` (?!`) (?: [^`\n] | ` (?!`) )++ `` (?!`)"),
    ("url", ":", rf"(?<! {_W} ) (?: [A-Za-z][A-Za-z0-9+.\-]{{1,30}}+ :// | (?i: mailto | tel ) : ) {_ADDRESS}"),
    ("url", ".", rf"(?<! {_W} ) (?i: www ) \. {_ADDRESS}"),
    ("email", "@", rf"(?<! [{_W}.+\-%] ) (?: {_W} | [.+\-%] ){{1,64}}+ @ (?: {_W} | - )++ (?: \. (?: {_W} | - )++ )++"),
    (
        "path",
        ".",
        rf"(?<! [{_W}./\\\-:@] ) (?: {_W} | - )++ (?: [./] (?: {_W} | - )++ )++ (?: / [^\s<>\"“”«»。，、]*+ )?+",
    ),
    ("path", "/", r"(?<! [^\s\"'“‘«(\[=,;:] ) (?: ~ | \.{1,2} )?+ (?: / [\w.\-+@]++ )++ /?+"),
    ("path", "\\", rf"(?<! {_W} ) (?: [A-Za-z]:\\ | \\\\ (?= \w ) ) [^\s<>\"“”|?*:]*+"),
    ("placeholder", "{", r"\{\{ [^{}\n]{1,200}+ \}\} | [$\#%@]?+ \{ \s?+ (?: [^\s{},]++ | , \s?+ )*+ \s?+ \}"),
    (
        "placeholder",
        "%",
        rf"(?<! \p{{N}} | % ) (?: %% | {_PRINTF} (?! {_W} ) | % [A-Za-z_] [\w.]{{0,64}}+ % (?! {_W} ) )",
    ),
    ("placeholder", "$", rf"(?<! {_W} | \p{{Sc}} ) \$ [A-Za-z_] \w*+"),
    ("placeholder", ":", rf"(?<! {_W} | : ) : [a-z0-9_+\-]{{2,40}}+ : (?! {_W} )"),
    ("placeholder", "\\", r"\\ (?: [nrt\"'\\] | u [0-9A-Fa-f]{4} )"),
    ("entity", "&", r"& (?: \# (?: \d{1,7}+ | [xX] [0-9A-Fa-f]{1,6}+ ) | [A-Za-z] [A-Za-z0-9]{1,31}+ ) ;"),
    ("handle", "@", rf"(?<! [{_W}.@/] ) @ {_W}++ (?: [.\-@] {_W}++ )*+"),
    ("hashtag", "#＃", r"(?<! [\p{L}\p{M}\p{N}_&/] ) [#＃] [\p{L}\p{M}\p{N}_]++"),
    ("number", "0", _NUMBER),
    ("number", "0", _PHONE),
    ("number", "0", r"\p{N}++"),  # a digit in any other place
    ("number", "\u20e3", r"[0-9\#*] \ufe0f?+ \u20e3"),  # a digit as a key
    (
        "symbol",
        "",
        r"""(?: \p{RI}{2} | (?! [\p{N}\#*] ) \p{Extended_Pictographic} \ufe0f?+ \p{EMod}?+ [\U000e0020-\U000e007f]*+
              (?: \u200d \p{Extended_Pictographic} \ufe0f?+ \p{EMod}?+ )*+ )++""",
    ),
    ("symbol", ":;=", rf"(?<! [{_W}:;=] ) [:;=] ['’\^\-]?+ [)(\]\[DPpOo|/\\*]++ (?! {_W} )"),
    ("symbol", "<", rf"</?+3++ (?! {_W} )"),
)
_COMPILED = tuple(
    (kind, frozenset(needed), regex.compile(pattern, regex.VERBOSE | regex.VERSION1))
    for kind, needed, pattern in _PATTERNS
)
# Parts that end at their closing mark only, over any text and any lines.
_ENCLOSED: tuple[tuple[Kind, str, str], ...] = (
    ("tag", r"<!--", r"-->"),
    ("tag", r"<!\[CDATA\[", r"\]\]>"),
    ("tag", r"<\?(?=\w)", r"\?>"),
    ("placeholder", r"<%", r"%>"),
    ("placeholder", r"\{%", r"%\}"),
    *(("tag", rf"(?i)<{name}\b[^<>]*+>", rf"(?i)</{name}\s*+>") for name in ("script", "style", "code")),
)
_ENCLOSING = tuple((kind, regex.compile(opening), regex.compile(closing)) for kind, opening, closing in _ENCLOSED)

_SYMBOL = regex.compile(r"(?V1)[\p{S}#%&*/@\\_§¶†‡•]++")
_WORD = regex.compile(rf"(?V1){_W}++|[{_UNSPACED}]++|[^\s\p{{C}}]")
_EXTENSION = regex.compile(
    "txt|md|rst|pdf|docx?|od[tsp]|rtf|xlsx?|[ct]sv|pptx?|png|jpe?g|gif|svg|webp|bmp|ico|mp[34]|wav|ogg|flac|avi|mov"
    "|mkv|webm|zip|t?gz|tar|bz2|xz|7z|rar|exe|dll|dmg|apk|iso|deb|rpm|jar|py|ipynb|m?js|tsx?|jsx|html?|s?css|json"
    "|ya?ml|toml|ini|cfg|conf|xml|sql|db|log|sh|bat|ps1|[ch]pp|cs|java|kt|rs|rb|php|pl|lua|swift|tex|bib|epub"
    "|srt|vtt|lock|env|tmp|bak|onnx|pt",
    regex.IGNORECASE,
)
_DOMAIN = regex.compile("com|org|net|edu|gov|mil|int|info|biz|io|dev|app|ai", regex.IGNORECASE)
_LAST_MARKS = ".,;:!?…'’*_~|"
_PAIRS = {")": "(", "]": "[", "}": "{"}


def find_spans(
    text: str, glossary: Mapping[str, str] | None = None, is_known: Callable[[str], bool] | None = None
) -> list[Span]:
    """The protected spans of `text` in order. They do not overlap: the longer wins, then the kind that counts more.

    glossary: terms, found as whole words in any case, and what the translation must have in their place.
    is_known: whether the model's vocabulary has a piece for a character. Words and marks with other characters are
        symbols. Without it, symbols are the characters that Unicode calls so, and `# % & * / @ \\ _`.

    >>> [(span.kind, span.text) for span in find_spans("Send 5 € to dog@example.com, {name}!")]
    [('number', '5 €'), ('email', 'dog@example.com'), ('placeholder', '{name}')]
    """
    terms = {normalise(term).casefold(): target for term, target in (glossary or {}).items() if normalise(term)}
    taken = bytearray(len(text))
    chosen, cut = _choose(_find_candidates(text, terms, is_known), taken)
    if cut:  # beside the winner may be a smaller span: look again, with the winners covered by a break
        rest = "".join("\n" if covered else character for character, covered in zip(text, taken, strict=True))
        chosen += _choose(_find_candidates(rest, terms, is_known), taken)[0]
    return _join_symbols(sorted(chosen, key=lambda span: span.start))


def _choose(candidates: Iterator[Span], taken: bytearray) -> tuple[list[Span], bool]:
    """The longest spans that do not overlap, now marked in `taken`; and whether another was covered in part only."""
    rank = {kind: index for index, kind in enumerate(get_args(Kind))}
    chosen: list[Span] = []
    cut = False
    for span in sorted(candidates, key=lambda span: (span.start - span.stop, rank[span.kind], span.start)):
        if taken.find(1, span.start, span.stop) < 0:
            taken[span.start : span.stop] = b"\1" * (span.stop - span.start)
            chosen.append(span)
        else:
            cut = cut or taken.find(0, span.start, span.stop) >= 0
    return chosen, cut


def _join_symbols(spans: list[Span]) -> list[Span]:
    """The spans in order, where symbols that touch are one."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.kind == joined[-1].kind == "symbol" and span.start == joined[-1].stop:
            text = joined[-1].text + span.text
            joined[-1] = Span(joined[-1].start, span.stop, "symbol", text, text)
        else:
            joined.append(span)
    return joined


def _find_candidates(text: str, terms: Mapping[str, str], is_known: Callable[[str], bool] | None) -> Iterator[Span]:
    """Spans of all kinds, in no order, that may overlap."""
    characters = set(text)
    if any(map(str.isnumeric, characters)):
        characters.add("0")
    for kind, needed, pattern in _COMPILED:
        if needed and needed.isdisjoint(characters):
            continue
        for found in pattern.finditer(text):
            if span := _accept(kind, found.start(), found[0]):
                yield span
    for kind, opening, closing in _ENCLOSING if not characters.isdisjoint("<{") else ():
        yield from _find_enclosed(text, kind, opening, closing)
    if terms:
        for found in _term_pattern(tuple(sorted(terms, key=len, reverse=True))).finditer(text):
            target = terms.get(normalise(found[0]).casefold())
            if target is not None:
                yield Span(found.start(), found.end(), "glossary", found[0], target)
    if is_known is None:
        symbols = _SYMBOL.finditer(text)
    else:
        symbols = (found for found in _WORD.finditer(text) if not all(map(is_known, normalise(found[0]))))
    for found in symbols:
        yield Span(found.start(), found.end(), "symbol", found[0], found[0])


def _accept(kind: Kind, start: int, text: str) -> Span | None:
    """The span of a match, without the marks of the sentence behind an address; None where it is none after all."""
    value = text
    if kind == "url" or (kind == "path" and "/" in text) or kind == "email":
        text = value = _trim(text)
    if kind == "path" and not _is_path(text):
        return None
    if kind == "entity":
        value = html.unescape(text)
        if value == text:
            return None
        if value in ("", "\ufffd"):  # no character has this number
            value = text
    return Span(start, start + len(text), kind, text, value) if text else None


def _trim(address: str) -> str:
    """An address without the marks at its end that belong to the sentence: `https://a.org/b_(c)).` loses `).`."""
    spare = {closing: address.count(closing) - address.count(opening) for closing, opening in _PAIRS.items()}
    stop = len(address)
    while stop and (address[stop - 1] in _LAST_MARKS or spare.get(address[stop - 1], 0) > 0):
        if address[stop - 1] in spare:
            spare[address[stop - 1]] -= 1
        stop -= 1
    return address[:stop]


def _is_path(text: str) -> bool:
    """Whether words joined by dots and slashes are a path, a file name or an address on the web, and no `and/or`."""
    if text[:1] in "/~.\\" or text[1:2] == ":":
        return len(text) > 1
    host, slash, _ = text.partition("/")
    if "." in host and _DOMAIN.fullmatch(host.rpartition(".")[2]):
        return True
    _, dot, extension = text.rpartition("/")[2].rpartition(".")
    return bool(dot) and (
        _EXTENSION.fullmatch(extension) is not None or bool(slash and extension.isascii() and 2 <= len(extension) <= 4)
    )


def _find_enclosed(text: str, kind: Kind, opening: regex.Pattern[str], closing: regex.Pattern[str]) -> Iterator[Span]:
    """The parts from each opening mark to the closing mark behind it."""
    position = 0
    while (start := opening.search(text, position)) and (stop := closing.search(text, start.end())):
        position = stop.end()
        whole = text[start.start() : position]
        yield Span(start.start(), position, kind, whole, whole)


@lru_cache(maxsize=32)
def _term_pattern(terms: tuple[str, ...]) -> regex.Pattern[str]:
    """Finds glossary terms in any case, composed or not, where no word goes on before or behind them."""
    forms = dict.fromkeys(form for term in terms for form in (term, unicodedata.normalize("NFD", term)))
    words = "|".join(r"\s+".join(map(regex.escape, form.split())) for form in forms)
    before, behind = rf"(?<!{_W})(?={_W})|(?!{_W})", rf"(?<={_W})(?!{_W})|(?<!{_W})(?!\p{{M}})"
    return regex.compile(rf"(?V1)(?i)(?:{before})(?:{words})(?:{behind})")
