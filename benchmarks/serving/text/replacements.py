"""Numbers and names put in the place of others, on both sides of a pair, where the alignment is certain.

Numbers: a pair is taken where each side has exactly one number word, and both mean the same number from 2 to 90
(`two classes`, `dos clases`), but no time of day; or where both sides have the same digits. The new number is larger
than 1, so the plural behind it stays right. A number in front of a noun that had none would need the plural of that
noun, so none is made.

Names: a pair is taken where both sides have the same first name or city from the lists below. A name becomes another
of the same kind and gender, so that the words around it keep their forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from benchmarks.serving.text.pairs import Altered, Pair, draw

NUMBER_WORDS = {
    "en": "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety",
    "es": "dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
}
BEFORE_A_TIME = frozenset({"at", "by", "past", "until", "las"})  # `at eight`, `a las ocho`
LENGTHS = (2, 3, 4)  # digits of the number in the place of a number word: one copy of the pair for each

MEN = (
    "Al Alan Alex Bill Bob Brian Carlos Chris Dan David Dima Fadil Fred George Henry Hiroshi Jack Jerry Jim Jimmy Joe "
    "Joey John Ken Kevin Marcos Mark Mike Nick Paul Peter Richard Rob Robert Sam Sami Scott Steve Takeshi Taro Thomas "
    "Tim Tom Tony Ziri"
)
WOMEN = (
    "Alice Angela Ania Ann Anne Betty Carol Diana Elena Elizabeth Ellen Emily Esther Grace Hanako Helen Jane Judy "
    "Julia Kaori Kate Kathy Laura Laurie Layla Linda Lucy Maki Marie Marika Mary Mayuko Meg Melanie Miyuki Nancy Naoko "
    "Patricia Rosa Sally Sara Sheila Shirley Susan Suzanne Tamara Yoko"
)
CITIES = "Acapulco Boston Chicago Houston Kobe Kyoto Nagoya Nara Okinawa Osaka Tirana"
# Names that the Tatoeba English-Spanish corpus of manythings.org does not have.
NEW_MEN = "Anders Bjarne Dmitri Kofi Lachlan Mateusz Nikolai Rajesh Tariq Thabo"
NEW_WOMEN = "Agnieszka Ayesha Chiara Freya Ingrid Priya Siobhan Xiomara Yuki Zanele"
NEW_CITIES = "Denver Jakarta Lagos Manila Nairobi Reykjavik Toronto"

_NEW_NAMES = {
    old: new.split()
    for names, new in ((MEN, NEW_MEN), (WOMEN, NEW_WOMEN), (CITIES, NEW_CITIES))
    for old in names.split()
}
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")  # `twenty-five` is one word, which stands in no list
_DIGITS = re.compile(r"\d+(?:[.,:/]\d+)*")  # with its separators, which both sides must have alike


def replace_names(pair: Pair) -> Altered | None:
    """`Tom loves Boston.` becomes `Kofi loves Lagos.` on both sides."""
    shared = {word for word in _WORD.findall(pair.source) if word in _NEW_NAMES} & set(_WORD.findall(pair.reference))
    if not shared:
        return None
    random = draw("names", pair.source)
    new: dict[str, str] = {}
    for name in sorted(shared):
        free = [other for other in _NEW_NAMES[name] if other not in new.values()]
        if not free:
            return None
        new[name] = random.choice(free)
    source, reference = (_WORD.sub(lambda word: new.get(word[0], word[0]), text) for text in _sides(pair))
    return Altered(source, reference, (pair,), tuple(new.values()))


def replace_numbers(pair: Pair, source_lang: str, target_lang: str) -> list[Altered]:
    """Copies of the pair with other numbers, in digits; none where no number is aligned for certain."""
    if _DIGITS.search(pair.source + pair.reference):
        found = _other_digits(pair)
        return [found] if found else []
    words = [_only_number(text, lang) for text, lang in zip(_sides(pair), (source_lang, target_lang), strict=True)]
    if words[0] is None or words[1] is None or words[0][1] != words[1][1]:
        return []
    copies = []
    for length in LENGTHS:
        number = str(draw(f"number {length}", pair.source).randrange(10 ** (length - 1) + 1, 10**length))
        source, reference = (
            re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", number, text, count=1)
            for text, (word, _) in ((pair.source, words[0]), (pair.reference, words[1]))
        )
        copies.append(Altered(source, reference, (pair,), (number,)))
    return copies


def _only_number(text: str, lang: str) -> tuple[str, int] | None:
    """The number word of the text and its rank in the list of its language; None unless there is exactly one."""
    known = NUMBER_WORDS.get(lang, "").split()
    words = [word.lower() for word in _WORD.findall(text)]
    places = [place for place, word in enumerate(words) if word in known]
    if len(places) != 1 or not BEFORE_A_TIME.isdisjoint(words[: places[0]][-1:]):
        return None
    return _WORD.findall(text)[places[0]], known.index(words[places[0]])


def _other_digits(pair: Pair) -> Altered | None:
    """The pair with the last digit of each number changed; None unless both sides have the same numbers."""
    numbers = [sorted(_DIGITS.findall(text)) for text in _sides(pair)]
    if numbers[0] != numbers[1] or len(set(numbers[0])) < len(numbers[0]):
        return None
    new = _renumber(numbers[0], pair.source)
    source, reference = (_DIGITS.sub(lambda number: new[number[0]], text) for text in _sides(pair))
    return Altered(source, reference, (pair,), tuple(new.values())) if source != pair.source else None


def _renumber(numbers: list[str], text: str) -> Mapping[str, str]:
    """Another number for each, all different; only the last digit changes, so a year becomes one near to it."""
    random = draw("digits", text)
    new: dict[str, str] = {}
    for number in numbers:
        lowest = 2 if len(number) == 1 else 0
        free = [number[:-1] + str(digit) for digit in range(lowest, 10)]
        new[number] = random.choice([other for other in free if other != number and other not in new.values()])
    return new


def _sides(pair: Pair) -> tuple[str, str]:
    return pair.source, pair.reference
