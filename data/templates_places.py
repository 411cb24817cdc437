"""Templates about food, animals, places and the weather; templates_actions.py explains the patterns."""

from __future__ import annotations

from data.lexicon import (
    CLOCK,
    FREQUENCIES,
    FUTURE_TIMES,
    NUMBERS,
    PAST_TIMES,
    PLURAL_PEOPLE,
    SINGULAR_PEOPLE,
    SMALL_NUMBERS,
    SUBJECTS,
    named,
    nouns,
    plain,
    without,
)
from data.lexicon_things import (
    ANIMAL_TRAITS,
    ANIMALS,
    CITIES,
    CITY_TRANSPORT,
    COLORS,
    COUNTRIES,
    DISH_SIDES,
    DISH_STATES,
    DISHES,
    DRINKS,
    FOODS,
    NATURE,
    OPEN_PLACES,
    PLACES,
    PRODUCE,
    SIDES,
)
from data.template import Template, apart, distinct
from data.terms import Adjective

OWNERS = [*SINGULAR_PEOPLE, *PLURAL_PEOPLE]
WEATHER = plain("""
    it will be cold|hará frío; it will be hot|hará calor; it will rain|lloverá; it will snow|nevará
    it will be windy|hará viento; it will be sunny|hará sol; there will be a storm|habrá tormenta
    there will be fog|habrá niebla; it will be cloudy|estará nublado
""")
SEASONS = plain("""
    in the spring|en primavera; in the summer|en verano; in the fall|en otoño
    in the winter|en invierno; in January|en enero; in April|en abril; in July|en julio
    in August|en agosto; in October|en octubre
""")
CLIMATE = plain("""
    it rained a lot|llovió mucho; it was very hot|hizo mucho calor; it was very cold|hizo mucho frío
    it snowed a little|nevó un poco; it almost never rained|casi nunca llovió
    it was very windy|hizo mucho viento; there was a storm|hubo una tormenta
""")
BIG_ANIMALS = without(ANIMALS, "butterfly; bee; spider; frog; whale")
WILD = without(ANIMALS, "lion; elephant; tiger; monkey; whale")
COUNTRYSIDE = without(NATURE, "city; street; desert; island")
COOKED = without(DISHES, "milk; fruit; water")
PET_TRAITS = [
    *named(COLORS, "white; black; gray"),
    Adjective("small", "pequeño"),
    Adjective("big", "grande"),
    Adjective("old", "viejo"),
    Adjective("young", "joven"),
    Adjective("friendly", "simpático"),
]
PETS = named(ANIMALS, "dog; cat; rabbit; bird; horse; turtle; hen; duck")
SAVORY = named(FOODS, "rice; soup; meat; fish; salad; chicken; pasta")
HOT_DRINKS = named(DRINKS, "tea; coffee")
WITH = plain("with|con; without|sin")
SERVINGS = plain("""
    a cup of tea|una taza de té; a cup of coffee|una taza de café; a glass of water|un vaso de agua
    a glass of milk|un vaso de leche; a glass of wine|una copa de vino
    a bottle of beer|una botella de cerveza; a bottle of water|una botella de agua
    a glass of lemonade|un vaso de limonada
""")
VEHICLES = nouns("""
    train|tren|m; bus|autobús|m; plane|avión|m; flight|vuelo|m
""")
OPENING_DAYS = named(FREQUENCIES, "on Mondays; on Saturdays; on Sundays; on weekends; on holidays")
SHOPS = named(PLACES, "market; supermarket; farm; store")

