"""Templates about things, food, animals, places and the weather; templates_people.py explains the patterns."""

from __future__ import annotations

from data.lexicon import (
    CLOCK, FREQUENCIES, FUTURE_TIMES, NUMBERS, PAST_TIMES, PLURAL_PEOPLE, SINGULAR_PEOPLE, SMALL_NUMBERS, SUBJECTS, nouns,
    plain,
)
from data.lexicon_things import (
    ANIMAL_TRAITS, ANIMALS, CITIES, CLOTHES, COLORS, CONDITIONS, COUNTED_PEOPLE, COUNTRIES, DISH_SIDES, DISH_STATES,
    DISHES, DRINKS, FOODS, FURNITURE, GOODS, LOSABLE, NATURE, OPEN_PLACES, PLACE_TRAITS, PLACES, PORTABLE, PRODUCE, QUALITIES, ROOMS,
    SHOP_QUALITIES, SIDES, SURFACES, THINGS, CITY_TRANSPORT,
)
from data.template import Template, distinct
from data.terms import Adjective, Scene

OWNERS = [*SINGULAR_PEOPLE, *PLURAL_PEOPLE]
WHERE = plain("on|encima de; under|debajo de; next to|al lado de; behind|detrás de; near|cerca de; "
              "in front of|delante de")
WEATHER = plain("it will be cold|hará frío; it will be hot|hará calor; it will rain|lloverá; it will snow|nevará; "
                "it will be windy|hará viento; it will be sunny|hará sol; there will be a storm|habrá tormenta; "
                "there will be fog|habrá niebla; it will be cloudy|estará nublado")
SEASONS = plain("in the spring|en primavera; in the summer|en verano; in the fall|en otoño; in the winter|en invierno; "
                "in January|en enero; in April|en abril; in July|en julio; in August|en agosto; in October|en octubre")
CLIMATE = plain("it rained a lot|llovió mucho; it was very hot|hizo mucho calor; it was very cold|hizo mucho frío; "
                "it snowed a little|nevó un poco; it almost never rained|casi nunca llovió; "
                "it was very windy|hizo mucho viento; there was a storm|hubo una tormenta")
BIG_ANIMALS = [animal for animal in ANIMALS if animal.en not in {"butterfly", "bee", "spider", "frog", "whale"}]
WILD = [animal for animal in ANIMALS if animal.en not in {"lion", "elephant", "tiger", "monkey", "whale"}]
COUNTRYSIDE = [place for place in NATURE if place.en not in {"city", "street", "desert", "island"}]

COOKED = [dish for dish in DISHES if dish.en not in {"milk", "fruit", "water"}]
SIZES = [quality for quality in QUALITIES if quality.en in {
    "big", "small", "old", "expensive", "heavy", "modern", "elegant", "simple"}]
PET_TRAITS = [*[color for color in COLORS if color.en in {"white", "black", "gray"}], Adjective("small", "pequeño"),
              Adjective("big", "grande"), Adjective("old", "viejo"), Adjective("young", "joven"),
              Adjective("friendly", "simpático")]
MINE = Adjective("mine", "mío")
PETS = [animal for animal in ANIMALS if animal.en in {"dog", "cat", "rabbit", "bird", "horse", "turtle", "hen", "duck"}]
FIRST = [quality for quality in QUALITIES if quality.en in {"big", "small", "new", "old", "heavy", "light", "modern"}]
SECOND = [quality for quality in QUALITIES if quality not in FIRST]
STRIKING = [quality for quality in QUALITIES if quality.en in {"beautiful", "elegant", "strange", "ugly", "modern"}]
SAVORY = [food for food in FOODS if food.en in {"rice", "soup", "meat", "fish", "salad", "chicken", "pasta"}]
HOT_DRINKS = [drink for drink in DRINKS if drink.en in {"tea", "coffee"}]
WITH = plain("with|con; without|sin")
SERVINGS = plain("a cup of tea|una taza de té; a cup of coffee|una taza de café; a glass of water|un vaso de agua; "
                 "a glass of milk|un vaso de leche; a glass of wine|una copa de vino; a bottle of beer|una botella de "
                 "cerveza; a bottle of water|una botella de agua; a glass of lemonade|un vaso de limonada")
VEHICLES = nouns("train|tren|m; bus|autobús|m; plane|avión|m; flight|vuelo|m")
SHOPS = [place for place in PLACES if place.en in {"market", "supermarket", "farm", "store"}]
INDOORS = [thing for thing in FURNITURE if thing.en not in {"car", "door", "curtain"}]


def apart(scene: Scene) -> bool:
    """Giver and receiver are different persons: no "I gave me"."""
    return scene["s"].person % 3 != scene["p"].person % 3


