"""Templates about things: what they are like, where they are, who has them; see templates_actions.py."""

from __future__ import annotations

from data.lexicon import (
    NUMBERS,
    PAST_TIMES,
    PLURAL_PEOPLE,
    SINGULAR_PEOPLE,
    SMALL_NUMBERS,
    SUBJECTS,
    named,
    plain,
    without,
)
from data.lexicon_things import (
    CLOTHES,
    COLORED,
    COLORS,
    CONDITIONS,
    COUNTED_PEOPLE,
    COUNTRIES,
    FURNITURE,
    GOODS,
    LOSABLE,
    NATURE,
    PLACE_TRAITS,
    PLACES,
    PORTABLE,
    QUALITIES,
    ROOMS,
    SHOP_QUALITIES,
    SURFACES,
    THINGS,
)
from data.template import Template, apart, distinct
from data.terms import Adjective

OWNERS = [*SINGULAR_PEOPLE, *PLURAL_PEOPLE]
WHERE = plain("""
    on|encima de; under|debajo de; next to|al lado de; behind|detrás de; near|cerca de
    in front of|delante de
""")
SIZES = named(QUALITIES, "big; small; old; expensive; heavy; modern; elegant; simple")
MINE = Adjective("mine", "mío")
FIRST = named(QUALITIES, "big; small; new; old; heavy; light; modern")
SECOND = [quality for quality in QUALITIES if quality not in FIRST]
STRIKING = named(QUALITIES, "beautiful; elegant; strange; ugly; modern")
INDOORS = without(FURNITURE, "car; door; curtain")

