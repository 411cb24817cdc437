"""The report of a job: `report.html`, which a person would rather look at than read logs.

This file gathers what the page shows; the template `report.html` beside it holds the words, `figures` draws the plots.
The page is one file without scripts and without anything to load; the plots stand beside it as SVG files too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from container.artifact import Artifact, Manifest, write_atomically
from train.corpus.prepare import Prepared
from train.evaluation.decode import AttentionMap, attend
from train.evaluation.statistics import (
    Example,
    PartStatistics,
    Translations,
    best_and_worst,
    bleu_by_length,
    choose_mapped_sources,
    count_left_out,
    find_leaks,
    interval_halves,
    list_parts,
    measure_parts,
)
from train.job.context import JobContext

REPORT = "report.html"
SHOWN_REFERENCES = 3
SPACE_PIECE = "▁"  # SentencePiece's mark for a word's beginning
SCORE_TITLES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "bleu_multi": "BLEU, all references",
    "chrf_multi": "chrF, all references",
    "bleu_lost_by_quantization": "BLEU lost by quantisation",
    "calibration_error": "calibration error of the confidence",
}

Cell = str | int | float | Markup  # as the page shows it: see `_show`
Fact = tuple[str, Cell]


@dataclass(frozen=True)
class Table:
    """Rows of cells under a head; a column of numbers is set right. `kind` is the table's class, for the style."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    kind: str = ""

    @property
    def numeric(self) -> list[bool]:
        """Whether each column holds numbers only."""
        return [all(not isinstance(row[column], str) for row in self.rows) for column in range(len(self.head))]


@dataclass(frozen=True)
class Figure:
    """A plot as an `<svg>` element, and what it shows."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class _Direction:
    """One direction of the published model. `name` stands behind its headings, empty where it is the only one."""

    model: Artifact
    translations: Translations | None
    name: str


def write_report(
    job: JobContext, prepared: Prepared, model: Artifact, translations: Sequence[Translations | None]
) -> Path:
    """Write `report.html` and the plots (`*.svg`) into `/opt/ml/output/data`; returns the report's path.

    translations: those of the test part by each direction of the published model. Once `job.stop` is set, the report
    goes without what needs the model once more (attention maps) or takes longer the larger the corpus is.
    """
    folder, hurried = job.paths.output_data, job.stop.is_set()
    folder.mkdir(parents=True, exist_ok=True)
    directions = _list_directions(model, translations)
    plots: dict[str, str] = {}
    content = {
        "title": f"Translation model {_languages(model.manifest)}",
        "both": len(directions) > 1,
        "summary": _summarise(job, prepared, model, directions),
        "learning": _describe_learning(job, plots),
        "lengths": _describe_lengths(directions, plots),
        "examples": [_show_examples(each) for each in directions if each.translations],
        "attention": [] if hurried else [_show_attention(prepared, each) for each in directions if each.translations],
        "leaks": None if hurried else find_leaks(prepared.corpus),
        "corpus": None if hurried else _describe_corpus(job, prepared, plots),
        "speed": _describe_speed(job, model, directions),
        "settings": Table(("name", "value"), [(n, _code(v)) for n, v in model.manifest.hyperparameters.items()]),
    }
    page = _environment().get_template(REPORT).render(content)
    for name, svg in plots.items():
        style = '<svg style="background: white; color: #222; font-family: sans-serif" '  # as the page would give it
        write_atomically(folder / f"{name}.svg", svg.replace("<svg ", style, 1).encode())
    write_atomically(folder / REPORT, page.encode())
    return folder / REPORT


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_show,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _show(value: Any) -> Any:
    """A value as the page shows it: thousands with a comma; a float with one decimal."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _code(value: object) -> Markup:
    return Markup("<code>{}</code>").format(str(value))


def _figure(svg: str, caption: str, numbers: str = "") -> Figure:
    """`numbers` are read to people who cannot see the plot, after the caption."""
    description = escape(f"{caption} {numbers}".strip())
    return Figure(Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)), caption)


def _list_directions(model: Artifact, translations: Sequence[Translations | None]) -> list[_Direction]:
    manifests = model.manifest.directions
    return [
        _Direction(replace(model, manifest=manifest), found, f", {_languages(manifest)}" if len(manifests) > 1 else "")
        for manifest, found in zip(manifests, translations, strict=True)
    ]


