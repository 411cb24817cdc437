"""The plots of the report, as SVG text that follows the page's colours and fonts.

Only this file imports matplotlib, and it is imported only when a report is written. Figures are drawn without pyplot,
so nothing is kept between two of them, and the same numbers give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from train.evaluation.statistics import Bucket, PartStatistics

History = Sequence[Mapping[str, float]]

INK = "#010203"  # stands for the page's text colour while matplotlib draws; `_svg` replaces it by `currentColor`
BLUE, ORANGE, GREEN = "#3f7fbf", "#d9772b", "#3f9a6b"  # legible on white and on near-black alike
STYLE = {
    "svg.fonttype": "none",  # text stays text: searchable, and in the page's font
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.18,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color"), INK
    ),
    "grid.color": INK,
}
NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # no metadata: it would hold the time of day

# Panel title -> the lines in it, as (key in the history, label, colour)
PANELS = {
    "loss, nats a target token": (("train_loss", "train", BLUE), ("validation_loss", "validation", ORANGE)),
    "validation, greedy": (("validation_bleu", "BLEU", BLUE), ("validation_chrf", "chrF", GREEN)),
    "the same of the way back": (("validation_bleu_reverse", "BLEU", BLUE), ("validation_chrf_reverse", "chrF", GREEN)),
    "speed, target tokens a second": (("tokens_per_second", "", BLUE),),
    "learning rate": (("learning_rate", "", BLUE),),
}


def draw_learning_curves(history: History) -> str | None:
    """Loss, validation scores, speed and learning rate over updates; `None` when the history has none of them."""
    panels = {title: lines for title, lines in PANELS.items() if any(read_curve(history, line[0])[0] for line in lines)}
    if not panels:
        return None

    def draw(figure: Figure) -> None:
        rows = (len(panels) + 1) // 2
        for place, (title, lines) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(rows, 2, place, title=title, xlabel="update")
            for key, label, colour in lines:
                steps, values = read_curve(history, key)
                marker = "o" if len(steps) <= 20 else None
                axes.plot(steps, values, color=colour, label=label, marker=marker, markersize=3.5, linewidth=1.6)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if "loss" not in title:
                axes.set_ylim(bottom=0)
            if "speed" in title:
                axes.yaxis.set_major_formatter("{x:,.0f}")
            if len(lines) > 1:
                axes.legend()

    return _svg("curves", 9.0, 2.7 * ((len(panels) + 1) // 2), draw)


def read_curve(history: History, key: str) -> tuple[list[float], list[float]]:
    """(updates, values) of one name in the history."""
    points = [(line["step"], line[key]) for line in history if key in line and "step" in line]
    return [step for step, _ in points], [value for _, value in points]


def draw_scores_by_length(buckets: Sequence[Bucket], name: str = "bleu_by_length") -> str:
    """A bar of BLEU for each bucket of source lengths; `name` is the plot's in the page."""

    def draw(figure: Figure) -> None:
        axes: Axes = figure.add_subplot(title="BLEU", xlabel="words in the source (sentences)")
        names = [f"{bucket.words} ({bucket.sentences:,})" for bucket in buckets]
        bars = axes.bar(names, [bucket.bleu for bucket in buckets], 0.55, color=BLUE)
        axes.bar_label(bars, labels=[f"{bucket.bleu:.1f}" if bucket.sentences else "" for bucket in buckets], padding=2)
        axes.margins(y=0.15)
        axes.grid(visible=False, axis="x")

    return _svg(name, 9.0, 2.6, draw)


def draw_length_histograms(parts: Sequence[PartStatistics]) -> str:
    """The share of sentences by length, one line a part, for source and target: the lines of a fair split agree."""

    def draw(figure: Figure) -> None:
        sides = [("source", [part.source_words for part in parts]), ("target", [part.target_words for part in parts])]
        longest = max(
            int(np.percentile(lengths, 99.5)) for _, of_parts in sides for lengths in of_parts if len(lengths)
        )
        bins = np.arange(0.5, longest + 1.5)
        for place, (side, of_parts) in enumerate(sides, start=1):
            axes = figure.add_subplot(1, 2, place, title=f"{side}: % of sentences", xlabel="words")
            for part, lengths, colour in zip(parts, of_parts, (BLUE, ORANGE, GREEN), strict=True):
                if len(lengths):
                    counts, _ = np.histogram(lengths, bins)
                    axes.stairs(100 * counts / len(lengths), bins, color=colour, label=part.name, linewidth=1.6)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend()

    return _svg("lengths", 9.0, 2.8, draw)


def _svg(name: str, width: float, height: float, draw: Callable[[Figure], None]) -> str:
    """An `<svg>` element that takes the width of its place in the page; it is drawn `width` x `height` inches large.

    name: makes the ids in it differ from those of other plots in the same page.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        buffer = StringIO()
        FigureCanvasSVG(figure).print_svg(buffer, metadata=NOTHING)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg ") :].strip()
    start, rest = svg.split(">", 1)
    start = re.sub(r' (?:width|height)="[^"]*"', "", start)
    rest = re.sub(r'(<g) id="[^"]*"', r"\1", rest)  # names of matplotlib's, the same in every plot
    rest = re.sub(r" font-family: [^;]*;", "", rest)  # the page's own
    rest = re.sub(r"<style.*?</style>", "", rest, flags=re.DOTALL)  # it would hold for the whole page
    return f"{start}>{rest}".replace(INK, "currentColor")
