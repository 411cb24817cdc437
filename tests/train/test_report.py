"""The report: its numbers on small records made for the purpose, its page on a real toy job."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import ctranslate2
import numpy as np
import pytest

from container import hyperparameters
from container.artifact import MANIFEST, open_artifact
from container.cluster import SINGLE_HOST
from container.errors import PlatformError
from container.hyperparameters import Hyperparameters
from data.sample import write_channels
from tests.conftest import Job
from train import plots
from train.analysis import (
    Translations,
    attention_maps,
    best_and_worst,
    bleu_by_length,
    confidence,
    leaks,
    left_out,
    mapped_sources,
    part_statistics,
)
from train.batches import encode
from train.corpus import Corpus, with_placeholders
from train.evaluate import TestSet, make_test_set, translate
from train.prepare import Prepared, prepare
from train.records import Pair
from train.rendezvous import Alone
from train.report import FinishedJob, duration, write_report

HISTORY = [
    {"step": 50, "train_loss": 5.0, "tokens_per_second": 1800.0, "learning_rate": 0.001},
    {"epoch": 1, "step": 70, "validation_loss": 4.5, "validation_bleu": 3.0, "validation_chrf": 20.0},
    {"step": 100, "train_loss": 4.0, "tokens_per_second": 2200.0, "learning_rate": 0.002},
    {"test_bleu": 3.5, "test_chrf": 21.0},
]


def translations(*sentences: tuple[str, list[str], str]) -> Translations:
    """Made of (source, references, hypothesis)."""
    sources, references, hypotheses = zip(*sentences, strict=True)
    return Translations(TestSet(list(sources), list(references)), list(hypotheses), 0.5)


def words(count: int) -> str:
    return " ".join(f"word{number}" for number in range(count))


# Numbers


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


def test_a_translation_is_measured_against_the_closest_reference() -> None:
    made = translations(("Hi.", ["Buenos días.", "Hola."], "Hola."), ("Bye.", ["Adiós."], "Nada."))
    assert best_and_worst(made)[0][0].chrf == pytest.approx(100)


def test_one_test_sentence_is_enough_for_an_example() -> None:
    best, worst = best_and_worst(translations(("Hi.", ["Hola."], "Hola.")))
    assert (len(best), len(worst)) == (0, 1)


def test_confidence_shrinks_with_the_test_set_and_is_the_same_each_time() -> None:
    few = [(f"{index}", [words(8)], words(8 - index % 4)) for index in range(20)]
    small, large = confidence(translations(*few)), confidence(translations(*(few * 20)))
    assert small == confidence(translations(*few))
    assert 0 < large["bleu"] < small["bleu"] and 0 < large["chrf"] < small["chrf"]


def test_leaks_are_found_on_either_side_whatever_case_and_punctuation() -> None:
    corpus = Corpus(
        train=[Pair("Tom runs.", "Tom corre."), Pair("I eat.", "Como.")],
        validation=[Pair("tom runs!", "Tom corre ahora.")],
        test=[Pair("I am eating.", "¡Como!"), Pair("We sing.", "Cantamos.")],
    )
    assert [(leak.parts, leak.sources, leak.targets) for leak in leaks(corpus)] == [
        (("train", "validation"), 1, 0),
        (("train", "test"), 0, 1),
        (("validation", "test"), 0, 0),
    ]


def test_statistics_count_pairs_words_and_tokens_of_each_part(prepared: Prepared, hp: Hyperparameters) -> None:
    train, validation, test = part_statistics(prepared, hp)
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
    with_copies = with_placeholders(prepared.corpus.train, hp.seed)
    train, too_long = encode(with_copies, prepared.tokenizer, short.max_len)
    assert too_long  # else this test shows nothing
    dropped = replace(prepared.corpus, dropped={"empty": 3, "repeated": 4, "tied_to_held_out": 5})
    rows = dict(left_out(replace(prepared, corpus=dropped, train=train), short))
    assert rows["one side is empty after clean-up"] == 3
    assert rows["the same pair stood there before"] == 4
    assert rows["shares a sentence with a channel that is held out"] == 5
    assert rows["more than max_len=8 tokens on a side (train)"] == too_long
    copies = rows["added: copies with a placeholder for a shared word (train)"]
    assert copies == len(with_copies) - len(prepared.corpus.train)


def test_attention_maps_of_many_sentences_are_those_of_each_alone(finished: FinishedJob) -> None:
    sources = ["The cat sleeps all day long.", "We have to go to the bank tomorrow morning with my sister.", "Do it."]
    together = attention_maps(finished.model, finished.prepared.tokenizer, sources)
    assert len(together) == len(sources)
    for source, one in zip(sources, together, strict=True):
        assert one.source == finished.prepared.tokenizer.encode(source, out_type=str)
        assert one.weights.shape == (len(one.target), len(one.source))
        np.testing.assert_allclose(one.weights.sum(axis=1), 1.0)  # although the end-of-sentence column is left out
        # The truth: the same tokens forced, without a beam that could mix up rows.
        translator = ctranslate2.Translator(str(finished.model.ctranslate2))
        forced = translator.translate_batch(
            [one.source], [one.target], beam_size=1, max_decoding_length=len(one.target), return_attention=True
        )
        expected = np.array(forced[0].attention[0])[: len(one.target)]
        np.testing.assert_allclose(one.weights, expected / expected.sum(axis=1, keepdims=True), atol=1e-5)


def test_attention_is_drawn_of_a_few_sentences_from_all_over_the_test_set() -> None:
    sources = [words(count) for count in (1, *range(4, 13), 40)]
    chosen = mapped_sources(TestSet(sources, [["x"]] * len(sources)))
    assert chosen == [words(4), words(7), words(10)]
    assert mapped_sources(TestSet(["Hi."], [["Hola."]])) == ["Hi."]


@pytest.mark.parametrize(("seconds", "shown"), [(12.34, "12.3 s"), (150, "2 min"), (3725, "1 h 2 min")])
def test_durations_are_read_at_a_glance(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


# Plots


def test_curves_draw_every_series_of_the_history_and_nothing_else() -> None:
    svg = plots.learning_curves(HISTORY)
    assert svg is not None and svg == plots.learning_curves(HISTORY)
    for label in ("loss", "train", "validation", "BLEU", "chrF", "speed", "learning rate"):
        assert label in svg
    only_training = plots.learning_curves(HISTORY[:1])
    assert only_training is not None and "BLEU" not in only_training
    assert plots.learning_curves(HISTORY[3:]) is None
    assert plots.curve(HISTORY, "train_loss") == ([50, 100], [5.0, 4.0])


def test_matplotlib_is_imported_only_when_a_report_is_written() -> None:
    script = "import sys, train.report; sys.exit('matplotlib' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], cwd=Path(plots.__file__).parents[1], check=False).returncode == 0
    )


# The page


class Page(HTMLParser):
    """What a browser would make of it: open elements in order, ids, headings, text; fails on a wrong nesting."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def finished(toy_job: tuple[Job, str]) -> FinishedJob:
    """The toy job as `publish` saw it at its end, with a history made for the purpose."""
    paths = toy_job[0].paths
    hp = hyperparameters.read(paths.hyperparameters, {})
    model = open_artifact(paths.model)
    prepared = prepare(hp, paths, model.tokenizer, Alone(SINGLE_HOST), lambda sentence: None)
    test_set = make_test_set(prepared.corpus.test, 60)
    hypotheses = translate(
        model.ctranslate2, prepared.tokenizer, test_set.sources, beam_size=1, length_penalty=1.0, max_length=20
    )
    return FinishedJob(model, prepared, hp, HISTORY, Translations(test_set, hypotheses, 0.5))


