"""Templates about what people do, did, will do, want and have to do.

A template is a name, an English and a Spanish pattern and the table for each slot. In a pattern,
`{s}` writes the term of slot `s`; words behind a colon ask for a form: `{v:past}`, `{n:the c}` (noun `n`
with article and adjective `c`), `{c:s}` (adjective `c` agreeing with `s`). A field that is no slot is itself
a verb, conjugated for slot `s` or for the slot its form names: `{want:present}`, `{querer:present p}`.
"""

from __future__ import annotations

from data.lexicon import (
    ACTIONS,
    ACTIVITIES,
    CALENDAR,
    CHORES,
    CLOCK,
    COMPLETED,
    ERRANDS,
    FREQUENCIES,
    FREQUENT_DAYS,
    FUTURE_DAYS,
    PAST_DAYS,
    PLURAL_PEOPLE,
    PRONOUNS,
    SINGULAR_PEOPLE,
    SUBJECTS,
    UNDATED,
    WE,
    starting,
)
from data.template import Template, apart, distinct

HE_OR_SHE = [*PRONOUNS[2:4], *SINGULAR_PEOPLE]
OTHERS = [*PRONOUNS[1:4], *SINGULAR_PEOPLE, *PLURAL_PEOPLE]
SKILLS = starting(
    ACTIVITIES,
    "make; cook; repair; play; write; sing; draw; take; ride; speak; bake; use; teach; dance",
)
PLEASURES = starting(
    ACTIVITIES,
    "read; learn; play; watch; sing; dance; draw; swim; walk; ride; visit; pick; bake; travel; write; do; run",
)

