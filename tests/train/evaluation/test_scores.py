"""Scores: each distinct source once, against one reference and against all, by sacreBLEU with signatures."""

from __future__ import annotations

import sacrebleu

from train.corpus.pairs import Pair
from train.evaluation.scores import make_reference_set, score

PAIRS = [
    Pair("Where is the station?", "¿Dónde está la estación?"),
    Pair("Good morning.", "Buenos días."),
    Pair("Where is the station?", "¿Dónde queda la estación?"),
    Pair("Where is the station?", "¿En qué lugar está la estación?"),
    Pair("He reads a long book.", "Él lee un libro muy largo."),
    Pair("Good morning.", "Buen día a todos."),
]


def test_each_source_stands_once_with_all_its_references() -> None:
    test_set = make_reference_set(PAIRS)
    assert test_set.sources == ["Where is the station?", "Good morning.", "He reads a long book."]
    assert [len(references) for references in test_set.references] == [3, 2, 1]
    for source, references in zip(test_set.sources, test_set.references, strict=True):
        assert set(references) == {pair.target for pair in PAIRS if pair.source == source}


def test_the_single_reference_does_not_depend_on_the_order_of_the_corpus() -> None:
    forward, backward = make_reference_set(PAIRS), make_reference_set(PAIRS[::-1])
    assert dict(zip(forward.sources, forward.references, strict=True)) == dict(
        zip(backward.sources, backward.references, strict=True)
    )


def test_a_limit_chooses_the_same_sources_whatever_their_order() -> None:
    pairs = [Pair(f"Sentence {n}.", f"Frase {n}.") for n in range(50)]
    few = make_reference_set(pairs, 10)
    assert len(few.sources) == len(few.references) == 10
    assert set(few.sources) == set(make_reference_set(pairs[::-1], 10).sources)
    assert few.sources == sorted(few.sources, key=[pair.source for pair in pairs].index)
    assert few.sources != [pair.source for pair in pairs[:10]]
    assert make_reference_set(pairs, 50) == make_reference_set(pairs)


def test_hypotheses_that_are_the_reference_score_100() -> None:
    test_set = make_reference_set(PAIRS)
    scores = score([references[0] for references in test_set.references], test_set)
    assert {name: result.value for name, result in scores.items()} == dict.fromkeys(
        ("bleu", "chrf", "bleu_multi", "chrf_multi"), 100.0
    )


def test_another_reference_scores_100_only_where_all_count() -> None:
    test_set = make_reference_set(PAIRS)
    scores = score([references[-1] for references in test_set.references], test_set)
    assert scores["bleu_multi"].value == scores["chrf_multi"].value == 100.0
    assert scores["bleu"].value < 80
    assert scores["chrf"].value < 80


def test_scores_are_cased_detokenised_sacrebleu() -> None:
    test_set = make_reference_set(PAIRS)
    hypotheses = ["¿dónde está la Estación?", "Buenos días .", "Él lee un libro largo."]
    single = [references[0] for references in test_set.references]
    scores = score(hypotheses, test_set)
    assert scores["bleu"].value == round(sacrebleu.corpus_bleu(hypotheses, [single]).score, 2)
    assert scores["chrf"].value == round(sacrebleu.corpus_chrf(hypotheses, [single]).score, 2)


def test_signatures_say_how_many_references() -> None:
    test_set = make_reference_set(PAIRS)
    scores = score(["x", "y", "z"], test_set)
    assert scores["bleu"].signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert scores["chrf"].signature.startswith("nrefs:1|case:mixed|")
    assert scores["bleu_multi"].signature.startswith("nrefs:var|")
    assert scores["chrf_multi"].signature.startswith("nrefs:var|")
