"""The report as a page, on a real toy job with a history made for the purpose."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from container.artifact import MANIFEST, Artifact, Decoding, open_artifact
from container.errors import PlatformError
from data.sample import write_channels
from tests.conftest import Job
from tests.train.contexts import make_context, make_job
from train.corpus.prepare import Prepared, prepare
from train.evaluation.decode import translate
from train.evaluation.scores import ReferenceSet, make_reference_set
from train.evaluation.statistics import Translations, interval_halves
from train.job import hyperparameters
from train.job.context import JobContext
from train.report import figures as plots
from train.report.page import format_duration, write_report

HISTORY = [
    {"step": 50, "train_loss": 5.0, "tokens_per_second": 1800.0, "learning_rate": 0.001},
    {"epoch": 1, "step": 70, "validation_loss": 4.5, "validation_bleu": 3.0, "validation_chrf": 20.0},
    {"step": 100, "train_loss": 4.0, "tokens_per_second": 2200.0, "learning_rate": 0.002},
    {"test_bleu": 3.5, "test_chrf": 21.0},
]


def translations(*sentences: tuple[str, list[str], str]) -> Translations:
    """Made of (source, references, hypothesis)."""
    sources, references, hypotheses = zip(*sentences, strict=True)
    return Translations(ReferenceSet(list(sources), list(references)), list(hypotheses), 0.5)


@pytest.mark.parametrize(("seconds", "shown"), [(12.34, "12.3 s"), (150, "2 min"), (3725, "1 h 2 min")])
def test_durations_are_read_at_a_glance(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


# Plots


def test_curves_draw_every_series_of_the_history_and_nothing_else() -> None:
    svg = plots.draw_learning_curves(HISTORY)
    assert svg is not None and svg == plots.draw_learning_curves(HISTORY)
    for label in ("loss", "train", "validation", "BLEU", "chrF", "speed", "learning rate"):
        assert label in svg
    only_training = plots.draw_learning_curves(HISTORY[:1])
    assert only_training is not None and "BLEU" not in only_training
    assert plots.draw_learning_curves(HISTORY[3:]) is None
    assert plots.read_curve(HISTORY, "train_loss") == ([50, 100], [5.0, 4.0])


def test_matplotlib_is_imported_only_when_a_report_is_written() -> None:
    script = "import sys, train.report.page; sys.exit('matplotlib' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], cwd=Path(plots.__file__).parents[2], check=False).returncode == 0
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


class Finished(NamedTuple):
    """What `write_report` gets at the end of a job."""

    job: JobContext
    prepared: Prepared
    model: Artifact
    translations: Sequence[Translations | None]


@pytest.fixture(scope="module")
def finished(toy_job: tuple[Job, str], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The toy job at its end, with a history made for the purpose."""
    paths = toy_job[0].paths
    hp = hyperparameters.read(paths.hyperparameters, {})
    job, model = make_job(hp, tmp_path_factory.mktemp("finished")), open_artifact(paths.model)
    job.progress.history[:] = HISTORY
    prepared = prepare(make_context(hp, paths, job.scratch), model.tokenizer)
    test_set = make_reference_set(prepared.corpus.test, 60)
    decoding = Decoding(beam_size=1, max_target_length=20)
    hypotheses = translate(model.ctranslate2, prepared.tokenizer, test_set.sources, decoding)
    return Finished(job, prepared, model, [Translations(test_set, [each.text for each in hypotheses], 0.5)])


def page_of(finished: Finished, folder: Path, *, stop: bool = False, history: Sequence[dict] = HISTORY) -> Page:  # type: ignore[type-arg]
    job = make_job(finished.job.hyperparameters, folder, stop=stop)
    job.progress.history[:] = history
    return Page(write_report(job, *finished[1:]).read_text(encoding="utf-8"))


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


def test_the_page_loads_nothing_and_says_what_its_pictures_show(finished: Finished, tmp_path: Path) -> None:
    page = page_of(finished, tmp_path)
    tags = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe", "object"} & set(tags)
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert name.startswith("xmlns") or "://" not in (value or "")
            assert not (name.endswith("href") and not (value or "").startswith("#"))
    style = re.search(
        r"<style>(.*)</style>", (tmp_path / "ml/output/data/report.html").read_text(encoding="utf-8"), re.DOTALL
    )
    assert style and "url(" not in style[1] and "@import" not in style[1]
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) == 3 and all(p["role"] == "img" and p["aria-label"] for p in pictures)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert ids and len(ids) == len(set(ids))