TEMPLATES = [
    # tenses
    Template("habit", "{s} {v:present} {t}.", "{s} {v:present} {t}.", s=SUBJECTS, v=ACTIONS, t=FREQUENT_DAYS),
    Template("always", "{s} always {v:present}.", "{s} siempre {v:present}.", s=SUBJECTS, v=UNDATED),
    Template("never", "{s} never {v:present} {t}.", "{s} nunca {v:present} {t}.", s=SUBJECTS, v=ACTIONS, t=CALENDAR),
    Template("no_longer", "{s} {do:present} not {v:base} anymore.", "{s} ya no {v:present}.", s=SUBJECTS, v=ACTIONS),
    Template("past", "{s} {v:past} {t}.", "{s} {v:preterite} {t}.", s=SUBJECTS, v=ACTIONS, t=PAST_DAYS),
    Template(
        "past_negative",
        "{s} did not {v:base} {t}.",
        "{s} no {v:preterite} {t}.",
        s=SUBJECTS,
        v=ACTIONS,
        t=PAST_DAYS,
    ),
    Template("future", "{s} will {v:base} {t}.", "{s} {v:future} {t}.", s=SUBJECTS, v=ACTIONS, t=FUTURE_DAYS),
    Template(
        "future_negative",
        "{s} will not {v:base} {t}.",
        "{s} no {v:future} {t}.",
        s=SUBJECTS,
        v=ACTIONS,
        t=FUTURE_DAYS,
    ),
    Template(
        "going_to",
        "{s} {be:present} going to {v:base} {t}.",
        "{s} {ir:present} a {v:infinitive} {t}.",
        s=SUBJECTS,
        v=ACTIONS,
        t=FUTURE_DAYS,
    ),
    Template(
        "progressive",
        "{s} {be:present} {v:gerund} now.",
        "{s} {estar:present} {v:gerund} ahora.",
        s=SUBJECTS,
        v=ACTIVITIES,
    ),
    Template(
        "interrupted",
        "{s} {be:past} {v:gerund} when the doorbell rang.",
        "{s} {estar:imperfect} {v:gerund} cuando sonó el timbre.",
        s=SUBJECTS,
        v=ACTIVITIES,
    ),
    Template("perfect", "{s} {have:present} already {v:participle}.", "{s} ya {v:perfect}.", s=SUBJECTS, v=COMPLETED),
    Template(
        "just",
        "{s} {have:present} just {v:participle}.",
        "{s} {acabar:present} de {v:infinitive}.",
        s=SUBJECTS,
        v=COMPLETED,
    ),
    Template(
        "used_to",
        "{s} used to {v:base} {t}.",
        "{s} {soler:imperfect} {v:infinitive} {t}.",
        s=SUBJECTS,
        v=ACTIONS,
        t=FREQUENT_DAYS,
    ),
    Template(
        "started",
        "{s} started to {v:base} {c}.",
        "{s} {empezar:preterite} a {v:infinitive} {c}.",
        s=SUBJECTS,
        v=ACTIVITIES,
        c=CLOCK,
    ),
    # verbs before verbs
    Template(
        "want_to",
        "{s} {want:present} to {v:base} {t}.",
        "{s} {querer:present} {v:infinitive} {t}.",
        s=SUBJECTS,
        v=ACTIONS,
        t=FUTURE_DAYS,
    ),
    Template(
        "have_to",
        "{s} {have:present} to {v:base} {t}.",
        "{s} {tener:present} que {v:infinitive} {t}.",
        s=SUBJECTS,
        v=ACTIONS,
        t=FUTURE_DAYS,
    ),
    Template(
        "can",
        "{s} can {v:base} {t}.",
        "{s} {poder:present} {v:infinitive} {t}.",
        s=SUBJECTS,
        v=ACTIONS,
        t=FUTURE_DAYS,
    ),
    Template(
        "cannot",
        "{s} cannot {v:base} today.",
        "{s} no {poder:present} {v:infinitive} hoy.",
        s=SUBJECTS,
        v=UNDATED,
    ),
    Template(
        "should",
        "{s} should {v:base} more often.",
        "{s} {deber:conditional} {v:infinitive} más a menudo.",
        s=SUBJECTS,
        v=UNDATED,
    ),
    Template(
        "would_like",
        "{s} would like to {v:base} {t}.",
        "{s:a} {s:dative} gustaría {v:infinitive} {t}.",
        s=SUBJECTS,
        v=ACTIONS,
        t=FUTURE_DAYS,
    ),
    Template(
        "like_to",
        "{s} {like:present} to {v:base}.",
        "{s:a} {s:dative} gusta {v:infinitive}.",
        s=SUBJECTS,
        v=ACTIONS,
    ),
    Template(
        "know_how",
        "{s} {know:present} how to {v:base} very well.",
        "{s} {saber:present} {v:infinitive} muy bien.",
        s=SUBJECTS,
        v=SKILLS,
    ),
    # questions and requests
    Template(
        "ask_habit",
        "{do:present} {s} {v:base} {t}?",
        "¿{s} {v:present} {t}?",
        s=OTHERS,
        v=ACTIONS,
        t=FREQUENT_DAYS,
    ),
    Template("ask_past", "Did {s} {v:base} {t}?", "¿{s} {v:preterite} {t}?", s=OTHERS, v=ACTIONS, t=PAST_DAYS),
    Template(
        "ask_why",
        "Why {do:present} {s} want to {v:base}?",
        "¿Por qué {querer:present} {s} {v:infinitive}?",
        s=OTHERS,
        v=ACTIONS,
    ),
    Template(
        "ask_when",
        "When {be:present} {s} going to {v:base}?",
        "¿Cuándo {ir:present} {s} a {v:infinitive}?",
        s=SUBJECTS,
        v=UNDATED,
    ),
    Template(
        "ask_polite",
        "Could you {v:base} {t}, please?",
        "¿Podrías {v:infinitive} {t}, por favor?",
        v=[*CHORES, *ERRANDS],
        t=FUTURE_DAYS,
    ),
    Template(
        "please",
        "Please {v:base} {t}.",
        "Por favor, {v:imperative} {t}.",
        v=[*CHORES, *ERRANDS],
        t=FUTURE_DAYS,
    ),
    Template(
        "let_us",
        "Let's {v:base s} {t}.",
        "Vamos a {v:infinitive s} {t}.",
        s=WE,
        v=[*PLEASURES, *CHORES, *ERRANDS],
        t=FUTURE_DAYS,
    ),
    Template(
        "do_not",
        "Please do not {v:base} {t}.",
        "Por favor, no {v:subjunctive} {t}.",
        v=ACTIONS,
        t=FUTURE_DAYS,
    ),
    # subordinate clauses
    Template(
        "want_someone",
        "{s} {want:present} {p:object} to {v:base p}.",
        "{s} {querer:present} que {p} {v:subjunctive p}.",
        s=SUBJECTS,
        p=SUBJECTS,
        v=UNDATED,
        where=apart,
    ),
    Template(
        "important_for",
        "It is important for {s:object} to {v:base}.",
        "Es importante que {s} {v:subjunctive}.",
        s=SUBJECTS,
        v=UNDATED,
    ),
    Template(
        "with_time",
        "If {s} had more time, {s:again} would {v:base}.",
        "Si {s} {tener:past_subjunctive} más tiempo, {v:conditional}.",
        s=[person for person in SUBJECTS if person.person != 3],
        v=ACTIVITIES,
    ),
    Template(
        "before",
        "{s} always {v:present} before {w:gerund}.",
        "{s} siempre {v:present} antes de {w:infinitive}.",
        s=SUBJECTS,
        v=COMPLETED,
        w=ACTIVITIES,
        where=distinct("v", "w"),
    ),
    Template(
        "while",
        "{s} {v:past} while {p} {be:past p} {w:gerund p}.",
        "{s} {v:preterite} mientras {p} {estar:imperfect p} {w:gerund p}.",
        s=HE_OR_SHE,
        p=[*SINGULAR_PEOPLE, *PLURAL_PEOPLE],
        v=ACTIVITIES,
        w=ACTIVITIES,
        where=distinct("v", "w", "s", "p"),
    ),
    Template("is_fun", "It is fun to {v:base} {t}.", "Es divertido {v:infinitive} {t}.", v=PLEASURES, t=FREQUENCIES),
]