TEMPLATES = [
    # food and drink
    Template(
        "like_food",
        "{s} {like:present} {f} very much.",
        "{s:a} {s:dative} gusta mucho {f:the}.",
        s=SUBJECTS,
        f=[*FOODS, *DRINKS],
    ),
    Template(
        "dislike",
        "{s} {do:present} not like {n:plural}.",
        "{s:a} no {s:dative} gustan {n:the plural}.",
        s=SUBJECTS,
        n=PRODUCE,
    ),
    Template(
        "prefer",
        "{s} {prefer:present} {f} to {g}.",
        "{s} {preferir:present} {f:the} a {g:the}.",
        s=SUBJECTS,
        f=FOODS,
        g=FOODS,
        where=distinct("f", "g"),
    ),
    Template(
        "ordered",
        "{s} {order:past} {f} {w} {g}.",
        "{s} {pedir:preterite} {f} {w} {g}.",
        s=SUBJECTS,
        f=SAVORY,
        w=WITH,
        g=DISH_SIDES,
        where=distinct("f", "g"),
    ),
    Template(
        "drinks_with",
        "{s} always {drink:present} {d} {w} {x}.",
        "{s} siempre {beber:present} {d} {w} {x}.",
        s=SUBJECTS,
        d=HOT_DRINKS,
        w=WITH,
        x=SIDES,
    ),
    Template(
        "drank",
        "{s} {drink:past} {d} {t}.",
        "{s} {beber:preterite} {d} {t}.",
        s=SUBJECTS,
        d=SERVINGS,
        t=PAST_TIMES,
    ),
    Template(
        "dish_state",
        "{d:the} that {s} {make:past} is {c}.",
        "{d:the} que {preparar:preterite} {s} está {c:d}.",
        s=SUBJECTS,
        d=COOKED,
        c=DISH_STATES,
    ),
    Template(
        "bought_food",
        "{s} {buy:past} {k} {n:plural} at {p:the}.",
        "{s} {comprar:preterite} {k} {n:plural} en {p:the}.",
        s=SUBJECTS,
        k=NUMBERS,
        n=PRODUCE,
        p=SHOPS,
    ),
    Template(
        "recipe",
        "We need {k} {n:plural} and a little {f}.",
        "Necesitamos {k} {n:plural} y un poco de {f}.",
        k=SMALL_NUMBERS,
        n=PRODUCE,
        f=named(FOODS, "bread; rice; cheese; ham; honey; butter; jam; meat; chocolate"),
    ),
    # animals, places, weather
    Template(
        "saw_animals",
        "{s} {see:past} {k} {n:plural} near {p:the}.",
        "{s} {ver:preterite} {k} {n:plural} cerca de {p:the}.",
        s=SUBJECTS,
        k=NUMBERS[:11],
        n=WILD,
        p=COUNTRYSIDE,
    ),
    Template(
        "afraid_of",
        "{s} {be:present} afraid of {n:plural}.",
        "{s} {tener:present} miedo a {n:the plural}.",
        s=SUBJECTS,
        n=ANIMALS,
    ),
    Template(
        "compare_animals",
        "{n:this} is {c:more} than {m:that}.",
        "{n:this} es {c:more n} que {m:that}.",
        n=BIG_ANIMALS,
        m=BIG_ANIMALS,
        c=ANIMAL_TRAITS,
        where=distinct("n", "m"),
    ),
    Template(
        "pet",
        "{s} {have:present} {n:a c} and {m:a d}.",
        "{s} {tener:present} {n:a c} y {m:a d}.",
        s=SUBJECTS,
        n=PETS,
        m=PETS,
        c=PET_TRAITS,
        d=PET_TRAITS,
        where=distinct("n", "m"),
    ),
    Template("opens", "{p:the} opens {c} {t}.", "{p:the} abre {c} {t}.", p=OPEN_PLACES, c=CLOCK, t=OPENING_DAYS),
    Template("leaves", "{n:the} to {p} leaves {c}.", "{n:the} a {p} sale {c}.", n=VEHICLES, p=CITIES, c=CLOCK),
    Template("weather", "{w} in {p} {t}.", "{w} en {p} {t}.", w=WEATHER, p=CITIES, t=FUTURE_TIMES[:5]),
    Template(
        "climate",
        "That year {w} in {p} {t}.",
        "Aquel año {w} en {p} {t}.",
        w=CLIMATE,
        p=[*CITIES, *COUNTRIES],
        t=SEASONS,
    ),
    Template("how_to_get", "How do I get to {p:the} {t}?", "¿Cómo llego a {p:the} {t}?", p=PLACES, t=CITY_TRANSPORT),
    Template(
        "traveled",
        "{s} {travel:past} to {c} with {p:object}.",
        "{s} {viajar:preterite} a {c} {p:with}.",
        s=SUBJECTS,
        c=[*CITIES, *COUNTRIES],
        p=SUBJECTS,
        where=apart,
    ),
    Template(
        "was_at",
        "{s} {be:past} at {p:the} {t}.",
        "{s} {estar:preterite} en {p:the} {t}.",
        s=SUBJECTS,
        p=PLACES,
        t=PAST_TIMES,
    ),
    Template(
        "waiting",
        "{s} {be:present} waiting for {p:object} in front of {q:the}.",
        "{s} {estar:present} esperando a {p} delante de {q:the}.",
        s=SUBJECTS,
        p=OWNERS,
        q=[*OPEN_PLACES, *named(PLACES, "station; hotel; hospital")],
        where=apart,
    ),
]