def page_of(job: FinishedJob, folder: Path, *, hurried: bool = False) -> Page:
    return Page(write_report(folder, job, hurried=hurried).read_text(encoding="utf-8"))


def test_the_job_leaves_a_report_beside_its_metrics(toy_job: tuple[Job, str]) -> None:
    job, said = toy_job
    folder = job.paths.output_data
    assert f"the report stands in {folder / 'report.html'}" in said
    metrics = json.loads((folder / "metrics.json").read_bytes())
    assert set(metrics) == {"history", "scores"}
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    for heading in (
        "How it learnt",
        "Short and long sentences",
        "The worst and the best translations",
        "Where the model looks",
        "Is the split clean?",
        "The corpus",
        "Speed",
        "Hyperparameters",
    ):
        assert heading in page.headings
    for score_of_job in metrics["scores"].values():
        assert f"{score_of_job['value']:.2f} " in page.text and score_of_job["signature"] in page.text
    for shown in ("en → es", "No sentence stands in two parts.", "train and test 0 0", "batch_tokens"):
        assert shown in page.text


def test_the_plots_are_files_too(toy_job: tuple[Job, str]) -> None:
    folder = toy_job[0].paths.output_data
    for name in ("curves", "lengths", "bleu_by_length"):
        root = ElementTree.parse(folder / f"{name}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "background: white" in root.attrib["style"]
    assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_the_page_loads_nothing_and_says_what_its_pictures_show(finished: FinishedJob, tmp_path: Path) -> None:
    page = page_of(finished, tmp_path)
    tags = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe", "object"} & set(tags)
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert name.startswith("xmlns") or "://" not in (value or "")
            assert not (name.endswith("href") and not (value or "").startswith("#"))
    style = re.search(r"<style>(.*)</style>", (tmp_path / "report.html").read_text(encoding="utf-8"), re.DOTALL)
    assert style and "url(" not in style[1] and "@import" not in style[1]
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) == 3 and all(p["role"] == "img" and p["aria-label"] for p in pictures)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert ids and len(ids) == len(set(ids))


