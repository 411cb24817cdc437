"""Alterations of a pair's writing: case, marks, quotes, typos, symbols. Each is a pure function of the pair.

An alteration answers None for a pair that it does not change, or cannot change on both sides for certain.
"""

from __future__ import annotations

import re

from benchmarks.serving.text.pairs import Altered, Pair, draw

EMOJI = ("😀", "😂", "😍", "😢", "😡", "👍", "👍🏽", "🙏", "🎉", "🔥", "❤️", "🐶", "🐱", "🌧️", "🍕", "🚗", "👨‍👩‍👧", "🇪🇸")
SYMBOLS = ("#", "$", "%", "&", "*", "+", "/", "=", "@", "_", "|", "~", "€", "°", "→", "★", "•", "©")
TYPOS = ("swap", "lose", "double", "neighbour")
LONG_WORD = 4  # letters from which a word can get a typo
TWO_TYPOS = 8  # words from which a sentence gets two typos
# Letters beside each letter of a QWERTY keyboard.
NEIGHBOURS = {
    **{"a": "sqz", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo"},
    **{"j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad"},
    **{"t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x"},
}

_WORD = re.compile(r"[^\W\d_]+")
_FINAL_MARK = re.compile(r"(?<=\w)[.!?]\Z")
_TO_STRAIGHT = str.maketrans({**dict.fromkeys("‘’", "'"), **dict.fromkeys("“”«»", '"')})
_OPENING_MARKS = str.maketrans("", "", "¿¡")


# ---- case ----------------------------------------------------------------------------------------------


def to_capitals(pair: Pair) -> Altered | None:
    """`I love you.` becomes `I LOVE YOU.`, and its reference is in capitals too."""
    return _changed(pair, pair.source.upper(), pair.reference.upper())


def to_title_case(pair: Pair) -> Altered | None:
    """`My sister has a dog.` becomes `My Sister Has A Dog.`"""
    words = [word[:1].upper() + word[1:] for word in pair.source.split(" ")]
    return _changed(pair, " ".join(words), pair.reference)


def to_lower_case(pair: Pair) -> Altered | None:
    return _changed(pair, pair.source.lower(), pair.reference)


# ---- marks and quotes ----------------------------------------------------------------------------------


def drop_final_mark(pair: Pair) -> Altered | None:
    """`Where is it?` becomes `Where is it`, and its reference has no final mark either."""
    if not (_FINAL_MARK.search(pair.source) and _FINAL_MARK.search(pair.reference)):
        return None
    return _changed(pair, without_final_mark(pair.source), without_final_mark(pair.reference))


def without_final_mark(text: str) -> str:
    return _FINAL_MARK.sub("", text)


def without_opening_marks(text: str) -> str:
    """`¿` and `¡` are left out: whether one stands where the closing mark is missing is a matter of taste."""
    return text.translate(_OPENING_MARKS)


def without_final_and_opening_marks(text: str) -> str:
    return without_opening_marks(without_final_mark(text))


def curl_quotes(pair: Pair) -> Altered | None:
    """`It's "fine".` becomes `It’s “fine”.`"""
    curled = re.sub(r"(?<!\w)'(?=\w)", "‘", pair.source).replace("'", "’")
    curled = re.sub(r'(?<![^\s(\[—-])"', "“", curled).replace('"', "”")
    return _changed(pair, curled, pair.reference)


def straighten_quotes(text: str) -> str:
    """All quotes as `'` and `"`, so that the form of a quote in the translation does not count."""
    return text.translate(_TO_STRAIGHT)


# ---- typos ---------------------------------------------------------------------------------------------


def add_typos(pair: Pair) -> Altered | None:
    """One word misspelt, two in a sentence of eight words or more.

    Two letters are swapped, or one is lost, doubled, or replaced by a letter beside it on the keyboard. The first
    letter of a word stays, as it does in most typos.
    """
    words = [found for found in _WORD.finditer(pair.source) if len(found[0]) >= LONG_WORD]
    if not words:
        return None
    random = draw("typos", pair.source)
    source = pair.source
    count = 2 if len(source.split()) >= TWO_TYPOS else 1
    for found in sorted(random.sample(words, min(len(words), count)), key=lambda found: -found.start()):
        at = random.randrange(1, len(found[0]) - 1)
        misspelt = misspell(found[0], at, random.choice(TYPOS), random.random())
        source = source[: found.start()] + misspelt + source[found.end() :]
    return _changed(pair, source, pair.reference)


def misspell(word: str, at: int, kind: str, share: float) -> str:
    """`word` with one typo at letter `at`, which is not its last; `share` (0 to 1) chooses among neighbour keys.

    A letter is doubled where two equal letters would be swapped, and where a letter has no neighbour in our list.
    """
    letter, following = word[at], word[at + 1]
    if kind == "swap" and letter != following:
        return word[:at] + following + letter + word[at + 2 :]
    if kind == "lose":
        return word[:at] + word[at + 1 :]
    beside = NEIGHBOURS.get(letter.lower(), "")
    if kind == "neighbour" and beside:
        other = beside[int(share * len(beside))]
        return word[:at] + (other.upper() if letter.isupper() else other) + word[at + 1 :]
    return word[:at] + letter + word[at:]


# ---- symbols -------------------------------------------------------------------------------------------


def add_emoji(pair: Pair) -> Altered | None:
    """An emoji at a place that both sides have."""
    return _add(pair, draw("emoji", pair.source).choice(EMOJI))


def add_symbol(pair: Pair) -> Altered | None:
    """A symbol at a place that both sides have, or brackets around the whole in a quarter of the pairs."""
    random = draw("symbols", pair.source)
    if random.random() < 0.25:
        opening, closing = random.choice((("(", ")"), ("[", "]")))
        source, reference = (f"{opening}{text}{closing}" for text in (pair.source, pair.reference))
        return Altered(source, reference, (pair,), (opening, closing))
    return _add(pair, random.choice(SYMBOLS))


def _add(pair: Pair, symbol: str) -> Altered | None:
    """The symbol behind the one comma of each side where both have one; else before the final mark, or in front.

    Those are the places where both sides are aligned for certain.
    """
    if symbol in pair.source or symbol in pair.reference:
        return None
    sides = (pair.source, pair.reference)
    random = draw("place", pair.source)
    if all(len(re.findall(r", ", text)) == 1 for text in sides):
        source, reference = (text.replace(", ", f", {symbol} ") for text in sides)
    elif all(_FINAL_MARK.search(text) for text in sides) and random.random() < 0.75:
        source, reference = (_FINAL_MARK.sub(lambda mark: f" {symbol}{mark[0]}", text) for text in sides)
    else:
        source, reference = (f"{symbol} {text}" for text in sides)
    return Altered(source, reference, (pair,), (symbol,))


def _changed(pair: Pair, source: str, reference: str) -> Altered | None:
    return Altered(source, reference, (pair,)) if source != pair.source else None
