"""Templates of the test part only: every word and every structure in them is taught by a training template,
the combination is not. templates_actions.py explains the patterns."""

from __future__ import annotations

from data.lexicon import (
    ACTIONS,
    CHORES,
    ERRANDS,
    FUTURE_DAYS,
    FUTURE_TIMES,
    PAST_DAYS,
    SINGULAR_PEOPLE,
    SMALL_NUMBERS,
    SUBJECTS,
    THIRD,
    named,
)
from data.lexicon_things import COLORED, COLORS, FEELINGS, GOODS, PLACES, PRODUCE, SHOP_QUALITIES, SURFACES
from data.template import Template, distinct
from data.templates_actions import OTHERS, PLEASURES
from data.templates_places import PETS, SHOPS
from data.templates_things import WHERE

REASONS = named(FEELINGS, "tired; sick; busy; worried; nervous")

TEMPLATES = [
    Template(
        "want_but_have_to",
        "{s} {want:present} to {v:base}, but {s:again} {have:present} to {w:base}.",
        "{s} {querer:present} {v:infinitive}, pero {tener:present} que {w:infinitive}.",
        s=SUBJECTS,
        v=PLEASURES,
        w=[*CHORES, *ERRANDS],
        where=distinct("v", "w"),
    ),
    Template(
        "past_and_future",
        "{s} {v:past} {t} and {p} will {w:base p} {u}.",
        "{s} {v:preterite} {t} y {p} {w:future p} {u}.",
        s=SUBJECTS,
        v=ACTIONS,
        t=PAST_DAYS,
        p=SINGULAR_PEOPLE,
        w=ACTIONS,
        u=FUTURE_DAYS,
        where=lambda scene: distinct("v", "w")(scene) and scene["s"] != scene["p"],
    ),
    Template(
        "where_colored",
        "{n:the c} is {w} {m:the}.",
        "{n:the c} está {w} {m:the}.",
        n=COLORED,
        c=COLORS,
        w=WHERE,
        m=SURFACES,
    ),
    Template(
        "going_to_buy",
        "{s} {be:present} going to buy {n:a c} {t}.",
        "{s} {ir:present} a comprar {n:a c} {t}.",
        s=SUBJECTS,
        n=GOODS,
        c=[*COLORS, *SHOP_QUALITIES],
        t=FUTURE_TIMES,
    ),
    Template(
        "cannot_because",
        "{s} cannot {v:base} because {s:again} {be:present} very {c}.",
        "{s} no {poder:present} {v:infinitive} porque {estar:present} muy {c:s}.",
        s=SUBJECTS,
        v=[*PLEASURES, *CHORES],
        c=REASONS,
    ),
    Template(
        "ask_live_near",
        "{do:present} {s} live near {n:the}?",
        "¿{s} {vivir:present} cerca de {n:the}?",
        s=OTHERS,
        n=PLACES,
    ),
    Template(
        "have_to_go",
        "{s} {have:present} to go to {n:the} {t}.",
        "{s} {tener:present} que ir a {n:the} {t}.",
        s=SUBJECTS,
        n=PLACES,
        t=FUTURE_TIMES,
    ),
    Template(
        "there_are",
        "There are {k} {c} {n:plural} {w} {m:the}.",
        "Hay {k} {n:plural c} {w} {m:the}.",
        k=SMALL_NUMBERS,
        c=COLORS,
        n=COLORED,
        w=WHERE,
        m=SURFACES,
    ),
    Template(
        "lost_pet",
        "{s} {lose:past} {n:my c} near {p:the}.",
        "{s} {perder:preterite} {n:my c} cerca de {p:the}.",
        s=THIRD,
        n=PETS,
        c=COLORS[4:7],
        p=PLACES,
    ),
    Template(
        "want_to_buy_food",
        "{s} {want:present} to buy {k} {n:plural} at {p:the}.",
        "{s} {querer:present} comprar {k} {n:plural} en {p:the}.",
        s=SUBJECTS,
        k=SMALL_NUMBERS,
        n=PRODUCE,
        p=SHOPS,
    ),
]
