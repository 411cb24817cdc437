"""What happens to a sentence before it is tokenized: the same functions in training and in serving.

`normalise` is always applied. `drop_dots` is the clean-up of the original notebooks, which is off by default.
`drop_dots` and `split_sentences` use *non-breaking prefixes*: abbreviations whose dot ends no sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from container.errors import ChannelError

NUMERIC_ONLY = "#NUMERIC_ONLY#"
"""Suffix of a prefix that is non-breaking only before a number (`No. 5`, but `No. Never.`)."""

_PREFIX_FOLDER = Path(__file__).parent / "prefixes"

# Unicode calls these format characters too, but they change how Arabic, Indic text and emoji are read.
_JOINERS = "\u200c\u200d"
# Control, format, surrogate and private-use characters: a translation model should see none of them.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co"})

_TERMINATOR = re.compile(r"[.!?…]+")
_OPENERS = "\"'“‘«([¿¡—–-"
# What stands between two sentences: closing marks, then the end of the text, or ¿ or ¡, or white space, opening marks
# and a letter or digit. Letters without case (Arabic, Chinese) may open a sentence like capitals.
_OPENING = re.compile(
    r"""(?P<closers> ["'”’»)\]]* )
        (?: \s* \Z
          | \s* ["'“‘«(\[—–-]* [¿¡]
          | \s+ ["'“‘«(\[—–-]* (?P<first> [^\W_] ) )""",
    re.VERBOSE,
)


def normalise(text: str) -> str:
    """`text` as one line of composed Unicode (NFC), with single spaces and without control characters.

    Private-use characters are removed as well, so that no input can forge one of the `PLACEHOLDERS`.
    Normalising twice changes nothing.
    """
    # A printable text holds nothing unwanted, and that check is ten times as fast as looking at each character.
    wanted = text if text.isprintable() else "".join(filter(_is_wanted, text))
    return " ".join(unicodedata.normalize("NFC", wanted).split())


def _is_wanted(character: str) -> bool:
    if character.isspace() or character in _JOINERS:
        return True
    return unicodedata.category(character) not in _UNWANTED


def clean(text: str, *, clean_dots: bool = False, prefixes: Sequence[str] = ()) -> str:
    """The text as the model sees it; `prefixes` (Moses format) are those of the text's language."""
    line = normalise(text)
    return drop_dots(line, prefixes) if clean_dots else line


def drop_dots(text: str, prefixes: Sequence[str] = ()) -> str:
    """Drop every dot that ends no sentence, and double spaces: the clean-up of the original notebooks.

    A dot stays when the end of the text follows it, or white space and something that can open a
    sentence (a capital, a digit, an opening mark), and when the word before it is no non-breaking
    prefix. Of several dots in a row all stay or none.

    This turns `3.5` into `35`, `Mr. Hill` into `Mr Hill` and `a.b@c.org` into `ab@corg`. It makes a small
    corpus more uniform, but meaning is lost. So it is off by default.
    """
    text = " ".join(text.split())
    endings = {end.start() for end, _ in _sentence_ends(text, prefixes)}

    def kept(run: re.Match[str]) -> str:
        return run[0] if run.start() in endings else run[0].replace(".", "")

    return " ".join(_TERMINATOR.sub(kept, text).split())


def split_sentences(text: str, prefixes: Sequence[str] = ()) -> list[str]:
    """The sentences of `text` in order; joined by a space they give the text with single spaces.

    A sentence ends at `. ! ? …` with its closing quotes and brackets, when white space and a
    capital, a digit or an opening mark such as `¿` follow. It does not end after a non-breaking
    prefix, an acronym (`EE. UU.`, `U.S.`) or the number of a list item (`1. Open the door.`).
    """
    text = " ".join(text.split())
    sentences, start = [], 0
    for _, stop in _sentence_ends(text, prefixes):
        sentences.append(text[start:stop].strip())
        start = stop
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences


def _sentence_ends(text: str, prefixes: Sequence[str]) -> Iterator[tuple[re.Match[str], int]]:
    """Each terminator (`.`, `?!`, `…`) that ends a sentence, and the index at which that sentence stops.

    `text` must have single spaces only. No slice of it is made, so the time is linear in its length.
    """
    start = 0
    for terminator in _TERMINATOR.finditer(text):
        opening = _OPENING.match(text, terminator.end())
        if opening is None or (opening["first"] or "").islower():
            continue
        following = text[opening.end() - 1 : opening.end()] if opening.end() > opening.end("closers") else ""
        if terminator[0] == "." and _is_non_breaking(text, start, terminator.start(), following, prefixes):
            continue
        yield terminator, opening.end("closers")
        start = opening.end("closers")


def _is_non_breaking(text: str, start: int, dot: int, following: str, prefixes: Sequence[str]) -> bool:
    """Whether the single dot at index `dot` ends no sentence, in the sentence that begins at `start`.

    `following` is the first letter, digit or mark after the dot; it is empty at the end of the text.
    """
    always, numeric = _prefix_sets(tuple(prefixes))
    word_start = max(start, text.rfind(" ", start, dot) + 1)
    word = text[word_start:dot].lstrip(_OPENERS)
    if word in always:
        return True
    if word in numeric:
        return following.isdigit()
    if not following:
        return False
    is_list_item = word_start - start <= 1 and word.isdigit() and len(word) <= 2
    parts = word.split(".")
    is_acronym = len(parts) > 1 and all(part.isupper() and len(part) <= 2 for part in parts)
    return is_list_item or is_acronym


@lru_cache(maxsize=16)
def _prefix_sets(prefixes: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Prefixes that never end a sentence, and prefixes that do not end one before a number."""
    numeric = {line.removesuffix(NUMERIC_ONLY).strip() for line in prefixes if line.endswith(NUMERIC_ONLY)}
    always = {line for line in prefixes if not line.endswith(NUMERIC_ONLY)}
    return frozenset(always), frozenset(numeric)


def load_prefixes(path: Path) -> tuple[str, ...]:
    """The non-breaking prefixes of a file in the Moses format, with their `#NUMERIC_ONLY#` suffixes.

    One prefix a line; a dot at its end is removed. Lines that start with `#` are comments. `ChannelError` when the file
    cannot be read or is not UTF-8.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ChannelError(
            f"The non-breaking prefixes {path} cannot be read ({error.strerror}): "
            "put the file into the channel, or leave the hyperparameter out."
        ) from None
    prefixes = (_parse_prefix(line, path, number) for number, line in enumerate(lines, start=1))
    return tuple(dict.fromkeys(prefix for prefix in prefixes if prefix))


def _parse_prefix(line: bytes, path: Path, number: int) -> str:
    try:
        text = unicodedata.normalize("NFC", line.decode("utf-8-sig" if number == 1 else "utf-8")).strip()
    except UnicodeDecodeError:
        raise ChannelError(f"{path}, line {number}, is not UTF-8: save the file as UTF-8.") from None
    if text.startswith("#"):
        return ""
    if text.endswith(NUMERIC_ONLY):
        return f"{text.removesuffix(NUMERIC_ONLY).strip().removesuffix('.')} {NUMERIC_ONLY}"
    return text.removesuffix(".")


def default_prefixes(lang: str) -> tuple[str, ...]:
    """Our own list for a language code such as `en`; empty where we have no list."""
    path = _PREFIX_FOLDER / f"{lang}.txt"
    return load_prefixes(path) if lang.isalpha() and path.is_file() else ()
