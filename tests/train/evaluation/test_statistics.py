"""The numbers of the report, on small records made for the purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from train.corpus.augmentation import placeholder_copies
from train.corpus.encoding import encode
from train.corpus.pairs import Pair
from train.corpus.prepare import Prepared
from train.corpus.split import Corpus
from train.evaluation.scores import ReferenceSet
from train.evaluation.statistics import (
    Translations,
    best_and_worst,
    bleu_by_length,
    choose_mapped_sources,
    count_left_out,
    find_leaks,
    interval_halves,
    measure_parts,
)
from train.job.hyperparameters import Hyperparameters


def translations(*sentences: tuple[str, list[str], str]) -> Translations:
    """Made of (source, references, hypothesis)."""
    sources, references, hypotheses = zip(*sentences, strict=True)
    return Translations(ReferenceSet(list(sources), list(references)), list(hypotheses), 0.5)


def words(count: int) -> str:
    return " ".join(f"word{number}" for number in range(count))


def test_bleu_by_length_puts_each_sentence_into_the_bucket_of_its_source() -> None:
    right = [(words(count), [words(8)], words(8)) for count in (1, 4, 5, 14, 15)]
    wrong = [(f"x {words(7)}", [words(8)], "nothing of the kind here"), (words(99), [words(8)], words(8))]
    buckets = bleu_by_length(translations(*right, *wrong))
    assert [(bucket.words, bucket.sentences) for bucket in buckets] == [
        ("1–4", 2),
        ("5–8", 2),
        ("9–14", 1),
        ("15 or more", 2),
    ]
    assert [round(buckets[index].bleu) for index in (0, 2, 3)] == [100, 100, 100]
    assert 0 < buckets[1].bleu < 100


def test_an_empty_bucket_has_no_score() -> None:
    buckets = bleu_by_length(translations(("one two", ["uno dos"], "uno dos")))
    assert [(bucket.sentences, bucket.bleu) for bucket in buckets[1:]] == [(0, 0.0)] * 3


def test_best_and_worst_are_ranked_by_chrf_and_share_no_sentence() -> None:
    made = translations(
        ("perfect", ["el gato duerme"], "el gato duerme"),
        ("perfect and longer", ["la casa es grande"], "la casa es grande"),
        ("hopeless", ["bueno"], "xyz"),
        ("hopeless and longer", ["malo"], "xyz"),
        ("close", ["el perro come"], "el perro comió"),
    )
    best, worst = best_and_worst(made)
    assert [example.source for example in best] == ["perfect and longer", "perfect"]
    assert [example.source for example in worst] == ["hopeless and longer", "hopeless"]
    assert best[0].chrf == pytest.approx(100) and worst[0].chrf == pytest.approx(0)
    best, worst = best_and_worst(made, count=1)
    assert [example.source for example in best + worst] == ["perfect and longer", "hopeless and longer"]


def test_equal_scores_put_no_sentence_on_both_lists() -> None:
    best, worst = best_and_worst(translations(*((words(count), ["sí"], "sí") for count in (1, 2, 3, 4))))
    assert [example.source for example in best + worst] == [words(4), words(3), words(2), words(1)]


def test_a_translation_is_measured_against_the_closest_reference() -> None:
    made = translations(("Hi.", ["Buenos días.", "Hola."], "Hola."), ("Bye.", ["Adiós."], "Nada."))
    assert best_and_worst(made)[0][0].chrf == pytest.approx(100)


def test_one_test_sentence_is_enough_for_an_example() -> None:
    best, worst = best_and_worst(translations(("Hi.", ["Hola."], "Hola.")))
    assert (len(best), len(worst)) == (0, 1)


def test_the_interval_of_a_test_part_of_which_some_resamples_have_no_word_right() -> None:
    right = ("one two three four five", ["uno dos tres cuatro cinco"], "uno dos tres cuatro cinco")
    wrong = [("six", ["seis"], "nada"), ("seven", ["siete"], "nada"), ("eight", ["ocho"], "nada")]
    assert interval_halves(translations(right, *wrong))["bleu"] > 10


def test_the_interval_shrinks_with_the_test_set_and_is_the_same_each_time() -> None:
    few = [(f"{index}", [words(8)], words(8 - index % 4)) for index in range(20)]
    small, large = interval_halves(translations(*few)), interval_halves(translations(*(few * 20)))
    assert small == interval_halves(translations(*few))
    assert 0 < large["bleu"] < small["bleu"] and 0 < large["chrf"] < small["chrf"]


def test_leaks_are_found_on_either_side_whatever_case_and_punctuation() -> None:
    corpus = Corpus(
        train=[Pair("Tom runs.", "Tom corre."), Pair("I eat.", "Como.")],
        validation=[Pair("tom runs!", "Tom corre ahora.")],
        test=[Pair("I am eating.", "¡Como!"), Pair("We sing.", "Cantamos.")],
    )
    assert [(leak.parts, leak.sources, leak.targets) for leak in find_leaks(corpus)] == [
        (("train", "validation"), 1, 0),
        (("train", "test"), 0, 1),
        (("validation", "test"), 0, 0),
    ]


def test_statistics_count_pairs_words_and_tokens_of_each_part(prepared: Prepared, hp: Hyperparameters) -> None:
    train, validation, test = measure_parts(prepared, hp)
    assert [part.name for part in (train, validation, test)] == ["train", "validation", "test"]
    for part, pairs in ((train, prepared.corpus.train), (test, prepared.corpus.test)):
        assert part.pairs == len(pairs)
        assert part.source_words.tolist() == [len(pair.source.split()) for pair in pairs]
        assert part.target_words.tolist() == [len(pair.target.split()) for pair in pairs]
    pieces = prepared.tokenizer.encode([pair.source for pair in prepared.corpus.test])
    assert test.source_tokens == sum(len(ids) + 1 for ids in pieces)  # and the end of each sentence
    assert train.target_tokens == int(prepared.train.target_lengths.sum())


def test_what_was_left_out_is_counted_by_reason(prepared: Prepared, hp: Hyperparameters) -> None:
    short = hp.model_copy(update={"max_len": 8})
    copied = placeholder_copies(prepared.corpus.train, hp.seed)
    train, too_long = encode(prepared.corpus.train, prepared.tokenizer, short.max_len, copies=copied)
    assert too_long  # else this test shows nothing
    dropped = replace(prepared.corpus, dropped={"empty": 3, "repeated": 4, "tied_to_held_out": 5})
    rows = dict(count_left_out(replace(prepared, corpus=dropped, train=train), short))
    assert rows["one side is empty after clean-up"] == 3
    assert rows["the same pair stood there before"] == 4
    assert rows["shares a sentence with a channel that is held out"] == 5
    assert rows["more than max_len=8 tokens on a side (train)"] == too_long
    copies = rows["added: copies with a placeholder for a shared word (train)"]
    assert copies == len(copied)


def test_attention_is_drawn_of_a_few_sentences_from_all_over_the_test_set() -> None:
    sources = [words(count) for count in (1, *range(4, 13), 40)]
    chosen = choose_mapped_sources(ReferenceSet(sources, [["x"]] * len(sources)))
    assert chosen == [words(4), words(7), words(10)]
    assert choose_mapped_sources(ReferenceSet(["Hi."], [["Hola."]])) == ["Hi."]
