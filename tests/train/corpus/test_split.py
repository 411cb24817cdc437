"""Cleaning, the leak-proof split, and placeholder copies."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.errors import ChannelError
from container.vocabulary import PLACEHOLDERS
from train.corpus.formats import Pair
from train.corpus.split import (
    Corpus,
    clean_pairs,
    components,
    sample,
    sentence_key,
    split,
    with_placeholders,
)


def numbered(count: int, start: int = 0) -> list[Pair]:
    """Pairs that share no sentence with each other."""
    return [Pair(f"Sentence {n}.", f"Frase {n}.") for n in range(start, start + count)]


def leaks(corpus: Corpus) -> set[str]:
    """Sentences that stand in two parts."""
    found: set[str] = set()
    for one, other in combinations((corpus.train, corpus.validation, corpus.test), 2):
        for side in (0, 1):
            found |= {sentence_key(pair[side]) for pair in one} & {sentence_key(pair[side]) for pair in other}
    return found


# Cleaning and sampling


def test_clean_pairs_cleans_each_side_and_counts_what_it_drops() -> None:
    raw = [(" Hi. ", "Hola."), ("Hi.", " Hola. "), ("Hi.", "Buenas."), ("", "Nada."), ("Nothing.", " ")]
    kept, dropped = clean_pairs(raw, str.strip, lambda text: text.strip().upper())
    assert kept == [Pair("Hi.", "HOLA."), Pair("Hi.", "BUENAS.")]
    assert dropped == {"empty": 2, "repeated": 1}


def test_sample_is_a_function_of_the_seed_and_keeps_the_order() -> None:
    pairs = numbered(50)
    chosen = sample(pairs, 10, seed=1)
    assert len(chosen) == 10
    assert chosen == sorted(chosen, key=pairs.index) == sample(pairs, 10, seed=1)
    assert chosen != sample(pairs, 10, seed=2)


@pytest.mark.parametrize("size", [0, 50, 1000])
def test_sample_of_everything(size: int) -> None:
    assert sample(numbered(50), size, seed=1) == numbered(50)


# Connected components


def test_components_tie_pairs_on_either_side_and_through_others() -> None:
    pairs = [
        Pair("He left.", "Se fue."),  # 0
        Pair("He left.", "Él se fue."),  # the source of 0
        Pair("He went away.", "Él se fue."),  # the target of 1
        Pair("Stop.", "Para."),  # 3
        Pair("Halt.", "Para."),  # the target of 3
        Pair("Se fue.", "He left."),  # the sentences of 0, on the other sides
    ]
    assert components(pairs) == [0, 0, 0, 3, 3, 5]


@pytest.mark.parametrize("variant", ["where IS Tom", "Where is Tom?!", "«Where is Tom?»", "Where is  Tom..."])
def test_case_punctuation_and_spaces_make_no_other_sentence(variant: str) -> None:
    assert components([Pair("Where is Tom?", "a"), Pair(variant, "b")]) == [0, 0]


def test_sentences_of_nothing_but_marks_are_told_apart() -> None:
    assert components([Pair("?", "a"), Pair("!", "b"), Pair("?", "c")]) == [0, 1, 0]


def test_components_joined_late_become_one() -> None:
    pairs = [Pair("a", "1"), Pair("b", "2"), Pair("c", "3"), Pair("b", "3"), Pair("a", "2")]
    assert components(pairs) == [0] * 5


# The split

SENTENCES = st.sampled_from(["a", "A!", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "ñ"])
PAIRS = st.lists(st.builds(Pair, SENTENCES, SENTENCES), unique=True, min_size=1, max_size=40)
CHANNEL = st.none() | st.lists(st.builds(Pair, SENTENCES, SENTENCES), unique=True, max_size=5)


@given(pairs=PAIRS, validation=CHANNEL, test=CHANNEL)
def test_no_sentence_stands_in_two_parts(
    pairs: list[Pair], validation: list[Pair] | None, test: list[Pair] | None
) -> None:
    try:
        corpus = split(pairs, validation_fraction=0.1, test_fraction=0.2, validation=validation, test=test)
    except ChannelError:
        return  # so tied that nothing is left to train on
    assert not leaks(corpus)
    assert test is None or corpus.test == test
    everything = len(corpus.train) + len(corpus.validation) + len(corpus.test) + corpus.dropped["tied_to_held_out"]
    assert everything == len(pairs) + len(validation or []) + len(test or [])


def test_parts_have_the_sizes_asked_for() -> None:
    corpus = split(numbered(200), validation_fraction=0.05, test_fraction=0.1)
    assert (len(corpus.train), len(corpus.validation), len(corpus.test)) == (170, 10, 20)
    assert corpus.dropped == {"tied_to_held_out": 0}


def test_no_part_is_set_aside_for_a_fraction_of_nothing() -> None:
    corpus = split(numbered(20), validation_fraction=0, test_fraction=0)
    assert corpus.train == numbered(20)


def test_channels_are_taken_whole_and_training_pairs_tied_to_them_are_dropped() -> None:
    test = [Pair("Yes.", "Sí."), Pair("Yes!", "¡Sí!")]
    validation = [Pair("No.", "No.")]
    tied = [Pair("yes", "Claro."), Pair("Sure.", "claro"), Pair("Nope.", "¡No!")]
    corpus = split([*tied, *numbered(10)], validation_fraction=0.1, test_fraction=0.1, validation=validation, test=test)
    assert (corpus.train, corpus.validation, corpus.test) == (numbered(10), validation, test)
    assert corpus.dropped == {"tied_to_held_out": 3}


def test_a_validation_pair_that_stands_in_the_test_channel_is_dropped() -> None:
    test, validation = [Pair("Yes.", "Sí.")], [Pair("Yes.", "Claro."), Pair("No.", "No.")]
    corpus = split(numbered(5), validation_fraction=0.1, test_fraction=0.1, validation=validation, test=test)
    assert corpus.validation == [Pair("No.", "No.")]


def test_one_given_channel_leaves_the_other_part_to_the_fraction() -> None:
    corpus = split(numbered(100), validation_fraction=0.05, test_fraction=0.1, test=[Pair("Yes.", "Sí.")])
    assert (len(corpus.train), len(corpus.validation), len(corpus.test)) == (95, 5, 1)


def test_the_choice_depends_on_the_text_and_not_on_its_order() -> None:
    pairs = [*numbered(100), *(Pair(pair.source, f"{pair.target} Bis.") for pair in numbered(30))]
    shuffled = random.Random(1).sample(pairs, len(pairs))
    one, other = (split(p, validation_fraction=0.1, test_fraction=0.1) for p in (pairs, shuffled))
    assert (set(one.test), set(one.validation)) == (set(other.test), set(other.validation))
    assert one.test != numbered(len(one.test))  # not just the first ones


def test_a_growing_corpus_keeps_nearly_all_of_its_test_part() -> None:
    before = split(numbered(1000), validation_fraction=0.01, test_fraction=0.1)
    after = split(numbered(1100), validation_fraction=0.01, test_fraction=0.1)
    assert len(set(before.test) - set(after.test)) <= 5
    assert len(set(after.test) & set(before.train)) <= 5


@pytest.mark.parametrize("pairs", [[], numbered(1)])
def test_too_few_pairs(pairs: list[Pair]) -> None:
    with pytest.raises(ChannelError, match=rf"has {len(pairs)} usable pairs, too few"):
        split(pairs, validation_fraction=0.01, test_fraction=0.02)


def test_a_component_larger_than_a_part_stays_in_training() -> None:
    yes = [Pair(f"Yes, {n}", "Sí.") for n in range(900)]
    corpus = split([*yes, *numbered(100)], validation_fraction=0.01, test_fraction=0.02)
    assert (len(corpus.test), len(corpus.validation)) == (20, 10)
    assert set(yes) <= set(corpus.train)


def test_the_fingerprint_tells_parts_apart() -> None:
    one, other = numbered(2)
    fingerprints = {
        Corpus([one, other], [], []).fingerprint,
        Corpus([one], [other], []).fingerprint,
        Corpus([one], [], [other]).fingerprint,
        Corpus([other, one], [], []).fingerprint,
    }
    assert len(fingerprints) == 4
    assert Corpus([one], [], []).fingerprint == Corpus([one], [], [], {"empty": 3}).fingerprint


# Placeholder copies


def test_copies_carry_one_symbol_in_the_place_of_a_shared_word() -> None:
    pairs = [Pair(f"Call {n} now, Tom!", f"¡Llama al {n} ya, Tom!") for n in range(100, 600)]
    result = with_placeholders(pairs, seed=1)
    copies = result[len(pairs) :]
    assert result[: len(pairs)] == pairs
    symbols = ["".join(c for c in copy.source if c in PLACEHOLDERS) for copy in copies]
    assert len(set(symbols)) > 1
    for symbol, copy in zip(symbols, copies, strict=True):
        number_gone = copy == Pair(f"Call {symbol} now, Tom!", f"¡Llama al {symbol} ya, Tom!")
        name_gone = Pair(*(text.replace(symbol, "Tom") for text in copy)) in pairs
        assert number_gone != name_gone


def test_copies_are_bounded_and_a_function_of_the_seed() -> None:
    pairs = [Pair(f"Tom{n} sleeps.", f"Tom{n} duerme.") for n in range(1000)]
    assert len(with_placeholders(pairs, seed=1)) == 1020
    assert with_placeholders(pairs, seed=1) == with_placeholders(pairs, seed=1)
    assert with_placeholders(pairs, seed=1) != with_placeholders(pairs, seed=2)


@pytest.mark.parametrize(
    "pair",
    [
        Pair("I sleep.", "Duermo."),  # nothing shared
        Pair("Tom and Tom.", "Tom y Tom."),  # which Tom is which?
        Pair("A or B.", "A o B."),  # a single letter is shared by chance
    ],
)
def test_no_copy_without_exactly_one_shared_word(pair: Pair) -> None:
    assert with_placeholders([pair] * 200, seed=1) == [pair] * 200
