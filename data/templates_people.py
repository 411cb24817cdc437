"""Templates about what people are, feel and wear, and where they go; see templates_actions.py."""

from __future__ import annotations

from data.lexicon import (
    AGES,
    CLOCK,
    FREQUENCIES,
    NUMBERS,
    PAST_TIMES,
    PLURAL_PEOPLE,
    PRONOUNS,
    SHORT_PAST,
    SINGULAR_PEOPLE,
    SUBJECTS,
    THIRD,
)
from data.lexicon_things import (
    BODY,
    CHARACTERS,
    CITIES,
    CITY_TRANSPORT,
    COLORS,
    COUNTRIES,
    FEELINGS,
    LANGUAGES,
    NEEDS,
    PLACES,
    PROFESSIONS,
    WORN_BY_ALL,
)
from data.template import Template, distinct

WORKING = {"the teacher", "the doctor", "the nurse", "our boss"}
ANY_JOB = [person for person in SINGULAR_PEOPLE if person.en not in WORKING]
ANY_AGE = [person for person in ANY_JOB if "ther" not in person.en or person.en == "my brother"]

TEMPLATES = [
    # being, feeling, having
    Template(
        "character",
        "{s} {be:present} {c} and {d}.",
        "{s} {ser:present} {c:s} y {d:s}.",
        s=THIRD,
        c=CHARACTERS,
        d=CHARACTERS,
        where=distinct("c", "d"),
    ),
    Template(
        "compare_people",
        "{s} {be:present} {c:more} than {p}.",
        "{s} {ser:present} {c:more s} que {p}.",
        s=THIRD,
        p=[*SINGULAR_PEOPLE, *PLURAL_PEOPLE],
        c=CHARACTERS,
        where=distinct("s", "p"),
    ),
    Template(
        "feeling",
        "{s} {be:present} very {c} today.",
        "{s} {estar:present} muy {c:s} hoy.",
        s=SUBJECTS,
        c=FEELINGS,
    ),
    Template(
        "felt",
        "{s} {be:past} a little {c} {t}.",
        "{s} {estar:imperfect} un poco {c:s} {t}.",
        s=SUBJECTS,
        c=FEELINGS,
        t=SHORT_PAST,
    ),
    Template(
        "profession",
        "{s} {be:present} {p:article} and {q} {be:present q} {r:article}.",
        "{s} {ser:present} {p:s} y {q} {ser:present q} {r:q}.",
        s=[*PRONOUNS[2:4], *ANY_JOB],
        p=PROFESSIONS,
        q=ANY_JOB,
        r=PROFESSIONS,
        where=distinct("s", "q", "p", "r"),
    ),
    Template(
        "wants_to_be",
        "{s} {want:present} to be {p:article}.",
        "{s} {querer:present} ser {p:s}.",
        s=[*PRONOUNS[:4], *ANY_AGE],
        p=PROFESSIONS,
    ),
    Template(
        "origin",
        "{s} {be:present} from {c}, but {s:again} {live:present} in {d}.",
        "{s} {ser:present} de {c}, pero {vivir:present} en {d}.",
        s=SUBJECTS,
        c=COUNTRIES,
        d=CITIES,
    ),
    Template(
        "language",
        "{s} {speak:present} {a} and a little {b}.",
        "{s} {hablar:present} {a} y un poco de {b}.",
        s=SUBJECTS,
        a=LANGUAGES,
        b=LANGUAGES,
        where=distinct("a", "b"),
    ),
    Template(
        "age",
        "{s} {be:present} {n} years old.",
        "{s} {tener:present} {n} años.",
        s=[*PRONOUNS, *ANY_AGE],
        n=AGES,
    ),
    Template(
        "need", "{s} {be:past} {n} {t}.", "{s} {tener:imperfect} {n} {t}.", s=SUBJECTS, n=NEEDS, t=SHORT_PAST
    ),
    Template(
        "hurts",
        "{p:possessive} {b} hurts {t}.",
        "{p:a} {p:dative} duele {b:the} {t}.",
        p=[*PRONOUNS, *SINGULAR_PEOPLE],
        b=BODY,
        t=FREQUENCIES,
    ),
    Template(
        "wear",
        "{s} {be:past} wearing {n:a c} {t}.",
        "{s} {llevar:imperfect} {n:a c} {t}.",
        s=SUBJECTS,
        n=WORN_BY_ALL,
        c=COLORS,
        t=PAST_TIMES,
    ),
    # going places
    Template(
        "go_place",
        "{s} {go:present} to {n:the} {t}.",
        "{s} {ir:present} a {n:the} {t}.",
        s=SUBJECTS,
        n=PLACES,
        t=FREQUENCIES,
    ),
    Template(
        "went_by",
        "{s} {go:past} to {n:the} {t}.",
        "{s} {ir:preterite} a {n:the} {t}.",
        s=SUBJECTS,
        n=PLACES,
        t=CITY_TRANSPORT,
    ),
    Template(
        "live_near",
        "{s} {live:present} near {n:the}.",
        "{s} {vivir:present} cerca de {n:the}.",
        s=SUBJECTS,
        n=PLACES,
    ),
    Template(
        "met_at",
        "{s} {see:past} {p:object} at {n:the} {t}.",
        "{s} {ver:preterite} a {p} en {n:the} {t}.",
        s=SUBJECTS,
        p=[*SINGULAR_PEOPLE, *PLURAL_PEOPLE],
        n=PLACES,
        t=PAST_TIMES,
        where=distinct("s", "p"),
    ),
    Template(
        "arrive",
        "{s} {get:present} to {n:the} {c}.",
        "{s} {llegar:present} a {n:the} {c}.",
        s=SUBJECTS,
        n=PLACES,
        c=CLOCK,
    ),
    Template(
        "years_in",
        "{s} lived in {c} for {n} years.",
        "{s} {vivir:preterite} {n} años en {c}.",
        s=SUBJECTS,
        c=[*CITIES, *COUNTRIES],
        n=NUMBERS[:11],
    ),
]
