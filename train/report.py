"""Stage 9's last page: `report.html`, what a person would rather look at than read logs.

One file without scripts and without anything to load; the plots also stand beside it as SVG files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from string import Template

from container.artifact import Artifact, write_atomically
from container.hyperparameters import Hyperparameters
from train.analysis import (
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
from train.markup import Cell, Html, details, facts, figure, heat_map, join, paragraph, section, table, text
from train.prepare import Prepared

REPORT = "report.html"
SHOWN_REFERENCES = 3
STOPPED = (
    "The job was told to stop before its end: the model is what it had learnt by then, scored on few sentences. "
    "Attention maps, the check of the split and the corpus are left out of this report."
)

History = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class FinishedJob:
    """A job whose model is published: the model, what it learnt from, and what was seen on the way."""

    model: Artifact
    prepared: Prepared
    hp: Hyperparameters
    history: History
    translations: Translations | None  # none when the corpus has no test part


def write_report(folder: Path, job: FinishedJob, *, hurried: bool) -> Path:
    """Write `report.html` and the plots (`*.svg`) into `folder`; returns the report's path.

    A hurried report, of a job that was told to stop, goes without what needs the model once more (attention maps)
    or takes the longer the larger the corpus is (its statistics, the check of the split).
    """
    from train import plots  # matplotlib takes a second to import, so only now

    drawn = {"curves": plots.learning_curves(job.history)}
    buckets = bleu_by_length(job.translations) if job.translations else []
    if buckets:
        drawn["bleu_by_length"] = plots.scores_by_length(buckets)
    statistics = [] if hurried else part_statistics(job.prepared, job.hp)
    if statistics:
        drawn["lengths"] = plots.length_histograms(statistics)
    body = join(
        [
            _summary(job),
            _learning(job, drawn["curves"]),
            _by_length(buckets, drawn.get("bleu_by_length")),
            _examples(job.translations),
            *([] if hurried else [_attention(job), _split(job), _corpus(job, statistics, drawn["lengths"])]),
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
    return f"Translation model {job.model.manifest.source_lang} → {job.model.manifest.target_lang}"


def _summary(job: FinishedJob) -> Html:
    manifest, training = job.model.manifest, job.model.manifest.training
    corpus = job.prepared.corpus
    intervals = confidence(job.translations) if job.translations else {}
    cards = [
        (f"{manifest.scores[name].value:.1f} ± {half:.1f}", f"{title} on the test part")
        for (name, half), title in zip(intervals.items(), ("BLEU", "chrF"), strict=False)
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
            _score_table(job, intervals),
        ]
    )


def _summary_facts(job: FinishedJob) -> list[tuple[str, Cell]]:
    manifest, hp = job.model.manifest, job.hp
    corpus = job.prepared.corpus
    train, validation, test = (f"{len(part):,}" for _, part in parts(corpus))
    layers = f"{hp.encoder_layers or hp.n_layers} + {hp.decoder_layers or hp.n_layers} layers"
    size = sum((job.model.path / name).stat().st_size for name in manifest.files if name.startswith("ctranslate2/"))
    return [
        ("languages", f"{manifest.source_lang} → {manifest.target_lang}"),
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
    scored = f"Scored on {len(job.translations.hypotheses):,} different test sentences, detokenised and cased."
    return join([table(("score", "value", "95 % interval", "sacreBLEU signature"), rows), paragraph(scored)])


def _learning(job: FinishedJob, curves: str | None) -> Html:
    steps = [line["step"] for line in job.history if "step" in line]
    validations = [line for line in job.history if "validation_loss" in line]
    note = ""
    if not steps:
        note = "This start of the job made too few updates for a line of metrics, so there is nothing to draw."
    elif steps[0] > job.hp.log_every:
        note = f"The curves begin at update {steps[0]:,}, where the job was resumed; its log has the lines before."
    rows = [
        (
            int(line["epoch"]),
            int(line["step"]),
            f"{line['validation_loss']:.3f}",
            line["validation_bleu"],
            line["validation_chrf"],
        )
        for line in validations
    ]
    return section(
        "How it learnt",
        paragraph(note) if note else "",
        figure(curves, "Loss in training and validation, validation scores, speed and learning rate, by update."),
        details("Validation, epoch by epoch", table(("epoch", "update", "validation loss", "BLEU", "chrF"), rows))
        if rows
        else "",
    )


def _by_length(buckets: Sequence[Bucket], plot: str | None) -> Html:
    if not buckets:
        return Html("")
    numbers = "; ".join(f"{bucket.words} words: {bucket.bleu:.1f}" for bucket in buckets)
    return section(
        "Short and long sentences",
        figure(plot, "BLEU of the test sentences by the number of words in the source.", f"{numbers}."),
    )


def _examples(translations: Translations | None) -> Html:
    if translations is None:
        return Html("")
    best, worst = best_and_worst(translations)
    head = ("chrF", "source", "reference", "translation")
    return section(
        "The worst and the best translations",
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


def _attention(job: FinishedJob) -> Html:
    if job.translations is None:
        return Html("")
    maps = attention_maps(job.model, job.prepared.tokenizer, mapped_sources(job.translations.test_set))
    explained = (
        "Rows are the tokens of the translation, columns those of the source (· begins a word); a number is the share "
        "of attention in per cent, the mean over the heads of the decoder layer before the last. The share of the "
        "end-of-sentence token is left out."
    )
    return section(
        "Where the model looks",
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
    return section(
        "The corpus",
        table(head, rows),
        paragraph("Tokens are those the model sees, ends of sentences and placeholder copies included."),
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
    if job.translations:
        rate = len(job.translations.hypotheses) / job.translations.seconds
        rows.append(("translation", f"{rate:,.0f} test sentences a second, loading the model included"))
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
