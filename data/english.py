"""English inflection: just enough of it for the embedded corpus.

Regular forms follow the spelling rules; whatever does not is in a table here.
"""

from __future__ import annotations

import re

VOWELS = "aeiou"

PAST = {  # base form: (past, past participle)
    "be": ("was", "been"),
    "bring": ("brought", "brought"),
    "buy": ("bought", "bought"),
    "come": ("came", "come"),
    "cut": ("cut", "cut"),
    "do": ("did", "done"),
    "draw": ("drew", "drawn"),
    "drink": ("drank", "drunk"),
    "drive": ("drove", "driven"),
    "eat": ("ate", "eaten"),
    "feed": ("fed", "fed"),
    "get": ("got", "got"),
    "give": ("gave", "given"),
    "go": ("went", "gone"),
    "have": ("had", "had"),
    "lose": ("lost", "lost"),
    "make": ("made", "made"),
    "pay": ("paid", "paid"),
    "put": ("put", "put"),
    "read": ("read", "read"),
    "ride": ("rode", "ridden"),
    "run": ("ran", "run"),
    "see": ("saw", "seen"),
    "sell": ("sold", "sold"),
    "send": ("sent", "sent"),
    "set": ("set", "set"),
    "sing": ("sang", "sung"),
    "sit": ("sat", "sat"),
    "sleep": ("slept", "slept"),
    "speak": ("spoke", "spoken"),
    "sweep": ("swept", "swept"),
    "swim": ("swam", "swum"),
    "take": ("took", "taken"),
    "teach": ("taught", "taught"),
    "wake": ("woke", "woken"),
    "wear": ("wore", "worn"),
    "write": ("wrote", "written"),
}
DOUBLED = {"cut", "get", "put", "run", "set", "sit", "swim"}  # run -> running
PLURAL = {
    "child": "children",
    "foot": "feet",
    "knife": "knives",
    "man": "men",
    "mouse": "mice",
    "person": "people",
    "sheep": "sheep",
    "shelf": "shelves",
    "tooth": "teeth",
    "wolf": "wolves",
    "woman": "women",
    "potato": "potatoes",
    "scarf": "scarves",
    "tomato": "tomatoes",
}
SOUNDS_LIKE_CONSONANT = ("uni", "use", "euro")  # a university, a useful map
SOUNDS_LIKE_VOWEL = ("hour", "honest")


def s_form(word: str) -> str:
    """The word with -s by the spelling rules: plural of a noun, third person of a verb."""
    if word.endswith("y") and word[-2] not in VOWELS:
        return word[:-1] + "ies"
    if re.search(r"(s|x|z|ch|sh)$", word) or word in {"do", "go"}:
        return word + "es"
    return word + "s"


def plural(noun: str) -> str:
    """Plural of a noun; of a compound such as "train ticket" the last word changes."""
    *modifiers, head = noun.split(" ")
    return " ".join([*modifiers, PLURAL.get(head) or s_form(head)])


def third_person(verb: str) -> str:
    """he/she form of the present: "has", "goes", "studies"."""
    return {"have": "has", "be": "is"}.get(verb) or s_form(verb)


def _with_ed(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return verb[:-1] + "ied"
    return verb + (verb[-1] if verb in DOUBLED else "") + "ed"


def past(verb: str) -> str:
    return PAST[verb][0] if verb in PAST else _with_ed(verb)


def participle(verb: str) -> str:
    return PAST[verb][1] if verb in PAST else _with_ed(verb)


def gerund(verb: str) -> str:
    """-ing form: "making", "running", "studying"."""
    if verb.endswith("e") and not verb.endswith("ee") and verb != "be":
        return verb[:-1] + "ing"
    return verb + (verb[-1] if verb in DOUBLED else "") + "ing"


def a(phrase: str) -> str:
    """The phrase behind "a" or "an", chosen by its first sound."""
    vowel = phrase[0] in VOWELS and not phrase.startswith(SOUNDS_LIKE_CONSONANT)
    return f"an {phrase}" if vowel or phrase.startswith(SOUNDS_LIKE_VOWEL) else f"a {phrase}"


def sentence(text: str) -> str:
    """One space between words, none before a comma, a capital in front."""
    text = re.sub(r"\s+([,.?!])", r"\1", " ".join(text.split()))
    return text[0].upper() + text[1:]
