"""Capitals, title case and lower case: read, turned into sentences, and written again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.engine.names import learn_names
from serve.text.casing import Case, detect_case, restore_case, to_sentence_case
from serve.text.spans import find_spans


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("I LOVE YOU.", "capitals"),
        ("I AM HERE", "capitals"),
        ("STOP!", "capitals"),
        ("BUY THE NEW iPhone NOW", "capitals"),
        ("HELLO {Name}, SEE https://example.com/a NOW", "capitals"),
        ("ПРИВЕТ МИР", "capitals"),
        ("ΚΑΛΗΜΕΡΑ ΚΟΣΜΕ", "capitals"),
        ("L'EAU EST FROIDE", "capitals"),
        ("My Sister Has A Small Dog", "title"),
        ("The History of the Roman Empire", "title"),
        ("How NASA Built The Saturn", "title"),
        ("i love my small dog.", "lower"),
        ("мама мыла раму", "lower"),
        ("I love you.", "plain"),
        ("NASA launched a rocket.", "plain"),
        ("USA", "plain"),
        ("OK", "plain"),
        ("I", "plain"),
        ("The USA and the UK signed.", "plain"),
        ("Barack Obama", "plain"),
        ("This is Mr. Smith.", "plain"),
        ("Welcome to San Francisco.", "plain"),
        ("Der Hund jagt die Katze.", "plain"),
        ("100 years is a century.", "plain"),
        ("dog", "plain"),
        ("Hello", "plain"),
        ("我爱你", "plain"),
        ("أحبك", "plain"),
        ("สวัสดี", "plain"),
        ("123 €", "plain"),
        ("\x00 \ud800", "plain"),
        ("", "plain"),
    ],
)
def test_detect_case(text: str, case: Case) -> None:
    assert detect_case(text, find_spans(text)) == case


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("I LOVE YOU. DO YOU LOVE ME?", "I love you. Do you love me?"),
        ("¿DÓNDE ESTÁ? ¡AQUÍ!", "¿Dónde está? ¡Aquí!"),
        ("HELLO {Name}, SEE https://example.com/A NOW.", "Hello {Name}, see https://example.com/A now."),
        ("WE'RE HERE AND HE'S NOT.", "We're here and he's not."),
        ("ΟΔΟΣ ΜΕΓΑΛΟΣ", "Οδος μεγαλος"),
        ("How NASA Built The iPhone", "How NASA built the iPhone"),
        ("i love you. do you?", "I love you. Do you?"),
        ("I love Tom.", "I love Tom."),
        ("THE U.S. ARMY AND J. SMITH", "The U.S. Army and J. Smith"),
        ("IT IS 5. 10 DOGS", "It is 5. 10 dogs"),
        ("„WIR SIND HIER“, SAGTE ER", "„Wir sind hier“, sagte er"),
    ],
)
def test_to_sentence_case(text: str, sentence: str) -> None:
    spans = find_spans(text)
    assert to_sentence_case(text, detect_case(text, spans), spans) == sentence


SCORES = {"▁Tom": -5.0, "▁I": -3.0, "▁i": -9.0, "▁The": -4.0, "▁the": -3.0, "▁is": -4.0, "▁Is": -7.0, "▁York": -8.0}


def test_names_are_those_that_a_vocabulary_knows_with_a_capital() -> None:
    is_name = learn_names(SCORES.get)
    assert [word for word in ("Tom", "I", "The", "Is", "York", "Unknown") if is_name(word)] == ["Tom", "I", "York"]
    assert to_sentence_case("THE BOOK THAT TOM AND I READ", "capitals", (), is_name) == "The book that Tom and I read"
    assert to_sentence_case("the book that tom and i read", "lower", (), is_name) == "The book that Tom and I read"


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("Tom Is Happy.", "title"),
        ("Sign In", "title"),
        ("Hello Tom!", "plain"),
        ("New York", "plain"),
        ("Hi Mr. Tom", "title"),
    ],
)
def test_with_names_a_short_title_is_certain(text: str, case: Case) -> None:
    assert detect_case(text, (), learn_names(SCORES.get)) == case


@pytest.mark.parametrize(
    ("translation", "case", "written"),
    [
        ("Te quiero.", "capitals", "TE QUIERO."),
        ("Mira https://example.com/a y {name} ahora.", "capitals", "MIRA https://example.com/a Y {name} AHORA."),
        ("Die Straße ist groß.", "capitals", "DIE STRASSE IST GROSS."),
        ("我爱你", "capitals", "我爱你"),
        ("Mi hermana tiene un perro pequeño", "title", "Mi Hermana Tiene un Perro Pequeño"),
        ("¿dónde está la NASA?", "title", "¿Dónde Está la NASA?"),
        ("ǆep nije velik", "title", "ǅep Nije Velik"),
        ("Te quiero, Tom. Y tú?", "lower", "te quiero, Tom. Y tú?"),
        ("NASA lo hizo", "lower", "NASA lo hizo"),
        ("Te quiero.", "plain", "Te quiero."),
    ],
)
def test_restore_case(translation: str, case: Case, written: str) -> None:
    assert restore_case(translation, case, find_spans(translation)) == written


TEXTS = st.one_of(st.text(), st.text(alphabet="aAbİßςΣǆ.'’ 1{}中\u0301\n"))
CASES = st.sampled_from(["plain", "capitals", "title", "lower"])


@given(TEXTS, CASES)
def test_only_case_changes_and_spans_stay(text: str, case: Case) -> None:
    spans = find_spans(text)
    assert detect_case(text, spans) in ("plain", "capitals", "title", "lower")
    for changed in (to_sentence_case(text, case, spans), restore_case(text, case, spans)):
        assert changed.casefold().upper() == text.casefold().upper() or len(changed) != len(text)
        position = 0
        for span in spans:  # in order, as they were
            position = changed.index(span.text, position) + len(span.text)


@given(st.lists(st.sampled_from(["DOG", "LOVE", "ÑANDÚ", "МИР", "25", "{x}"]), min_size=1).map(" ".join))
def test_capitals_come_back(text: str) -> None:
    spans = find_spans(text)
    case = detect_case(text, spans)
    sentence = to_sentence_case(text, case, spans)
    assert restore_case(sentence, case, find_spans(sentence)) == text