def test_the_same_job_gives_the_same_bytes(finished: FinishedJob, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first = write_report(tmp_path, finished, hurried=False).read_bytes()
    assert first == write_report(tmp_path / "again", finished, hurried=False).read_bytes()


def test_the_summary_has_scores_with_their_interval(finished: FinishedJob, tmp_path: Path) -> None:
    page = page_of(finished, tmp_path)
    assert finished.translations is not None
    half = confidence(finished.translations)["chrf"]
    value = finished.model.manifest.scores["chrf"].value
    assert f"{value:.1f} ± {half:.1f} chrF on the test part" in page.text
    assert f"{value - half:.1f} to {value + half:.1f}" in page.text
    assert "2,000 (median; 1,800 to 2,200)" in page.text  # tokens a second
    assert "120 test sentences a second" in page.text  # 60 in half a second


def test_a_hurried_report_goes_without_attention_maps(finished: FinishedJob, tmp_path: Path) -> None:
    assert "Where the model looks" in page_of(finished, tmp_path).headings
    hurried = page_of(finished, tmp_path, hurried=True).headings
    assert "Where the model looks" not in hurried and "The corpus" in hurried


def test_corpus_text_is_shown_as_text(finished: FinishedJob, tmp_path: Path) -> None:
    nasty = translations(
        ("<script>alert(1)</script> & so on", ["<b>fett</b>", "dos", "tres", "cuatro"], '"<i>$title</i>"'),
        ("Fine.", ["Bien."], "Bien."),
    )
    page = page_of(replace(finished, translations=nasty), tmp_path)
    assert not {"script", "b", "i"} & {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script> & so on" in page.text and '"<i>$title</i>"' in page.text
    assert "and 1 more" in page.text  # references beyond the third


def test_a_corpus_without_test_part_still_gets_a_report(finished: FinishedJob, tmp_path: Path) -> None:
    model = replace(finished.model, manifest=finished.model.manifest.model_copy(update={"scores": {}}))
    page = page_of(replace(finished, model=model, translations=None), tmp_path)
    assert "nothing is scored" in page.text
    assert page.headings == ["How it learnt", "Is the split clean?", "The corpus", "Speed", "Hyperparameters"]


def test_a_leaking_split_is_called_out(finished: FinishedJob, tmp_path: Path) -> None:
    corpus = finished.prepared.corpus
    leaking = replace(corpus, test=[*corpus.test, corpus.train[0]])
    page = page_of(replace(finished, prepared=replace(finished.prepared, corpus=leaking)), tmp_path)
    assert "2 sentences stand in two parts" in page.text and "train and test 1 1" in page.text


def test_a_resumed_job_says_where_its_curves_begin(finished: FinishedJob, tmp_path: Path) -> None:
    later = [{**line, "step": line["step"] + 4000} for line in HISTORY if "step" in line]
    assert "The curves begin at update 4,050" in page_of(replace(finished, history=later), tmp_path).text
    assert "The curves begin" not in page_of(finished, tmp_path).text
    assert "nothing to draw" in page_of(replace(finished, history=[]), tmp_path).text


def test_a_report_that_cannot_be_written_does_not_cost_the_model(job: Job) -> None:
    write_channels(job.paths.data)
    (job.paths.output_data / "report.html").mkdir(parents=True)  # no file can take its place
    done = job.run("--nsamples", "40")
    assert done.returncode == PlatformError.kind.exit_code
    assert "report.html" in job.paths.failure.read_text()
    assert (job.paths.model / MANIFEST).is_file() and open_artifact(job.paths.model)
    assert (job.paths.output_data / "metrics.json").is_file()