def test_the_same_job_gives_the_same_bytes(finished: Finished, tmp_path: Path) -> None:
    first = write_report(*finished).read_bytes()
    page_of(finished, tmp_path)
    assert first == (tmp_path / "ml/output/data/report.html").read_bytes()


def test_the_summary_has_scores_with_their_interval(finished: Finished, tmp_path: Path) -> None:
    page = page_of(finished, tmp_path)
    (translated,) = finished.translations
    assert translated is not None
    half = interval_halves(translated)["chrf"]
    value = finished.model.manifest.scores["chrf"].value
    assert f"{value:.1f} ± {half:.1f} chrF on the test part" in page.text
    assert f"{value - half:.1f} to {value + half:.1f}" in page.text
    assert "2,000 (median; 1,800 to 2,200)" in page.text  # tokens a second
    assert "120 test sentences a second" in page.text  # 60 in half a second


def test_a_hurried_report_goes_without_what_takes_long(finished: Finished, tmp_path: Path) -> None:
    training = {**finished.model.manifest.training, "stopped_early": True}
    manifest = finished.model.manifest.model_copy(update={"training": training})
    page = page_of(finished._replace(model=replace(finished.model, manifest=manifest)), tmp_path, stop=True)
    assert page.headings == [
        "How it learnt",
        "Short and long sentences",
        "The worst and the best translations",
        "Speed",
        "Hyperparameters",
    ]
    assert "The job was told to stop before its end" in page.text
    assert "told to stop" not in page_of(finished, tmp_path).text


def test_corpus_text_is_shown_as_text(finished: Finished, tmp_path: Path) -> None:
    nasty = translations(
        ("<script>alert(1)</script> & so on", ["<b>fett</b>", "dos", "tres", "cuatro"], '"<i>$title</i>"'),
        ("Fine.", ["Bien."], "Bien."),
    )
    page = page_of(finished._replace(translations=[nasty]), tmp_path)
    assert not {"script", "b", "i"} & {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script> & so on" in page.text and '"<i>$title</i>"' in page.text
    assert "and 1 more" in page.text  # references beyond the third


def test_a_corpus_without_test_part_still_gets_a_report(finished: Finished, tmp_path: Path) -> None:
    model = replace(finished.model, manifest=finished.model.manifest.model_copy(update={"scores": {}}))
    page = page_of(finished._replace(model=model, translations=[None]), tmp_path)
    assert "nothing is scored" in page.text
    assert page.headings == ["How it learnt", "Is the split clean?", "The corpus", "Speed", "Hyperparameters"]


def test_a_leaking_split_is_called_out(finished: Finished, tmp_path: Path) -> None:
    corpus = finished.prepared.corpus
    leaking = replace(corpus, test=[*corpus.test, corpus.train[0]])
    page = page_of(finished._replace(prepared=replace(finished.prepared, corpus=leaking)), tmp_path)
    assert "2 sentences stand in two parts" in page.text and "train and test 1 1" in page.text


def test_a_resumed_job_says_where_its_curves_begin(finished: Finished, tmp_path: Path) -> None:
    later = [{**line, "step": line["step"] + 4000} for line in HISTORY if "step" in line]
    assert "The curves begin at update 4,050" in page_of(finished, tmp_path, history=later).text
    assert "The curves begin" not in page_of(finished, tmp_path).text
    assert "nothing to draw" in page_of(finished, tmp_path, history=[]).text


def test_a_report_that_cannot_be_written_does_not_cost_the_model(job: Job) -> None:
    write_channels(job.paths.data)
    (job.paths.output_data / "report.html").mkdir(parents=True)  # no file can take its place
    done = job.run("--nsamples", "40")
    assert done.returncode == PlatformError.kind.exit_code
    assert "report.html" in job.paths.failure.read_text()
    assert (job.paths.model / MANIFEST).is_file() and open_artifact(job.paths.model)
    assert (job.paths.output_data / "metrics.json").is_file()
