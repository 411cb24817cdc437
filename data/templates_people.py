"""Templates about people: what they do, want, feel, are and own.

A template is a name, an English and a Spanish pattern and the table for each slot. In a pattern,
`{s}` writes the term of slot `s`; words behind a colon ask for a form: `{v:past}`, `{n:the c}` (noun `n`
with article and adjective `c`), `{c:s}` (adjective `c` agreeing with `s`). A field that is no slot is itself
a verb, conjugated for slot `s` or for the slot its form names: `{want:present}`, `{querer:present p}`.
"""

from __future__ import annotations

from data.lexicon import (
    ACTIONS, ACTIVITIES, AGES, CALENDAR, CLOCK, FREQUENCIES, FREQUENT_DAYS, FUTURE_DAYS, NUMBERS, PAST_DAYS, PAST_TIMES, PLURAL_PEOPLE, PRONOUNS,
    SHORT_PAST, SINGULAR_PEOPLE, SUBJECTS, THIRD, WE,
)
from data.lexicon_things import (
    BODY, CHARACTERS, CITIES, CITY_TRANSPORT, COLORS, COUNTRIES, FEELINGS, LANGUAGES, NEEDS, PLACES, PROFESSIONS, WORN_BY_ALL,
)
from data.template import Template, distinct

WORKING = {"the teacher", "the doctor", "the nurse", "our boss"}
ANY_JOB = [person for person in SINGULAR_PEOPLE if person.en not in WORKING]
ANY_AGE = [person for person in ANY_JOB if "ther" not in person.en or person.en == "my brother"]
HE_OR_SHE = [*PRONOUNS[2:4], *SINGULAR_PEOPLE]
OTHERS = [*PRONOUNS[1:4], *SINGULAR_PEOPLE, *PLURAL_PEOPLE]

SKILLS = [verb for verb in ACTIVITIES if verb.en.split()[0] in {
    "make", "cook", "repair", "play", "write", "sing", "draw", "take", "ride", "speak", "bake", "use", "teach", "dance"}]
PLEASURES = [verb for verb in ACTIVITIES if verb.en.split()[0] in {
    "read", "learn", "play", "watch", "sing", "dance", "draw", "swim", "walk", "ride", "visit", "pick", "bake",
    "travel", "write", "do", "run"}]

