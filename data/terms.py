"""What a slot of a template can hold: a subject, a verb phrase, a noun, an adjective or a plain phrase.

Every term writes itself in both languages. `form` is the list of words behind the colon of a field, as in
`{n:the c}` or `{v:past}`; `scene` maps slot names to terms, so that a verb can find the subject it agrees
with (slot `s` unless the form names another) and an adjective its noun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from data import english, spanish

Form = Sequence[str]


class Term(Protocol):
    def english(self, form: Form, scene: Scene) -> str: ...

    def spanish(self, form: Form, scene: Scene) -> str: ...


Scene = dict[str, Term]


@dataclass(frozen=True)
class Plain:
    """A phrase that never changes: a time, a town, a number."""

    en: str
    es: str

    def english(self, form: Form, scene: Scene) -> str:
        return self.en

    def spanish(self, form: Form, scene: Scene) -> str:
        return self.es


@dataclass(frozen=True)
class Subject:
    """Who does it. `es` is empty where Spanish leaves the pronoun out; `person` is that of spanish.py."""

    en: str
    es: str
    person: int
    gender: str

    @property
    def plural(self) -> bool:
        return self.person > 2

    def pronoun(self, forms: str) -> str:
        """One of seven words, for I, you, he, she, we, they (m), they (f)."""
        index = {0: 0, 1: 1, 2: 2 + (self.gender == "f"), 3: 4, 4: 5 + (self.gender == "f")}[self.person]
        return forms.split()[index]

    def number(self, forms: str) -> str:
        """One of three words: for I, for you and all plurals, for he and she ("am are is")."""
        return forms.split()[{0: 0, 2: 2}.get(self.person, 1)]

    def english(self, form: Form, scene: Scene) -> str:
        pronoun = self.en in {"I", "you", "he", "she", "we", "they"}
        match list(form):
            case ["object"] if pronoun:
                return self.pronoun("me you him her us them them")
            case ["my"]:
                return self.pronoun("my your his her our their their")
            case ["possessive"] if not pronoun:
                return f"{self.en}'" if self.en.endswith("s") and self.plural else f"{self.en}'s"
            case ["possessive"]:
                return self.english(["my"], scene)
            case ["again"]:  # the pronoun that takes the subject up a second time
                return self.pronoun("I you he she we they they")
        return self.en

    def spanish(self, form: Form, scene: Scene) -> str:
        match list(form):
            case ["dative"]:
                return spanish.DATIVE[self.person]
            case ["a"]:  # a mi hermano le gusta; with yo, tú and nosotros the short pronoun is enough
                return f"a {self.es}" if self.es else ""
            case ["object"]:  # for me, without you
                return self.es or self.pronoun("mí ti - - nosotros - -")
            case ["with"]:
                return {0: "conmigo", 1: "contigo"}.get(self.person) or f"con {self.es or 'nosotros'}"
        return self.es


YOU = Subject("you", "", 1, "m")


def subject_of(form: Form, scene: Scene) -> Subject:
    """The subject a verb agrees with: the one its form names, else slot `s`, else "you"."""
    named = [scene[word] for word in form if word in scene]
    subject = named[0] if named else scene.get("s", YOU)
    assert isinstance(subject, Subject), f"{subject} is no subject"
    return subject


@dataclass(frozen=True)
class Verb:
    """A verb phrase such as "wash the car", "lavar el coche": its first word is the verb."""

    en: str
    es: str

    def english(self, form: Form, scene: Scene) -> str:
        subject = subject_of(form, scene)
        verb, _, rest = self.en.partition(" ")
        match form[0]:
            case "present" if verb == "be":
                word = subject.number("am are is")
            case "present":
                word = english.third_person(verb) if subject.person == 2 else verb
            case "past" if verb == "be":
                word = subject.number("was were was")
            case "past":
                word = english.past(verb)
            case "participle":
                word = english.participle(verb)
            case "gerund":
                word = english.gerund(verb)
            case _:
                word = verb
        return f"{word} {rest}".strip().replace("{my}", subject.english(["my"], scene))

    def spanish(self, form: Form, scene: Scene) -> str:
        person = subject_of(form, scene).person
        verb, _, rest = self.es.partition(" ")
        reflexive = verb.endswith("se")
        verb = verb.removesuffix("se")
        clitic = spanish.REFLEXIVE[person]
        match form[0]:
            case "infinitive":
                word = verb + clitic if reflexive else verb
            case "gerund":
                word = spanish.gerund(verb)
            case "perfect":  # he lavado, me he lavado
                word = f"{spanish.conjugate('haber', 'present', person)} {spanish.participle(verb)}"
                word = f"{clitic} {word}" if reflexive else word
            case tense:
                word = spanish.conjugate(verb, tense, person)
                word = f"{clitic} {word}" if reflexive else word
        return f"{word} {rest}".strip()


@dataclass(frozen=True)
class Adjective:
    """`es` is the masculine singular, `comparative` the English one ("cheaper", "more useful")."""

    en: str
    es: str
    comparative: str = ""

    def english(self, form: Form, scene: Scene) -> str:
        comparative = self.comparative or f"more {self.en}"
        match list(form):
            case ["article"]:
                return english.a(self.en)
            case ["more", *_]:
                return comparative
            case ["most", *_]:
                return "most " + self.en if comparative.startswith("more ") else comparative[:-2] + "est"
        return self.en

    def spanish(self, form: Form, scene: Scene) -> str:
        """The form that agrees with the slot it names, in the plural where the form says "plural"."""
        target = next(scene[word] for word in form if word in scene)
        assert isinstance(target, Noun | Subject), f"{target} has no gender"
        many = "plural" in form or (isinstance(target, Subject) and target.plural)
        word = spanish.adjective(self.es, target.gender, many)
        return f"más {word}" if {"more", "most"} & set(form) else word


@dataclass(frozen=True)
class Noun:
    en: str
    es: str
    gender: str

    def english(self, form: Form, scene: Scene) -> str:
        many = bool({"plural", "these"} & set(form))
        noun = english.plural(self.en) if many else self.en
        adjectives = [term.english([], scene) for term in adjectives_of(form, scene)]
        phrase = " ".join([*adjectives, noun])
        if "a" in form:
            return english.a(phrase)
        if "my" in form:
            return f"{subject_of((), scene).english(['my'], scene)} {phrase}"
        determiner = next((word for word in form if word in {"the", "this", "these", "that"}), "")
        return f"{determiner} {phrase}".strip()

    def spanish(self, form: Form, scene: Scene) -> str:
        many = bool({"plural", "these"} & set(form))
        noun = spanish.plural(self.es) if many else self.es
        agreeing = [spanish.adjective(term.es, self.gender, many) for term in adjectives_of(form, scene)]
        phrase = " ".join([noun, *agreeing])
        if "it" in form:
            return {"m": "lo", "f": "la"}[self.gender]
        if "the" in form:
            return spanish.the(phrase, self.gender, many)
        if "a" in form:
            return spanish.a(phrase, self.gender)
        if "my" in form:
            owner = subject_of((), scene).pronoun("mi tu su su nuestro su su")
            return f"{spanish.adjective(owner, self.gender)} {phrase}"
        for word in form:
            if word in DEMONSTRATIVES:
                determiner = DEMONSTRATIVES[word].split()[self.gender == "f"]
                return determiner if "alone" in form else f"{determiner} {phrase}"
        return phrase


DEMONSTRATIVES = {  # masculine and feminine
    "this": "este esta",
    "these": "estos estas",
    "that": "ese esa",
    "how_many": "cuántos cuántas",
}


def adjectives_of(form: Form, scene: Scene) -> list[Adjective]:
    """The adjectives that the form of a noun names."""
    return [term for word in form if isinstance(term := scene.get(word), Adjective)]
