"""The inflection behind the embedded corpus, on forms that are easy to get wrong."""

from __future__ import annotations

import pytest

from data import english, grammar, spanish
from data.template import Template
from data.terms import Adjective, Noun, Scene, Subject, Verb

I = Subject("I", "", 0, "m")  # noqa: E741
SHE = Subject("she", "ella", 2, "f")
WE = Subject("we", "", 3, "m")


@pytest.mark.parametrize(
    "verb, tense, forms",
    [
        ("buscar", "preterite", "busqué buscaste buscó buscamos buscaron"),
        ("jugar", "present", "juego juegas juega jugamos juegan"),
        ("jugar", "subjunctive", "juegue juegues juegue juguemos jueguen"),
        ("dormir", "preterite", "dormí dormiste durmió dormimos durmieron"),
        ("dormir", "subjunctive", "duerma duermas duerma durmamos duerman"),
        ("recoger", "subjunctive", "recoja recojas recoja recojamos recojan"),
        ("empezar", "preterite", "empecé empezaste empezó empezamos empezaron"),
        ("enviar", "present", "envío envías envía enviamos envían"),
        ("leer", "preterite", "leí leíste leyó leímos leyeron"),
        ("tener", "conditional", "tendría tendrías tendría tendríamos tendrían"),
        ("hacer", "future", "haré harás hará haremos harán"),
        ("poner", "subjunctive", "ponga pongas ponga pongamos pongan"),
        ("ir", "imperfect", "iba ibas iba íbamos iban"),
    ],
)
def test_spanish_verbs(verb: str, tense: str, forms: str) -> None:
    assert " ".join(spanish.conjugate(verb, tense, person) for person in range(5)) == forms


def test_spanish_verbs_beyond_tenses() -> None:
    assert spanish.conjugate("poner", "imperative", 1) == "pon"
    assert spanish.conjugate("tener", "past_subjunctive", 2) == "tuviera"
    assert (spanish.gerund("leer"), spanish.gerund("servir")) == ("leyendo", "sirviendo")
    assert (spanish.participle("escribir"), spanish.participle("comer")) == ("escrito", "comido")


@pytest.mark.parametrize(
    "singular, many",
    [("lápiz", "lápices"), ("estación", "estaciones"), ("paraguas", "paraguas"), ("suéter", "suéteres"),
     ("sofá", "sofás"), ("joven", "jóvenes"), ("león", "leones")],
)  # fmt: skip
def test_spanish_plurals(singular: str, many: str) -> None:
    assert spanish.plural(singular) == many


@pytest.mark.parametrize(
    "word, forms",
    [("rojo", "rojo roja rojos rojas"), ("azul", "azul azul azules azules"),
     ("trabajador", "trabajador trabajadora trabajadores trabajadoras"),
     ("joven", "joven joven jóvenes jóvenes")],
)  # fmt: skip
def test_spanish_adjectives_agree(word: str, forms: str) -> None:
    assert " ".join(spanish.adjective(word, g, many) for many in (False, True) for g in "mf") == forms


def test_spanish_sentence_contracts() -> None:
    assert spanish.sentence("voy a el mercado y hablo de el perro .") == "Voy al mercado y hablo del perro."
    assert spanish.sentence("es simpática y inteligente o honrada.") == "Es simpática e inteligente u honrada."
    assert spanish.sentence("¿agua y hielo?") == "¿Agua y hielo?"
    assert spanish.sentence("¿ vienes tú ?") == "¿Vienes tú?"
    assert spanish.the("agua", "f") == "el agua"


@pytest.mark.parametrize(
    "base, forms",
    [("study", "studies studied studied studying"), ("run", "runs ran run running"),
     ("go", "goes went gone going"), ("make", "makes made made making"), ("watch", "watches watched watched watching")],
)  # fmt: skip
def test_english_verbs(base: str, forms: str) -> None:
    inflect = (english.third_person, english.past, english.participle, english.gerund)
    assert " ".join(form(base) for form in inflect) == forms


def test_english_nouns() -> None:
    assert [english.plural(noun) for noun in ("child", "train ticket", "city", "box", "day")] == [
        "children", "train tickets", "cities", "boxes", "days",
    ]  # fmt: skip
    assert [english.a(phrase) for phrase in ("apple", "uniform", "hour", "red apple", "umbrella")] == [
        "an apple", "a uniform", "an hour", "a red apple", "an umbrella",
    ]  # fmt: skip


def test_a_template_agrees_in_both_languages() -> None:
    template = Template(
        "t", "{s} {want:present} {n:a c} and {v:gerund}.", "{s} {querer:present} {n:a c} y {v:infinitive}."
    )
    scene: Scene = {"s": SHE, "n": Noun("shirt", "camisa", "f"), "c": Adjective("old", "viejo"),
             "v": Verb("wash {my} hands", "lavarse las manos")}  # fmt: skip
    assert template.pair(scene) == (
        "She wants an old shirt and washing her hands.",
        "Ella quiere una camisa vieja y lavarse las manos.",
    )
    assert template.pair(scene | {"s": WE})[1] == "Queremos una camisa vieja y lavarnos las manos."
    assert template.pair(scene | {"s": I})[0].startswith("I want an old shirt")


def test_draws_repeat() -> None:
    template = grammar.TRAIN_TEMPLATES[0]
    assert list(template.draws(20)) == list(template.draws(20))


def test_hand_written_pairs_that_share_a_sentence_stay_in_train() -> None:
    pairs = [(f"Sentence {number}.", "Frase.") for number in range(50)] + [
        (f"Other {number}.", f"Otra {number}.") for number in range(50)
    ]
    train, test = grammar.split_handwritten(pairs)
    assert test and all(english.startswith("Other") for english, _ in test)
    assert sorted(train + test) == sorted(pairs)
