"""Spanish inflection: conjugation, gender and number, contractions; just enough for the embedded corpus.

A person is an index: 0 yo, 1 tú, 2 él/ella, 3 nosotros, 4 ellos/ellas.
"""

from __future__ import annotations

import re

REGULAR = {
    "present": {"ar": "o as a amos an", "er": "o es e emos en", "ir": "o es e imos en"},
    "preterite": {"ar": "é aste ó amos aron", "er": "í iste ió imos ieron", "ir": "í iste ió imos ieron"},
    "imperfect": {"ar": "aba abas aba ábamos aban", "er": "ía ías ía íamos ían", "ir": "ía ías ía íamos ían"},
    "subjunctive": {"ar": "e es e emos en", "er": "a as a amos an", "ir": "a as a amos an"},
}
ON_INFINITIVE = {"future": "é ás á emos án", "conditional": "ía ías ía íamos ían"}
SHORT_STEM = {  # stem of future and conditional where it is not the infinitive
    "hacer": "har",
    "poder": "podr",
    "poner": "pondr",
    "querer": "querr",
    "saber": "sabr",
    "salir": "saldr",
    "tener": "tendr",
}
# Stem vowel under stress (cierro), and the weaker change of -ir verbs in durmió, durmiendo.
STRESSED = {
    "acostar": ("o", "ue"),
    "almorzar": ("o", "ue"),
    "cerrar": ("e", "ie"),
    "contar": ("o", "ue"),
    "despertar": ("e", "ie"),
    "dormir": ("o", "ue"),
    "empezar": ("e", "ie"),
    "enviar": ("i", "í"),
    "jugar": ("u", "ue"),
    "pedir": ("e", "i"),
    "poder": ("o", "ue"),
    "preferir": ("e", "ie"),
    "querer": ("e", "ie"),
    "regar": ("e", "ie"),
    "sentar": ("e", "ie"),
    "servir": ("e", "i"),
    "vestir": ("e", "i"),
    "volver": ("o", "ue"),
    "soler": ("o", "ue"),
    "perder": ("e", "ie"),
}
WEAK = {
    "dormir": ("o", "u"),
    "pedir": ("e", "i"),
    "servir": ("e", "i"),
    "vestir": ("e", "i"),
    "preferir": ("e", "i"),
}
FIRST_PERSON = {  # the irregular yo form, from which the subjunctive is built
    "hacer": "hago",
    "poner": "pongo",
    "salir": "salgo",
    "tener": "tengo",
    "traer": "traigo",
    "ver": "veo",
    "conducir": "conduzco",
}
IRREGULAR = {
    ("ser", "present"): "soy eres es somos son",
    ("ser", "preterite"): "fui fuiste fue fuimos fueron",
    ("ser", "imperfect"): "era eras era éramos eran",
    ("ser", "subjunctive"): "sea seas sea seamos sean",
    ("estar", "present"): "estoy estás está estamos están",
    ("estar", "preterite"): "estuve estuviste estuvo estuvimos estuvieron",
    ("estar", "subjunctive"): "esté estés esté estemos estén",
    ("ir", "present"): "voy vas va vamos van",
    ("ir", "preterite"): "fui fuiste fue fuimos fueron",
    ("ir", "imperfect"): "iba ibas iba íbamos iban",
    ("ir", "subjunctive"): "vaya vayas vaya vayamos vayan",
    ("saber", "present"): "sé sabes sabe sabemos saben",
    ("haber", "present"): "he has ha hemos han",
    ("dar", "present"): "doy das da damos dan",
    ("dar", "preterite"): "di diste dio dimos dieron",
    ("dar", "subjunctive"): "dé des dé demos den",
    ("tener", "present"): "tengo tienes tiene tenemos tienen",
    ("tener", "preterite"): "tuve tuviste tuvo tuvimos tuvieron",
    ("hacer", "preterite"): "hice hiciste hizo hicimos hicieron",
    ("poner", "preterite"): "puse pusiste puso pusimos pusieron",
    ("poder", "preterite"): "pude pudiste pudo pudimos pudieron",
    ("querer", "preterite"): "quise quisiste quiso quisimos quisieron",
    ("traer", "preterite"): "traje trajiste trajo trajimos trajeron",
    ("conducir", "preterite"): "conduje condujiste condujo condujimos condujeron",
    ("leer", "preterite"): "leí leíste leyó leímos leyeron",
    ("ver", "preterite"): "vi viste vio vimos vieron",
    ("ver", "imperfect"): "veía veías veía veíamos veían",
}
IMPERATIVE = {
    "hacer": "haz",
    "ir": "ve",
    "poner": "pon",
    "salir": "sal",
    "tener": "ten",
}
PARTICIPLE = {
    "abrir": "abierto",
    "escribir": "escrito",
    "hacer": "hecho",
    "poner": "puesto",
    "ver": "visto",
    "volver": "vuelto",
    "leer": "leído",
    "traer": "traído",
}
GERUND = {"leer": "leyendo", "traer": "trayendo", "ir": "yendo"}

REFLEXIVE = ("me", "te", "se", "nos", "se")
DATIVE = ("me", "te", "le", "nos", "les")
EL_BEFORE_STRESSED_A = {"agua", "aula", "águila", "área", "arma", "hacha"}


