"""The leak-proof split, and the components that it rests on."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.errors import ChannelError
from train.corpus.cleaning import CleanPairs, clean_pairs
from train.corpus.pairs import Pair
from train.corpus.sentence_keys import sentence_key
from train.corpus.split import Corpus, Part, connect, sample_rows
from train.corpus.split import split as split_clean_pairs
from train.corpus.workers import Workers
from train.job.hyperparameters import Hyperparameters


def cleaned(pairs: Sequence[Pair], path: Path) -> CleanPairs:
    return clean_pairs(pairs, (str, str), path, Workers())


def split(
    pairs: list[Pair], *, validation: list[Pair] | None = None, test: list[Pair] | None = None, **options: float
) -> Corpus:
    """The parts, all of them in memory; `options` are hyperparameters."""
    with tempfile.TemporaryDirectory() as name:
        folder, channels = Path(name), {Part.VALIDATION: validation, Part.TEST: test}
        held_out = {
            part: cleaned(channel, folder / f"held out {part}")
            for part, channel in channels.items()
            if channel is not None
        }
        hp = Hyperparameters(**options)  # type: ignore[arg-type]
        corpus = split_clean_pairs(cleaned(pairs, folder / "training"), held_out, hp, folder)
        return Corpus(list(corpus.train), corpus.validation, corpus.test, corpus.dropped)


def components(pairs: Sequence[Pair]) -> list[int]:
    with tempfile.TemporaryDirectory() as folder:
        clean = cleaned(pairs, Path(folder) / "pairs")
        assert list(clean.pairs) == pairs, "the pairs of this test are all different"
        return connect(clean.source_keys, clean.target_keys).tolist()


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


# Sampling


def test_a_sample_is_a_function_of_the_seed_and_keeps_the_order() -> None:
    chosen = sample_rows(50, 10, seed=1).tolist()
    assert len(set(chosen)) == 10 and set(chosen) < set(range(50))
    assert chosen == sorted(chosen) == sample_rows(50, 10, seed=1).tolist()
    assert chosen != sample_rows(50, 10, seed=2).tolist()


@pytest.mark.parametrize("size", [0, 50, 1000])
def test_a_sample_of_everything(size: int) -> None:
    assert sample_rows(50, size, seed=1).tolist() == list(range(50))


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


def test_a_long_chain_in_any_order_is_one_component() -> None:
    links = np.random.default_rng(1).permutation(10_000)
    sides = ((links + 1) // 2).astype(np.uint64), (links // 2).astype(np.uint64)
    assert not connect(*sides).any()


WORDS = st.sampled_from(["a", "A!", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"])


@given(st.lists(st.builds(Pair, WORDS, WORDS), max_size=40, unique=True))
def test_components_of_any_pairs_are_those_of_a_search_from_pair_to_pair(pairs: list[Pair]) -> None:
    found = components(pairs)
    for first, pair in enumerate(pairs):
        reached, waiting = {first}, [pair]
        while waiting:
            here = waiting.pop()
            for number, other in enumerate(pairs):
                if number not in reached and any(map(same, here, other)):
                    reached.add(number)
                    waiting.append(other)
        assert {number for number, component in enumerate(found) if component == found[first]} == reached


def same(one: str, other: str) -> bool:
    return sentence_key(one) == sentence_key(other)


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
    assert corpus.dropped == {"empty": 0, "repeated": 0, "tied_to_held_out": 0}


def test_no_part_is_set_aside_for_a_fraction_of_nothing() -> None:
    corpus = split(numbered(20), validation_fraction=0, test_fraction=0)
    assert corpus.train == numbered(20)


def test_channels_are_taken_whole_and_training_pairs_tied_to_them_are_dropped() -> None:
    test = [Pair("Yes.", "Sí."), Pair("Yes!", "¡Sí!")]
    validation = [Pair("No.", "No.")]
    tied = [Pair("yes", "Claro."), Pair("Sure.", "claro"), Pair("Nope.", "¡No!")]
    corpus = split([*tied, *numbered(10)], validation_fraction=0.1, test_fraction=0.1, validation=validation, test=test)
    assert (corpus.train, corpus.validation, corpus.test) == (numbered(10), validation, test)
    assert corpus.dropped["tied_to_held_out"] == 3


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