def _languages(manifest: Manifest) -> str:
    return f"{manifest.source_lang} {'⇄' if manifest.reverse else '→'} {manifest.target_lang}"


def _summarise(
    job: JobContext, prepared: Prepared, model: Artifact, directions: Sequence[_Direction]
) -> dict[str, Any]:
    training = model.manifest.training
    intervals = [interval_halves(each.translations) if each.translations else {} for each in directions]
    cards = [
        (f"{each.model.manifest.scores[name].value:.1f} ± {half:.1f}", f"{title} on the test part{each.name}")
        for each, halves in zip(directions, intervals, strict=True)
        for (name, half), title in zip(halves.items(), ("BLEU", "chrF"), strict=False)
    ]
    cards += [
        (f"{len(prepared.corpus.train):,}", "pairs to learn from"),
        (f"{training['updates']:,}", f"updates in {training['epochs']} epochs"),
        (format_duration(training["seconds"]), "of training steps"),
    ]
    return {
        "stopped": training["stopped_early"],
        "cards": cards,
        "facts": _list_facts(job, prepared, model),
        "scores": [_list_scores(each, halves) for each, halves in zip(directions, intervals, strict=True)],
    }


def _list_facts(job: JobContext, prepared: Prepared, model: Artifact) -> list[Fact]:
    manifest, hp = model.manifest, job.hyperparameters
    train, validation, test = (f"{len(part):,}" for _, part in list_parts(prepared.corpus))
    layers = f"{hp.encoder_layers or hp.n_layers} + {hp.decoder_layers or hp.n_layers} layers"
    size = sum((model.path / name).stat().st_size for name in manifest.files if name.startswith("ctranslate2/"))
    return [
        ("languages", _languages(manifest)),
        ("corpus", f"{train} pairs to train on, {validation} to validate, {test} to test"),
        ("corpus fingerprint", _code(manifest.corpus["fingerprint"])),
        ("model", f"Transformer, {layers}, width {hp.d_model}, {hp.n_heads} heads, feed-forward {hp.ffn_dim}"),
        ("vocabulary", f"{prepared.tokenizer.get_piece_size():,} pieces, shared by both languages"),
        ("precision", f"trained in {manifest.training['precision']}, exported as {hp.quantization}"),
        ("exported size", f"{size / 1e6:,.1f} MB"),
        ("decoding", f"beam of {hp.beam_size}, length penalty {hp.length_penalty:g}"),
        ("parity", f"export and Keras model agree within {manifest.training['parity']:.1e} in log-probability a token"),
    ]


def _list_scores(direction: _Direction, halves: Mapping[str, float]) -> dict[str, Any]:
    rows: list[Sequence[Cell]] = []
    for name, score in direction.model.manifest.scores.items():
        half = halves.get(name)
        interval = f"{score.value - half:.1f} to {score.value + half:.1f}" if half is not None else ""
        rows.append((SCORE_TITLES.get(name, name), f"{score.value:.2f}", interval, _code(score.signature)))
    table = Table(("score", "value", "95 % interval", "sacreBLEU signature"), rows)
    sentences = len(direction.translations.hypotheses) if direction.translations else 0
    return {"name": direction.name, "table": table if rows and sentences else None, "sentences": sentences}


def _describe_learning(job: JobContext, plots: dict[str, str]) -> dict[str, Any]:
    from train.report.figures import draw_learning_curves  # matplotlib takes a second to import

    history = job.progress.history
    steps = [line["step"] for line in history if "step" in line]
    names = {"validation_bleu": "BLEU", "validation_chrf": "chrF"}
    if job.hyperparameters.direction == "both":
        names |= {"validation_bleu_reverse": "BLEU back", "validation_chrf_reverse": "chrF back"}
    rows: list[Sequence[Cell]] = [
        (int(line["epoch"]), int(line["step"]), f"{line['validation_loss']:.3f}", *(line[name] for name in names))
        for line in history
        if "validation_loss" in line
    ]
    curves = draw_learning_curves(history)
    if curves:
        plots["curves"] = curves
    caption = "Loss in training and validation, validation scores, speed and learning rate, by update."
    return {
        "empty": not steps,
        "resumed_at": int(steps[0]) if steps and steps[0] > job.hyperparameters.log_every else None,
        "curves": _figure(curves, caption) if curves else None,
        "validation": Table(("epoch", "update", "validation loss", *names.values()), rows) if rows else None,
    }