def _join(stem: str, ending: str, group: str) -> str:
    """Stem and ending with the spelling that keeps the sound: busqué, pagué, recojo, conozco."""
    first = ending[0]
    if group == "ar" and first in "eé":
        for letters, spelled in (("c", "qu"), ("g", "gu"), ("z", "c")):
            if stem.endswith(letters):
                return stem[: -len(letters)] + spelled + ending
    if group != "ar" and first in "ao":
        for letters, spelled in (("gu", "g"), ("g", "j"), ("c", "zc")):
            if stem.endswith(letters):
                return stem[: -len(letters)] + spelled + ending
    return stem + ending


def _change(stem: str, rule: tuple[str, str]) -> str:
    """The stem with its last `rule[0]` replaced: cerr, (e, ie) -> cierr."""
    head, _, tail = stem.rpartition(rule[0])
    return head + rule[1] + tail


def conjugate(verb: str, tense: str, person: int) -> str:
    """A finite form of a verb: `tense` is a key of the tables above, "imperative" or "past_subjunctive"."""
    if tense == "imperative":  # of tú
        return IMPERATIVE.get(verb) or conjugate(verb, "present", 2)
    if tense == "past_subjunctive":
        return conjugate(verb, "preterite", 4).removesuffix("ron") + ["ra", "ras", "ra", "-", "ran"][person]
    if (verb, tense) in IRREGULAR:
        return IRREGULAR[verb, tense].split()[person]
    if tense in ON_INFINITIVE:
        return SHORT_STEM.get(verb, verb) + ON_INFINITIVE[tense].split()[person]
    stem, group = verb[:-2], verb[-2:]
    ending = REGULAR[tense][group].split()[person]
    if verb in FIRST_PERSON and (tense == "subjunctive" or (tense == "present" and person == 0)):
        return FIRST_PERSON[verb] if tense == "present" else FIRST_PERSON[verb][:-1] + ending
    if tense in ("present", "subjunctive") and verb in STRESSED and person != 3:
        stem = _change(stem, STRESSED[verb])
    elif verb in WEAK and (tense == "subjunctive" or (tense == "preterite" and person in (2, 4))):
        stem = _change(stem, WEAK[verb])
    return _join(stem, ending, group)


def participle(verb: str) -> str:
    return PARTICIPLE.get(verb) or verb[:-2] + ("ado" if verb.endswith("ar") else "ido")


def gerund(verb: str) -> str:
    stem = _change(verb[:-2], WEAK[verb]) if verb in WEAK else verb[:-2]
    return GERUND.get(verb) or stem + ("ando" if verb.endswith("ar") else "iendo")


def _without_last_accent(word: str) -> str:
    """estación -> estacion, which the longer estaciones no longer accents."""
    return re.sub(r"[áéíóú](?=[ns]$)", lambda m: "aeiou"["áéíóú".index(m[0])], word)


def plural(word: str) -> str:
    """Plural of a noun or adjective; of "silla de ruedas" the first word changes."""
    head, _, tail = word.partition(" ")
    if tail:
        return f"{plural(head)} {tail}"
    if word in {"joven", "examen", "paraguas", "lunes", "gafas", "tijeras"}:
        return {"joven": "jóvenes", "examen": "exámenes"}.get(word, word)
    if word[-1] in "aeiouáéó":
        return word + "s"
    if word.endswith("z"):
        return word[:-1] + "ces"
    return _without_last_accent(word) + "es"


def adjective(masculine: str, gender: str, many: bool = False) -> str:
    """The form of an adjective that agrees: rojo, roja, rojos, rojas; azul, azules; español, española."""
    word = masculine
    if gender == "f":
        if word.endswith("o"):
            word = word[:-1] + "a"
        elif word.endswith(("dor", "tor", "sor", "ón", "és", "án")) or word == "español":
            word = _without_last_accent(word) + "a"
    return plural(word) if many else word


def the(noun: str, gender: str, many: bool = False) -> str:
    """The noun behind its definite article: el coche, la casa, el agua, las aguas."""
    if many:
        return ("los " if gender == "m" else "las ") + noun
    return ("la " if gender == "f" and noun.split()[0] not in EL_BEFORE_STRESSED_A else "el ") + noun


def a(noun: str, gender: str) -> str:
    """The noun behind its indefinite article: un coche, una casa, un aula."""
    return ("una " if gender == "f" and noun.split()[0] not in EL_BEFORE_STRESSED_A else "un ") + noun


def sentence(text: str) -> str:
    """Contractions (al, del), y -> e, o -> u, one space between words, a capital in front."""
    text = re.sub(r"\s+([,.?!])", r"\1", " ".join(text.split()))
    text = re.sub(r"([¿¡])\s+", r"\1", text)  # where a pronoun is left out
    text = re.sub(r"\b([Aa]|[Dd]e) el\b", lambda m: m[1] + "l", text)
    text = re.sub(r"\by (?=h?[ií](?!e))", "e ", text)
    text = re.sub(r"\bo (?=h?[oó])", "u ", text)
    return re.sub(r"^[¿¡]?\w", lambda m: m[0].upper(), text)