TEMPLATES = [
    # -- what things are like: ser -----------------------------------------------------------------------
    Template("color", "{o:possessive} {n} is {c}.", "{n:the} de {o} es {c:n}.", o=OWNERS, n=THINGS, c=COLORS),
    Template("quality_this", "{n:this} is {c} but {d}.", "{n:this} es {c:n} pero {d:n}.",
             n=THINGS, c=FIRST, d=SECOND),
    Template("quality_these", "{n:these} are very {c}.", "{n:these} son muy {c:n plural}.", n=THINGS, c=QUALITIES),
    Template("compare_things", "{n:this} is {c:more} than {m:that}.", "{n:this} es {c:more n} que {m:that}.",
             n=FURNITURE, m=FURNITURE, c=QUALITIES, where=distinct("n", "m")),
    Template("as_as", "{n:the} is not as {c} as {m:the}.", "{n:the} no es tan {c:n} como {m:the}.",
             n=PORTABLE, m=PORTABLE, c=QUALITIES, where=distinct("n", "m")),
    Template("too", "{n:that} is too {c} for {p:object}.", "{n:that} es demasiado {c:n} para {p:object}.",
             n=THINGS, c=SIZES, p=SUBJECTS),
    Template("superlative", "This is the {c:most} {n} in {p}.", "{n:this alone} es {n:the} {c:most n} de {p}.",
             n=NATURE, c=PLACE_TRAITS, p=COUNTRIES),
    Template("what_a", "What {n:a c}!", "¡Qué {n} tan {c:n}!", n=THINGS, c=STRIKING),
    Template("whose", "{n:this} is not mine, it is {o:possessive}.", "{n:this} no es {mine:n}, es de {o}.",
             n=LOSABLE, o=OWNERS, mine=[MINE]),
    Template("cost", "{n:the c} costs {k} euros.", "{n:the c} cuesta {k} euros.", n=GOODS, c=COLORS, k=NUMBERS),
    # -- where things are, in what state: estar, hay -----------------------------------------------------
    Template("where_thing", "{n:the} is {w} {m:the}.", "{n:the} está {w} {m:the}.", n=PORTABLE, w=WHERE, m=SURFACES),
    Template("where_place", "{p:the} is {w} {q:the}.", "{p:the} está {w} {q:the}.",
             p=PLACES, w=WHERE[2:], q=PLACES, where=distinct("p", "q")),
    Template("ask_where", "Where did {s} put {n:the c}?", "¿Dónde {poner:preterite} {s} {n:the c}?",
             s=SUBJECTS, n=PORTABLE, c=COLORS),
    Template("there_is", "There is {n:a c} in {r:the}.", "Hay {n:a c} en {r:the}.", n=INDOORS, c=COLORS, r=ROOMS),
    Template("how_many", "How many {n:plural} are there {w} {m:the}?", "¿{n:how_many plural} hay {w} {m:the}?",
             n=PORTABLE, w=WHERE, m=SURFACES),
    Template("still_wet", "{n:the c} is still {d}.", "{n:the c} todavía está {d:n}.",
             n=CLOTHES, c=COLORS, d=[state for state in CONDITIONS if state.en not in {"broken", "empty"}]),
    Template("people_at", "There were {k} {n:plural} at {p:the}.", "Había {k} {n:plural} en {p:the}.",
             k=NUMBERS, n=COUNTED_PEOPLE, p=PLACES),
    Template("put", "Put {n:the c} {w} {m:the}, please.", "Pon {n:the c} {w} {m:the}, por favor.",
             n=PORTABLE, c=COLORS, w=WHERE, m=SURFACES),
    # -- buying, giving, losing --------------------------------------------------------------------------
    Template("bought", "{s} {buy:past} {n:a c} {t}.", "{s} {comprar:preterite} {n:a c} {t}.",
             s=SUBJECTS, n=GOODS, c=[*COLORS, *SHOP_QUALITIES], t=PAST_TIMES),
    Template("look_for", "{s} {be:present} looking for {n:a c}.", "{s} {estar:present} buscando {n:a c}.",
             s=SUBJECTS, n=GOODS, c=SHOP_QUALITIES),
    Template("need_two", "{s} {need:present} {k} {c} {n:plural}.", "{s} {necesitar:present} {k} {n:plural c}.",
             s=SUBJECTS, k=SMALL_NUMBERS, n=PORTABLE, c=COLORS),
    Template("they_sell", "In this store they sell {c} {n:plural} and {d} {m:plural}.",
             "En esta tienda venden {n:plural c} y {m:plural d}.",
             n=GOODS, c=SHOP_QUALITIES, m=GOODS, d=SHOP_QUALITIES, where=distinct("n", "m")),
    Template("lost", "{s} {lose:past} {n:my} at {p:the}.", "{s} {perder:preterite} {n:my} en {p:the}.",
             s=SUBJECTS, n=LOSABLE, p=PLACES),
    Template("gave", "{s} {give:past} {n:a c} to {p:object}.", "{s} {p:dative} {dar:preterite} {n:a c} {p:a}.",
             s=SUBJECTS, n=PORTABLE, c=COLORS, p=SUBJECTS, where=apart),
    Template("that_bought", "{n:the} that {s} {buy:past} {t} is {c}.",
             "{n:the} que {comprar:preterite} {s} {t} es {c:n}.", n=GOODS, s=SUBJECTS, t=PAST_TIMES, c=QUALITIES),
    Template("bought_lost", "{s} {buy:past} {n:a c}, but {s:again} {lose:past} it {t}.",
             "{s} {comprar:preterite} {n:a c}, pero {n:it} {perder:preterite} {t}.",
             s=SUBJECTS, n=LOSABLE, c=COLORS, t=PAST_TIMES),
    # -- food and drink ----------------------------------------------------------------------------------
    Template("like_food", "{s} {like:present} {f} very much.", "{s:a} {s:dative} gusta mucho {f:the}.",
             s=SUBJECTS, f=[*FOODS, *DRINKS]),
    Template("dislike", "{s} {do:present} not like {n:plural}.", "{s:a} no {s:dative} gustan {n:the plural}.",
             s=SUBJECTS, n=PRODUCE),
    Template("prefer", "{s} {prefer:present} {f} to {g}.", "{s} {preferir:present} {f:the} a {g:the}.",
             s=SUBJECTS, f=FOODS, g=FOODS, where=distinct("f", "g")),
    Template("ordered", "{s} {order:past} {f} {w} {g}.", "{s} {pedir:preterite} {f} {w} {g}.",
             s=SUBJECTS, f=SAVORY, w=WITH, g=DISH_SIDES, where=distinct("f", "g")),
    Template("drinks_with", "{s} always {drink:present} {d} {w} {x}.", "{s} siempre {beber:present} {d} {w} {x}.",
             s=SUBJECTS, d=HOT_DRINKS, w=WITH, x=SIDES),
    Template("drank", "{s} {drink:past} {d} {t}.", "{s} {beber:preterite} {d} {t}.",
             s=SUBJECTS, d=SERVINGS, t=PAST_TIMES),
    Template("dish_state", "{d:the} that {s} {make:past} is {c}.", "{d:the} que {preparar:preterite} {s} está {c:d}.",
             s=SUBJECTS, d=COOKED, c=DISH_STATES),
    Template("bought_food", "{s} {buy:past} {k} {n:plural} at {p:the}.", "{s} {comprar:preterite} {k} {n:plural} en {p:the}.",
             s=SUBJECTS, k=NUMBERS, n=PRODUCE, p=SHOPS),
    Template("recipe", "We need {k} {n:plural} and a little {f}.", "Necesitamos {k} {n:plural} y un poco de {f}.",
             k=SMALL_NUMBERS, n=PRODUCE, f=[food for food in FOODS if food.en not in {"cake", "tortilla", "soup"}]),
    # -- animals, places, weather ------------------------------------------------------------------------
    Template("saw_animals", "{s} {see:past} {k} {n:plural} near {p:the}.", "{s} {ver:preterite} {k} {n:plural} cerca de {p:the}.",
             s=SUBJECTS, k=NUMBERS[:11], n=WILD, p=COUNTRYSIDE),
    Template("afraid_of", "{s} {be:present} afraid of {n:plural}.", "{s} {tener:present} miedo a {n:the plural}.",
             s=SUBJECTS, n=ANIMALS),
    Template("compare_animals", "{n:this} is {c:more} than {m:that}.", "{n:this} es {c:more n} que {m:that}.",
             n=BIG_ANIMALS, m=BIG_ANIMALS, c=ANIMAL_TRAITS, where=distinct("n", "m")),
    Template("pet", "{s} {have:present} {n:a c} and {m:a d}.", "{s} {tener:present} {n:a c} y {m:a d}.",
             s=SUBJECTS, n=PETS, m=PETS, c=PET_TRAITS, d=PET_TRAITS, where=distinct("n", "m")),
    Template("opens", "{p:the} opens {c} {t}.", "{p:the} abre {c} {t}.", p=OPEN_PLACES, c=CLOCK, t=FREQUENCIES[4:9]),
    Template("leaves", "{n:the} to {p} leaves {c}.", "{n:the} a {p} sale {c}.", n=VEHICLES, p=CITIES, c=CLOCK),
    Template("weather", "{w} in {p} {t}.", "{w} en {p} {t}.", w=WEATHER, p=CITIES, t=FUTURE_TIMES[:5]),
    Template("climate", "That year {w} in {p} {t}.", "Aquel año {w} en {p} {t}.", w=CLIMATE, p=[*CITIES, *COUNTRIES], t=SEASONS),
    Template("how_to_get", "How do I get to {p:the} {t}?", "¿Cómo llego a {p:the} {t}?", p=PLACES, t=CITY_TRANSPORT),
    Template("traveled", "{s} {travel:past} to {c} with {p:object}.", "{s} {viajar:preterite} a {c} {p:with}.",
             s=SUBJECTS, c=[*CITIES, *COUNTRIES], p=SUBJECTS, where=apart),
    Template("was_at", "{s} {be:past} at {p:the} {t}.", "{s} {estar:preterite} en {p:the} {t}.",
             s=SUBJECTS, p=PLACES, t=PAST_TIMES),
    Template("waiting", "{s} {be:present} waiting for {p:object} in front of {q:the}.",
             "{s} {estar:present} esperando a {p} delante de {q:the}.",
             s=SUBJECTS, p=OWNERS, q=PLACES, where=apart),
]