def _describe_lengths(directions: Sequence[_Direction], plots: dict[str, str]) -> list[tuple[str, Figure]]:
    from train.report.figures import draw_scores_by_length  # matplotlib takes a second to import

    sections = []
    for name, direction in zip(("bleu_by_length", "bleu_by_length_reverse"), directions, strict=False):
        if direction.translations:
            buckets = bleu_by_length(direction.translations)
            plots[name] = draw_scores_by_length(buckets, name)
            numbers = "; ".join(f"{bucket.words} words: {bucket.bleu:.1f}" for bucket in buckets)
            caption = "BLEU of the test sentences by the number of words in the source."
            sections.append((direction.name, _figure(plots[name], caption, f"{numbers}.")))
    return sections


def _show_examples(direction: _Direction) -> dict[str, Any]:
    assert direction.translations is not None
    best, worst = best_and_worst(direction.translations)
    return {"name": direction.name, "worst": _example_table(worst), "best": _example_table(best)}


def _example_table(examples: Iterable[Example]) -> Table:
    rows = [(each.chrf, each.source, _show_references(each.references), each.hypothesis) for each in examples]
    return Table(("chrF", "source", "reference", "translation"), rows, "sentences")


def _show_references(references: Sequence[str]) -> Markup:
    more = len(references) - SHOWN_REFERENCES
    rest = Markup("<br><small>and {} more</small>").format(more) if more > 0 else ""
    return Markup("<br>").join(references[:SHOWN_REFERENCES]) + rest


def _show_attention(prepared: Prepared, direction: _Direction) -> dict[str, Any]:
    assert direction.translations is not None
    manifest = direction.model.manifest
    sources = choose_mapped_sources(direction.translations.test_set)
    maps = attend(
        direction.model.ctranslate2, prepared.tokenizer, sources, manifest.decoding, manifest.source_tokens_prefix
    )
    return {"name": direction.name, "maps": [_heat_map(each) for each in maps]}


def _heat_map(attention: AttentionMap) -> dict[str, Any]:
    """Target tokens down, source tokens across; whole per cents."""
    targets = [_show_piece(piece) for piece in attention.target]
    return {
        "source": [_show_piece(piece) for piece in attention.source],
        "rows": [(piece, [round(100 * w) for w in row]) for piece, row in zip(targets, attention.weights, strict=True)],
    }


def _show_piece(piece: str) -> str:
    return piece.replace(SPACE_PIECE, "·")


def _describe_corpus(job: JobContext, prepared: Prepared, plots: dict[str, str]) -> dict[str, Any]:
    from train.report.figures import draw_length_histograms  # matplotlib takes a second to import

    statistics = measure_parts(prepared, job.hyperparameters)
    head = ("part", "pairs", "source words", "target words", "source tokens", "target tokens", "words a source")
    plots["lengths"] = draw_length_histograms(statistics)
    caption = "Share of the sentences by their number of words, in each part; the longest 0.5 % are cut off."
    return {
        "parts": Table(head, [_part_row(part) for part in statistics]),
        "lengths": _figure(plots["lengths"], caption),
        "left_out": Table(("reason", "pairs"), count_left_out(prepared, job.hyperparameters)),
    }


def _part_row(part: PartStatistics) -> Sequence[Cell]:
    return (
        part.name,
        part.pairs,
        int(part.source_words.sum()),
        int(part.target_words.sum()),
        part.source_tokens,
        part.target_tokens,
        float(part.source_words.mean()) if part.pairs else "",
    )


def _describe_speed(job: JobContext, model: Artifact, directions: Sequence[_Direction]) -> list[Fact]:
    training = model.manifest.training
    speeds = [line["tokens_per_second"] for line in job.progress.history if "tokens_per_second" in line]
    facts: list[Fact] = [("training steps", format_duration(training["seconds"]))]
    if training["seconds"]:
        facts.append(("updates a second", f"{training['updates'] / training['seconds']:,.2f}"))
    if speeds:
        spread = f"{median(speeds):,.0f} (median; {min(speeds):,.0f} to {max(speeds):,.0f})"
        facts.append(("target tokens a second", spread))
    for each in directions:
        if each.translations:
            rate = len(each.translations.hypotheses) / each.translations.seconds
            facts.append(
                (f"translation{each.name}", f"{rate:,.0f} test sentences a second, loading the model included")
            )
    return facts


def format_duration(seconds: float) -> str:
    """`3725` -> `1 h 2 min`; below a minute `12.3 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
