"""The altered sets of `make bench-text`: what each alteration does, and that it is the same every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.serving.text import alterations
from benchmarks.serving.text.pairs import Altered, Pair, read_pairs
from benchmarks.serving.text.replacements import MEN, NEW_MEN, NEW_WOMEN, replace_names, replace_numbers
from benchmarks.serving.text.sets import PLAIN, make_sets

PAIRS = [
    Pair("The dog sees two cats.", "El perro ve dos gatos."),
    Pair("He says it's a dog.", "Él dice que es un perro."),
    Pair("Tom gave Mary the book.", "Tom le dio el libro a Mary."),
    Pair("The house is big.", "La casa es grande."),
    Pair("If he comes, the dog barks.", "Si él viene, el perro ladra."),
    Pair("Where is the station?", "¿Dónde está la estación?"),
    Pair("He was born in 1985.", "Él nació en 1985."),
    Pair('I said: "He is here."', "Dije: «Él está aquí»."),
    Pair("I see that he and the dog are here.", "Veo que él, la chica y el perro están aquí."),
]


@pytest.mark.parametrize(
    ("alter", "pair", "source", "reference"),
    [
        (alterations.to_capitals, PAIRS[3], "THE HOUSE IS BIG.", "LA CASA ES GRANDE."),
        (alterations.to_title_case, PAIRS[1], "He Says It's A Dog.", "Él dice que es un perro."),
        (alterations.to_lower_case, PAIRS[2], "tom gave mary the book.", "Tom le dio el libro a Mary."),
        (alterations.drop_final_mark, PAIRS[5], "Where is the station", "¿Dónde está la estación"),
        (alterations.curl_quotes, PAIRS[1], "He says it’s a dog.", "Él dice que es un perro."),
        (alterations.curl_quotes, PAIRS[7], "I said: “He is here.”", "Dije: «Él está aquí»."),
    ],
)
def test_the_writing_of_a_pair_is_altered(
    alter: Callable[[Pair], Altered | None], pair: Pair, source: str, reference: str
) -> None:
    assert alter(pair) == Altered(source, reference, (pair,))


def test_a_pair_that_would_not_change_is_left_out() -> None:
    assert alterations.curl_quotes(PAIRS[3]) is None
    assert alterations.to_lower_case(Pair("here.", "aquí.")) is None
    assert alterations.drop_final_mark(Pair("Wait...", "Espera...")) is None
    assert alterations.add_typos(Pair("I am he.", "Soy él.")) is None


@pytest.mark.parametrize(
    ("kind", "misspelt"),
    [("swap", "hosue"), ("lose", "hose"), ("double", "houuse"), ("neighbour", "hoyse")],
)
def test_a_typo_is_one_of_four_kinds(kind: str, misspelt: str) -> None:
    assert alterations.misspell("house", 2, kind, 0.0) == misspelt


def test_a_sentence_gets_one_typo_and_a_long_one_two() -> None:
    for pair, count in ((PAIRS[3], 1), (PAIRS[8], 2)):
        altered = alterations.add_typos(pair)
        assert altered is not None and altered.reference == pair.reference
        before, after = pair.source.split(), altered.source.split()
        wrong = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        assert len(wrong) == count
        assert all(old[0] == new[0] for old, new in wrong)


@pytest.mark.parametrize("add", [alterations.add_emoji, alterations.add_symbol])
def test_what_is_added_stands_on_both_sides_at_the_same_place(add: Callable[[Pair], Altered | None]) -> None:
    for pair in PAIRS:
        altered = add(pair)
        assert altered is not None and altered.carried
        for symbol in altered.carried:
            assert symbol in altered.source and symbol in altered.reference
            assert altered.source.startswith(symbol) == altered.reference.startswith(symbol)
            assert altered.source.endswith(symbol) == altered.reference.endswith(symbol)
    comma = add(PAIRS[4])
    assert comma is not None
    if len(comma.carried) == 1:  # behind the one comma of both sides
        assert comma.source == f"If he comes, {comma.carried[0]} the dog barks."
        assert comma.reference == f"Si él viene, {comma.carried[0]} el perro ladra."


def test_a_number_word_becomes_the_same_digits_on_both_sides() -> None:
    copies = replace_numbers(PAIRS[0], "en", "es")
    assert [len(copy.carried[0]) for copy in copies] == [2, 3, 4]
    for copy in copies:
        assert copy.source == f"The dog sees {copy.carried[0]} cats."
        assert copy.reference == f"El perro ve {copy.carried[0]} gatos."


def test_digits_of_both_sides_become_other_digits() -> None:
    [copy] = replace_numbers(PAIRS[6], "en", "es")
    [year] = copy.carried
    assert year != "1985" and year.startswith("198")
    assert (copy.source, copy.reference) == (f"He was born in {year}.", f"Él nació en {year}.")


@pytest.mark.parametrize(
    ("source", "reference"),
    [
        ("I have two dogs.", "Tengo tres perros."),  # other numbers
        ("Two of the five are here.", "Dos de los cinco están aquí."),  # which is which is not certain
        ("I have twenty-two dogs.", "Tengo veintidós perros."),  # no word of the list
        ("It was 5,000.", "Eran 5.000."),  # written in another way
        ("He leaves at eight.", "Se va a las ocho."),  # a time of day
        ("I have two dogs.", "Tengo 2 perros."),
    ],
)
def test_a_number_that_is_not_aligned_for_certain_is_left(source: str, reference: str) -> None:
    assert replace_numbers(Pair(source, reference), "en", "es") == []


def test_names_of_both_sides_become_others_of_their_kind() -> None:
    altered = replace_names(PAIRS[2])
    assert altered is not None
    woman, man = altered.carried  # in alphabetical order of the names before: Mary, Tom
    assert woman in NEW_WOMEN.split() and man in NEW_MEN.split()
    assert altered.source == f"{man} gave {woman} the book."
    assert altered.reference == f"{man} le dio el libro a {woman}."
    assert replace_names(Pair("Tom runs.", "Tomás corre.")) is None  # not the same name on both sides


def test_no_new_name_is_an_old_one() -> None:
    assert not set(MEN.split()) & set(NEW_MEN.split())


def test_sets_are_the_same_in_every_run_and_as_large_as_asked_for() -> None:
    sets = make_sets(PAIRS, 4, "en", "es")
    assert sets == make_sets(list(PAIRS), 4, "en", "es")
    assert sets[0].name == PLAIN and sets[0].sentences == 4
    assert all(each.sentences <= 4 for each in sets)
    assert all(text.parts for each in sets for text in each.texts)


def test_sentences_are_joined_and_clauses_make_one_sentence() -> None:
    sets = {each.name: each for each in make_sets(PAIRS, len(PAIRS), "en", "es")}
    for text in sets["sentences joined"].texts:
        assert 2 <= len(text.parts) <= 4
        assert text.source == " ".join(part.source for part in text.parts)
        assert text.reference == " ".join(part.reference for part in text.parts)
    [long] = sets["one long sentence"].texts
    assert long.source.count(", but ") == long.reference.count(", pero ") == len(long.parts) - 1
    assert long.source.count(".") == long.reference.count(".") == 1


def test_compared_forms_differ_in_nothing_but_the_input() -> None:
    sets = {each.name: each for each in make_sets(PAIRS, len(PAIRS), "en", "es")}
    no_mark = sets["no final mark"]
    for text in no_mark.texts:
        assert no_mark.compared(text.reference) == no_mark.compared_plain(text.parts[0].reference)
    capitals = sets["capitals"]
    assert all(text.reference == capitals.compared_plain(text.parts[0].reference) for text in capitals.texts)
    assert alterations.straighten_quotes("«“¡it’s!”»") == '""¡it\'s!""'


def test_a_file_is_read_in_a_fixed_order_with_each_source_once(tmp_path: Path) -> None:
    corpus = tmp_path / "pairs.tsv"
    lines = [f"{pair.source}\t{pair.reference}\tCC BY" for pair in PAIRS]
    corpus.write_text("\n".join([*lines, f"{PAIRS[0].source}\tOtra."]) + "\n")
    read = read_pairs(corpus)
    assert sorted(read, key=lambda pair: pair.source) == sorted(PAIRS, key=lambda pair: pair.source)
    corpus.write_text("\n".join(reversed(lines)))
    assert read_pairs(corpus) == read
    corpus.write_text("Only one side\n")
    with pytest.raises(ValueError, match="line 1, has no two texts"):
        read_pairs(corpus)