TEMPLATES = [
    # -- tenses ------------------------------------------------------------------------------------------
    Template("habit", "{s} {v:present} {t}.", "{s} {v:present} {t}.", s=SUBJECTS, v=ACTIONS, t=FREQUENT_DAYS),
    Template("always", "{s} always {v:present}.", "{s} siempre {v:present}.", s=SUBJECTS, v=ACTIONS),
    Template("never", "{s} never {v:present} {t}.", "{s} nunca {v:present} {t}.", s=SUBJECTS, v=ACTIONS, t=CALENDAR),
    Template("no_longer", "{s} {do:present} not {v:base} anymore.", "{s} ya no {v:present}.", s=SUBJECTS, v=ACTIONS),
    Template("past", "{s} {v:past} {t}.", "{s} {v:preterite} {t}.", s=SUBJECTS, v=ACTIONS, t=PAST_DAYS),
    Template("past_negative", "{s} did not {v:base} {t}.", "{s} no {v:preterite} {t}.",
             s=SUBJECTS, v=ACTIONS, t=PAST_DAYS),
    Template("future", "{s} will {v:base} {t}.", "{s} {v:future} {t}.", s=SUBJECTS, v=ACTIONS, t=FUTURE_DAYS),
    Template("future_negative", "{s} will not {v:base} {t}.", "{s} no {v:future} {t}.",
             s=SUBJECTS, v=ACTIONS, t=FUTURE_DAYS),
    Template("going_to", "{s} {be:present} going to {v:base} {t}.", "{s} {ir:present} a {v:infinitive} {t}.",
             s=SUBJECTS, v=ACTIONS, t=FUTURE_DAYS),
    Template("progressive", "{s} {be:present} {v:gerund} now.", "{s} {estar:present} {v:gerund} ahora.",
             s=SUBJECTS, v=ACTIVITIES),
    Template("interrupted", "{s} {be:past} {v:gerund} when the phone rang.",
             "{s} {estar:imperfect} {v:gerund} cuando sonó el teléfono.", s=SUBJECTS, v=ACTIVITIES),
    Template("perfect", "{s} {have:present} already {v:participle}.", "{s} ya {v:perfect}.", s=SUBJECTS, v=ACTIONS),
    Template("just", "{s} {have:present} just {v:participle}.", "{s} {acabar:present} de {v:infinitive}.",
             s=SUBJECTS, v=ACTIONS),
    Template("used_to", "{s} used to {v:base} {t}.", "{s} {soler:imperfect} {v:infinitive} {t}.",
             s=SUBJECTS, v=ACTIONS, t=FREQUENT_DAYS),
    Template("started", "{s} started to {v:base} {c}.", "{s} {empezar:preterite} a {v:infinitive} {c}.",
             s=SUBJECTS, v=ACTIVITIES, c=CLOCK),
    # -- verbs before verbs ------------------------------------------------------------------------------
    Template("want_to", "{s} {want:present} to {v:base} {t}.", "{s} {querer:present} {v:infinitive} {t}.",
             s=SUBJECTS, v=ACTIONS, t=FUTURE_DAYS),
    Template("have_to", "{s} {have:present} to {v:base} {t}.", "{s} {tener:present} que {v:infinitive} {t}.",
             s=SUBJECTS, v=ACTIONS, t=FUTURE_DAYS),
    Template("can", "{s} can {v:base} {t}.", "{s} {poder:present} {v:infinitive} {t}.",
             s=SUBJECTS, v=ACTIONS, t=FUTURE_DAYS),
    Template("cannot", "{s} cannot {v:base} today.", "{s} no {poder:present} {v:infinitive} hoy.",
             s=SUBJECTS, v=ACTIONS),
    Template("should", "{s} should {v:base} more often.", "{s} {deber:conditional} {v:infinitive} más a menudo.",
             s=SUBJECTS, v=ACTIONS),
    Template("would_like", "{s} would like to {v:base} {t}.", "{s:a} {s:dative} gustaría {v:infinitive} {t}.",
             s=SUBJECTS, v=ACTIONS, t=FUTURE_DAYS),
    Template("like_to", "{s} {like:present} to {v:base}.", "{s:a} {s:dative} gusta {v:infinitive}.",
             s=SUBJECTS, v=ACTIONS),
    Template("know_how", "{s} {know:present} how to {v:base} very well.", "{s} {saber:present} {v:infinitive} muy bien.",
             s=SUBJECTS, v=SKILLS),
    # -- questions and requests --------------------------------------------------------------------------
    Template("ask_habit", "{do:present} {s} {v:base} {t}?", "¿{s} {v:present} {t}?", s=OTHERS, v=ACTIONS, t=FREQUENT_DAYS),
    Template("ask_past", "Did {s} {v:base} {t}?", "¿{s} {v:preterite} {t}?", s=OTHERS, v=ACTIONS, t=PAST_DAYS),
    Template("ask_why", "Why {do:present} {s} want to {v:base}?", "¿Por qué {querer:present} {s} {v:infinitive}?",
             s=OTHERS, v=ACTIONS),
    Template("ask_when", "When {be:present} {s} going to {v:base}?", "¿Cuándo {ir:present} {s} a {v:infinitive}?",
             s=SUBJECTS, v=ACTIONS),
    Template("ask_polite", "Could you {v:base} {t}, please?", "¿Podrías {v:infinitive} {t}, por favor?",
             v=ACTIONS, t=FUTURE_DAYS),
    Template("let_us", "Let's {v:base s} {t}.", "Vamos a {v:infinitive s} {t}.", s=WE, v=ACTIONS, t=FUTURE_DAYS),
    Template("do_not", "Please do not {v:base} {t}.", "Por favor, no {v:subjunctive} {t}.", v=ACTIONS, t=FUTURE_DAYS),
    # -- subordinate clauses -----------------------------------------------------------------------------
    Template("want_someone", "{s} {want:present} {p:object} to {v:base p}.",
             "{s} {querer:present} que {p} {v:subjunctive p}.", s=SUBJECTS, p=SUBJECTS, v=ACTIONS,
             where=lambda scene: scene["s"].person % 3 != scene["p"].person % 3),
    Template("important_for", "It is important for {s:object} to {v:base}.", "Es importante que {s} {v:subjunctive}.",
             s=SUBJECTS, v=ACTIONS),
    Template("with_time", "If {s} had more time, {s:again} would {v:base}.",
             "Si {s} {tener:past_subjunctive} más tiempo, {v:conditional}.",
             s=[person for person in SUBJECTS if person.person != 3], v=ACTIVITIES),
    Template("before", "{s} always {v:present} before {w:gerund}.", "{s} siempre {v:present} antes de {w:infinitive}.",
             s=SUBJECTS, v=ACTIVITIES, w=ACTIVITIES, where=distinct("v", "w")),
    Template("while", "{s} {v:past} while {p} {be:past p} {w:gerund p}.",
             "{s} {v:preterite} mientras {p} {estar:imperfect p} {w:gerund p}.",
             s=HE_OR_SHE, p=[*SINGULAR_PEOPLE, *PLURAL_PEOPLE], v=ACTIVITIES, w=ACTIVITIES, where=distinct("v", "w", "s", "p")),
    Template("is_fun", "It is fun to {v:base} {t}.", "Es divertido {v:infinitive} {t}.",
             v=PLEASURES, t=FREQUENCIES),
    # -- being, feeling, having --------------------------------------------------------------------------
    Template("character", "{s} {be:present} {c} and {d}.", "{s} {ser:present} {c:s} y {d:s}.",
             s=THIRD, c=CHARACTERS, d=CHARACTERS, where=distinct("c", "d")),
    Template("compare_people", "{s} {be:present} {c:more} than {p}.", "{s} {ser:present} {c:more s} que {p}.",
             s=THIRD, p=[*SINGULAR_PEOPLE, *PLURAL_PEOPLE], c=CHARACTERS, where=distinct("s", "p")),
    Template("feeling", "{s} {be:present} very {c} today.", "{s} {estar:present} muy {c:s} hoy.", s=SUBJECTS, c=FEELINGS),
    Template("felt", "{s} {be:past} a little {c} {t}.", "{s} {estar:imperfect} un poco {c:s} {t}.",
             s=SUBJECTS, c=FEELINGS, t=SHORT_PAST),
    Template("profession", "{s} {be:present} {p:article} and {q} {be:present q} {r:article}.",
             "{s} {ser:present} {p:s} y {q} {ser:present q} {r:q}.",
             s=[*PRONOUNS[2:4], *ANY_JOB], p=PROFESSIONS, q=ANY_JOB, r=PROFESSIONS, where=distinct("s", "q", "p", "r")),
    Template("wants_to_be", "{s} {want:present} to be {p:article}.", "{s} {querer:present} ser {p:s}.",
             s=[*PRONOUNS[:4], *ANY_AGE], p=PROFESSIONS),
    Template("origin", "{s} {be:present} from {c}, but {s:again} {live:present} in {d}.",
             "{s} {ser:present} de {c}, pero {vivir:present} en {d}.", s=SUBJECTS, c=COUNTRIES, d=CITIES),
    Template("language", "{s} {speak:present} {a} and a little {b}.", "{s} {hablar:present} {a} y un poco de {b}.",
             s=SUBJECTS, a=LANGUAGES, b=LANGUAGES, where=distinct("a", "b")),
    Template("age", "{s} {be:present} {n} years old.", "{s} {tener:present} {n} años.",
             s=[*PRONOUNS, *ANY_AGE], n=AGES),
    Template("need", "{s} {be:past} {n} {t}.", "{s} {tener:imperfect} {n} {t}.", s=SUBJECTS, n=NEEDS, t=SHORT_PAST),
    Template("hurts", "{p:possessive} {b} hurts {t}.", "{p:a} {p:dative} duele {b:the} {t}.",
             p=[*PRONOUNS, *SINGULAR_PEOPLE], b=BODY, t=FREQUENCIES),
    Template("wear", "{s} {be:past} wearing {n:a c} {t}.", "{s} {llevar:imperfect} {n:a c} {t}.",
             s=SUBJECTS, n=WORN_BY_ALL, c=COLORS, t=PAST_TIMES),
    # -- going places ------------------------------------------------------------------------------------
    Template("go_place", "{s} {go:present} to {n:the} {t}.", "{s} {ir:present} a {n:the} {t}.",
             s=SUBJECTS, n=PLACES, t=FREQUENCIES),
    Template("went_by", "{s} {go:past} to {n:the} {t}.", "{s} {ir:preterite} a {n:the} {t}.",
             s=SUBJECTS, n=PLACES, t=CITY_TRANSPORT),
    Template("live_near", "{s} {live:present} near {n:the}.", "{s} {vivir:present} cerca de {n:the}.",
             s=SUBJECTS, n=PLACES),
    Template("met_at", "{s} {see:past} {p:object} at {n:the} {t}.", "{s} {ver:preterite} a {p} en {n:the} {t}.",
             s=SUBJECTS, p=[*SINGULAR_PEOPLE, *PLURAL_PEOPLE], n=PLACES, t=PAST_TIMES, where=distinct("s", "p")),
    Template("arrive", "{s} {get:present} to {n:the} {c}.", "{s} {llegar:present} a {n:the} {c}.",
             s=SUBJECTS, n=PLACES, c=CLOCK),
    Template("years_in", "{s} lived in {c} for {n} years.", "{s} {vivir:preterite} {n} años en {c}.",
             s=SUBJECTS, c=[*CITIES, *COUNTRIES], n=NUMBERS[:11]),
]
