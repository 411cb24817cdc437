"""Stage 9's last page: `report.html`, what a person would rather look at than read logs.

One file without scripts and without anything to load; the plots also stand beside it as SVG files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from string import Template

from container.artifact import Artifact, write_atomically
from train.corpus.prepare import Prepared
from train.evaluation.statistics import (
    Bucket,
    Example,
    PartStatistics,
    Translations,
    attention_maps,
    best_and_worst,
    bleu_by_length,
    confidence,
    leaks,
    left_out,
    mapped_sources,
    part_statistics,
    parts,
)
from train.job.hyperparameters import Hyperparameters
from train.report.markup import Cell, Html, details, facts, figure, heat_map, join, paragraph, section, table, text

REPORT = "report.html"
SHOWN_REFERENCES = 3
STOPPED = (
    "The job was told to stop before its end: the model is what it had learnt by then, scored on few sentences. "
    "Attention maps, the check of the split and the corpus are left out of this report."
)

History = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class FinishedJob:
    """A job whose model is published: the model, what it learnt from, and what was seen on the way.

    reverse: the translations of the way back, by a model of both directions.
    """

    model: Artifact
    prepared: Prepared
    hp: Hyperparameters
    history: History
    translations: Translations | None  # none when the corpus has no test part
    reverse: Translations | None = None

    @property
    def ways(self) -> list[FinishedJob]:
        """The job as it would be with each direction of its model alone."""
        models = [replace(self.model, manifest=manifest) for manifest in self.model.manifest.directions]
        both = zip(models, (self.translations, self.reverse), strict=False)
        return [replace(self, model=model, translations=translations, reverse=None) for model, translations in both]


def write_report(folder: Path, job: FinishedJob, *, hurried: bool) -> Path:
    """Write `report.html` and the plots (`*.svg`) into `folder`; returns the report's path.

    A hurried report, of a job that was told to stop, goes without what needs the model once more (attention maps)
    or takes the longer the larger the corpus is (its statistics, the check of the split).
    """
    from train.report import figures as plots  # matplotlib takes a second to import, so only now

    drawn = {"curves": plots.learning_curves(job.history)}
    lengths = []
    for name, way in zip(("bleu_by_length", "bleu_by_length_reverse"), job.ways, strict=False):
        if way.translations:
            buckets = bleu_by_length(way.translations)
            drawn[name] = plot = plots.scores_by_length(buckets, name)
            lengths.append(_by_length(way, buckets, plot))
    statistics = [] if hurried else part_statistics(job.prepared, job.hp)
    if statistics:
        drawn["lengths"] = plots.length_histograms(statistics)
    body = join(
        [
            _summary(job),
            _learning(job, drawn["curves"]),
            *lengths,
            *map(_examples, job.ways),
            *([] if hurried else map(_attention, job.ways)),
            *([] if hurried else [_split(job), _corpus(job, statistics, drawn["lengths"])]),
            _speed(job),
            _settings(job),
        ]
    )
    template = Template(Path(__file__).with_name(REPORT).read_text(encoding="utf-8"))
    page = template.substitute(title=text(_title(job)), body=body)
    for name, svg in drawn.items():
        if svg is not None:
            write_atomically(folder / f"{name}.svg", plots.as_file(svg).encode())
    write_atomically(folder / REPORT, page.encode())
    return folder / REPORT


def _title(job: FinishedJob) -> str:
    return f"Translation model {_languages(job)}"


def _languages(job: FinishedJob) -> str:
    manifest = job.model.manifest
    return f"{manifest.source_lang} {'⇄' if manifest.reverse else '→'} {manifest.target_lang}"


def _of(way: FinishedJob) -> str:
    """Behind a heading, of which direction the section is; nothing where the model has one only."""
    return f", {_languages(way)}" if way.hp.direction == "both" else ""


def _summary(job: FinishedJob) -> Html:
    training, corpus = job.model.manifest.training, job.prepared.corpus
    intervals = [confidence(way.translations) if way.translations else {} for way in job.ways]
    cards = [
        (f"{way.model.manifest.scores[name].value:.1f} ± {half:.1f}", f"{title} on the test part{_of(way)}")
        for way, halves in zip(job.ways, intervals, strict=True)
        for (name, half), title in zip(halves.items(), ("BLEU", "chrF"), strict=False)
    ]
    cards += [
        (f"{len(corpus.train):,}", "pairs to learn from"),
        (f"{training['updates']:,}", f"updates in {training['epochs']} epochs"),
        (duration(training["seconds"]), "of training steps"),
    ]
    items = "\n".join(f"<li><strong>{text(value)}</strong><small>{text(name)}</small></li>" for value, name in cards)
    return join(
        [
            paragraph(STOPPED) if training["stopped_early"] else "",
            Html(f'<ul class="scores">\n{items}\n</ul>'),
            facts(_summary_facts(job)),
            *map(_score_table, job.ways, intervals),
        ]
    )


def _summary_facts(job: FinishedJob) -> list[tuple[str, Cell]]:
    manifest, hp = job.model.manifest, job.hp
    corpus = job.prepared.corpus
    train, validation, test = (f"{len(part):,}" for _, part in parts(corpus))
    layers = f"{hp.encoder_layers or hp.n_layers} + {hp.decoder_layers or hp.n_layers} layers"
    size = sum((job.model.path / name).stat().st_size for name in manifest.files if name.startswith("ctranslate2/"))
    return [
        ("languages", _languages(job)),
        ("corpus", f"{train} pairs to train on, {validation} to validate, {test} to test"),
        ("corpus fingerprint", Html(f"<code>{text(manifest.corpus['fingerprint'])}</code>")),
        ("model", f"Transformer, {layers}, width {hp.d_model}, {hp.n_heads} heads, feed-forward {hp.ffn_dim}"),
        ("vocabulary", f"{job.prepared.tokenizer.get_piece_size():,} pieces, shared by both languages"),
        ("precision", f"trained in {manifest.training['precision']}, exported as {hp.quantization}"),
        ("exported size", f"{size / 1e6:,.1f} MB"),
        ("decoding", f"beam of {hp.beam_size}, length penalty {hp.length_penalty:g}"),
        ("parity", f"export and Keras model agree within {manifest.training['parity']:.1e} in log-probability a token"),
    ]


def _score_table(job: FinishedJob, intervals: Mapping[str, float]) -> Html:
    titles = {
        "bleu": "BLEU",
        "chrf": "chrF",
        "bleu_multi": "BLEU, all references",
        "chrf_multi": "chrF, all references",
        "bleu_lost_by_quantization": "BLEU lost by quantisation",
        "calibration_error": "calibration error of the confidence",
    }
    rows = []
    for name, score in job.model.manifest.scores.items():
        half = intervals.get(name)
        interval = f"{score.value - half:.1f} to {score.value + half:.1f}" if half is not None else ""
        rows.append(
            (titles.get(name, name), f"{score.value:.2f}", interval, Html(f"<code>{text(score.signature)}</code>"))
        )
    if not rows or not job.translations:
        return paragraph("The corpus has no test part, so nothing is scored.")
    count = f"{len(job.translations.hypotheses):,}"
    scored = f"Scored on {count} different test sentences{_of(job)}, detokenised and cased."
    return join([table(("score", "value", "95 % interval", "sacreBLEU signature"), rows), paragraph(scored)])


def _learning(job: FinishedJob, curves: str | None) -> Html:
    steps = [line["step"] for line in job.history if "step" in line]
    validations = [line for line in job.history if "validation_loss" in line]
    note = ""
    if not steps:
        note = "This start of the job made too few updates for a line of metrics, so there is nothing to draw."
    elif steps[0] > job.hp.log_every:
        note = f"The curves begin at update {steps[0]:,}, where the job was resumed; its log has the lines before."
    names = {"validation_bleu": "BLEU", "validation_chrf": "chrF"}
    if job.hp.direction == "both":
        names |= {"validation_bleu_reverse": "BLEU back", "validation_chrf_reverse": "chrF back"}
    rows: list[Sequence[Cell]] = [
        (int(line["epoch"]), int(line["step"]), f"{line['validation_loss']:.3f}", *(line[name] for name in names))
        for line in validations
    ]
    return section(
        "How it learnt",
        paragraph(note) if note else "",
        figure(curves, "Loss in training and validation, validation scores, speed and learning rate, by update."),
        details("Validation, epoch by epoch", table(("epoch", "update", "validation loss", *names.values()), rows))
        if rows
        else "",
    )


def _by_length(way: FinishedJob, buckets: Sequence[Bucket], plot: str) -> Html:
    numbers = "; ".join(f"{bucket.words} words: {bucket.bleu:.1f}" for bucket in buckets)
    return section(
        f"Short and long sentences{_of(way)}",
        figure(plot, "BLEU of the test sentences by the number of words in the source.", f"{numbers}."),
    )


def _examples(way: FinishedJob) -> Html:
    if way.translations is None:
        return Html("")
    best, worst = best_and_worst(way.translations)
    head = ("chrF", "source", "reference", "translation")
    return section(
        f"The worst and the best translations{_of(way)}",
        paragraph("Test sentences by chrF against the closest reference; of equal ones, the longest."),
        Html(f"<h3>The worst {len(worst)}</h3>"),
        table(head, map(_example, worst), "sentences"),
        Html(f"<h3>The best {len(best)}</h3>"),
        table(head, map(_example, best), "sentences"),
    )


def _example(example: Example) -> Sequence[Cell]:
    references = example.references[:SHOWN_REFERENCES]
    more = len(example.references) - len(references)
    shown = "<br>".join(map(text, references)) + (f"<br><small>and {more} more</small>" if more else "")
    return (example.chrf, example.source, Html(shown), example.hypothesis)


def _attention(way: FinishedJob) -> Html:
    if way.translations is None:
        return Html("")
    maps = attention_maps(way.model, way.prepared.tokenizer, mapped_sources(way.translations.test_set))
    explained = (
        "Rows are the tokens of the translation, columns those of the source (· begins a word); a number is the share "
        "of attention in per cent, the mean over the heads of the decoder layer before the last. The share of the "
        "end-of-sentence token is left out."
    )
    return section(
        f"Where the model looks{_of(way)}",
        paragraph(explained),
        *(Html(f'<div class="wide">{heat_map(one)}</div>') for one in maps),
    )


def _split(job: FinishedJob) -> Html:
    found = leaks(job.prepared.corpus)
    rows = [(" and ".join(leak.parts), leak.sources, leak.targets) for leak in found]
    total = sum(leak.sources + leak.targets for leak in found)
    verdict = (
        Html(f'<p class="warning">{total:,} sentences stand in two parts: the scores above are too good.</p>')
        if total
        else paragraph("No sentence stands in two parts.")
    )
    explained = "Sentences are the same when their letters and digits are, whatever the case and the punctuation."
    return section(
        "Is the split clean?", verdict, table(("parts", "shared sources", "shared targets"), rows), paragraph(explained)
    )


def _corpus(job: FinishedJob, statistics: Sequence[PartStatistics], plot: str | None) -> Html:
    rows = [
        (
            part.name,
            part.pairs,
            int(part.source_words.sum()),
            int(part.target_words.sum()),
            part.source_tokens,
            part.target_tokens,
            float(part.source_words.mean()) if part.pairs else "",
        )
        for part in statistics
    ]
    head = ("part", "pairs", "source words", "target words", "source tokens", "target tokens", "words a source")
    tags = ", in both directions, with the tags" if job.hp.direction == "both" else ""
    return section(
        "The corpus",
        table(head, rows),
        paragraph(f"Tokens are those the model sees, ends of sentences and placeholder copies included{tags}."),
        figure(plot, "Share of the sentences by their number of words, in each part; the longest 0.5 % are cut off."),
        Html("<h3>What was left out, and why</h3>"),
        table(("reason", "pairs"), left_out(job.prepared, job.hp)),
    )


def _speed(job: FinishedJob) -> Html:
    training = job.model.manifest.training
    speeds = [line["tokens_per_second"] for line in job.history if "tokens_per_second" in line]
    rows: list[tuple[str, Cell]] = [("training steps", duration(training["seconds"]))]
    if training["seconds"]:
        rows.append(("updates a second", f"{training['updates'] / training['seconds']:,.2f}"))
    if speeds:
        rows.append(
            ("target tokens a second", f"{median(speeds):,.0f} (median; {min(speeds):,.0f} to {max(speeds):,.0f})")
        )
    for way in job.ways:
        if way.translations:
            rate = len(way.translations.hypotheses) / way.translations.seconds
            rows.append((f"translation{_of(way)}", f"{rate:,.0f} test sentences a second, loading the model included"))
    return section("Speed", facts(rows))


def _settings(job: FinishedJob) -> Html:
    rows = (
        (name, Html(f"<code>{text(str(value))}</code>")) for name, value in job.model.manifest.hyperparameters.items()
    )
    return section("Hyperparameters", details("All of them", table(("name", "value"), rows)))


def duration(seconds: float) -> str:
    """`3725` -> `1 h 2 min`; below a minute `12.3 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