TEMPLATES = [
    # what things are like: ser
    Template(
        "color", "{o:possessive} {n} is {c}.", "{n:the} de {o} es {c:n}.", o=OWNERS, n=[*COLORED, *FURNITURE], c=COLORS
    ),
    Template(
        "quality_this",
        "{n:this} is {c} but {d}.",
        "{n:this} es {c:n} pero {d:n}.",
        n=THINGS,
        c=FIRST,
        d=SECOND,
    ),
    Template("quality_these", "{n:these} are very {c}.", "{n:these} son muy {c:n plural}.", n=THINGS, c=QUALITIES),
    Template(
        "compare_things",
        "{n:this} is {c:more} than {m:that}.",
        "{n:this} es {c:more n} que {m:that}.",
        n=FURNITURE,
        m=FURNITURE,
        c=QUALITIES,
        where=distinct("n", "m"),
    ),
    Template(
        "as_as",
        "{n:the} is not as {c} as {m:the}.",
        "{n:the} no es tan {c:n} como {m:the}.",
        n=PORTABLE,
        m=PORTABLE,
        c=QUALITIES,
        where=distinct("n", "m"),
    ),
    Template(
        "too",
        "{n:that} is too {c} for {p:object}.",
        "{n:that} es demasiado {c:n} para {p:object}.",
        n=THINGS,
        c=SIZES,
        p=SUBJECTS,
    ),
    Template(
        "superlative",
        "This is the {c:most} {n} in {p}.",
        "{n:this alone} es {n:the} {c:most n} de {p}.",
        n=NATURE,
        c=PLACE_TRAITS,
        p=COUNTRIES,
    ),
    Template("what_a", "What {n:a c}!", "¡Qué {n} tan {c:n}!", n=THINGS, c=STRIKING),
    Template(
        "whose",
        "{n:this} is not mine, it is {o:possessive}.",
        "{n:this} no es {mine:n}, es de {o}.",
        n=LOSABLE,
        o=OWNERS,
        mine=[MINE],
    ),
    Template("cost", "{n:the c} costs {k} euros.", "{n:the c} cuesta {k} euros.", n=GOODS, c=COLORS, k=NUMBERS),
    # where things are, in what state: estar, hay
    Template("where_thing", "{n:the} is {w} {m:the}.", "{n:the} está {w} {m:the}.", n=PORTABLE, w=WHERE, m=SURFACES),
    Template(
        "where_place",
        "{p:the} is {w} {q:the}.",
        "{p:the} está {w} {q:the}.",
        p=PLACES,
        w=WHERE[2:],
        q=PLACES,
        where=distinct("p", "q"),
    ),
    Template(
        "ask_where",
        "Where did {s} put {n:the c}?",
        "¿Dónde {poner:preterite} {s} {n:the c}?",
        s=SUBJECTS,
        n=COLORED,
        c=COLORS,
    ),
    Template("there_is", "There is {n:a c} in {r:the}.", "Hay {n:a c} en {r:the}.", n=INDOORS, c=COLORS, r=ROOMS),
    Template(
        "how_many",
        "How many {n:plural} are there {w} {m:the}?",
        "¿{n:how_many plural} hay {w} {m:the}?",
        n=PORTABLE,
        w=WHERE,
        m=SURFACES,
    ),
    Template(
        "still_wet",
        "{n:the c} is still {d}.",
        "{n:the c} todavía está {d:n}.",
        n=CLOTHES,
        c=COLORS,
        d=without(CONDITIONS, "broken; empty"),
    ),
    Template(
        "people_at",
        "There were {k} {n:plural} at {p:the}.",
        "Había {k} {n:plural} en {p:the}.",
        k=NUMBERS[:11],
        n=COUNTED_PEOPLE,
        p=PLACES,
    ),
    Template(
        "put",
        "Put {n:the c} {w} {m:the}, please.",
        "Pon {n:the c} {w} {m:the}, por favor.",
        n=COLORED,
        c=COLORS,
        w=WHERE,
        m=SURFACES,
    ),
    # buying, giving, losing
    Template(
        "bought",
        "{s} {buy:past} {n:a c} {t}.",
        "{s} {comprar:preterite} {n:a c} {t}.",
        s=SUBJECTS,
        n=GOODS,
        c=[*COLORS, *SHOP_QUALITIES],
        t=PAST_TIMES,
    ),
    Template(
        "look_for",
        "{s} {be:present} looking for {n:a c}.",
        "{s} {estar:present} buscando {n:a c}.",
        s=SUBJECTS,
        n=GOODS,
        c=SHOP_QUALITIES,
    ),
    Template(
        "need_two",
        "{s} {need:present} {k} {c} {n:plural}.",
        "{s} {necesitar:present} {k} {n:plural c}.",
        s=SUBJECTS,
        k=SMALL_NUMBERS,
        n=COLORED,
        c=COLORS,
    ),
    Template(
        "they_sell",
        "In this store they sell {c} {n:plural} and {d} {m:plural}.",
        "En esta tienda venden {n:plural c} y {m:plural d}.",
        n=GOODS,
        c=SHOP_QUALITIES,
        m=GOODS,
        d=SHOP_QUALITIES,
        where=distinct("n", "m"),
    ),
    Template(
        "lost",
        "{s} {lose:past} {n:my} at {p:the}.",
        "{s} {perder:preterite} {n:my} en {p:the}.",
        s=SUBJECTS,
        n=LOSABLE,
        p=PLACES,
    ),
    Template(
        "gave",
        "{s} {give:past} {n:a c} to {p:object}.",
        "{s} {p:dative} {dar:preterite} {n:a c} {p:a}.",
        s=SUBJECTS,
        n=COLORED,
        c=COLORS,
        p=SUBJECTS,
        where=apart,
    ),
    Template(
        "that_bought",
        "{n:the} that {s} {buy:past} {t} is {c}.",
        "{n:the} que {comprar:preterite} {s} {t} es {c:n}.",
        n=GOODS,
        s=SUBJECTS,
        t=PAST_TIMES,
        c=QUALITIES,
    ),
    Template(
        "bought_lost",
        "{s} {buy:past} {n:a c}, but {s:again} {lose:past} it {t}.",
        "{s} {comprar:preterite} {n:a c}, pero {n:it} {perder:preterite} {t}.",
        s=SUBJECTS,
        n=without(COLORED, "plate; cup; candle; basket; skirt; dress; letter; key"),
        c=COLORS,
        t=PAST_TIMES,
    ),
]
