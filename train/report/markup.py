"""HTML out of plain values: everything is escaped but what is markup already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from train.evaluation.statistics import AttentionMap

SPACE_PIECE = "▁"  # SentencePiece's mark for a word's beginning


class Html(str):
    """Text that is markup already."""


Cell = str | int | float | Html


def text(value: Cell) -> Html:
    """A value as the page shows it: escaped; thousands with a comma; a float with one decimal."""
    if isinstance(value, Html):
        return value
    if isinstance(value, str):
        return Html(escape(value))
    return Html(f"{value:,}" if isinstance(value, int) else f"{value:,.1f}")


def join(parts: Iterable[str]) -> Html:
    return Html("\n".join(part for part in parts if part))


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], kind: str = "") -> Html:
    """Rows of cells under a head; a column of numbers is set right. `kind` is the table's class, for the style."""
    cells = [list(row) for row in rows]
    numeric = [all(not isinstance(row[column], str) for row in cells) for column in range(len(head))]
    classes = [' class="number"' if is_number else "" for is_number in numeric]
    top = "".join(
        f'<th scope="col"{attribute}>{text(name)}</th>' for name, attribute in zip(head, classes, strict=True)
    )
    body = "\n".join(f"<tr>{_cells(row, classes)}</tr>" for row in cells)
    attribute = f' class="{kind}"' if kind else ""
    return Html(
        f'<div class="wide"><table{attribute}><thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
    )


def _cells(row: Sequence[Cell], attributes: Sequence[str]) -> str:
    return "".join(f"<td{attribute}>{text(value)}</td>" for value, attribute in zip(row, attributes, strict=True))


def facts(rows: Iterable[tuple[str, Cell]]) -> Html:
    """Names and values, one a line."""
    return Html(
        "<dl>\n" + "\n".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in rows) + "\n</dl>"
    )


def section(title: str, *parts: str) -> Html:
    """A chapter of the page; none when there is nothing in it."""
    inside = join(parts)
    return Html(f"<section>\n<h2>{text(title)}</h2>\n{inside}\n</section>") if inside else Html("")


def paragraph(sentence: Cell) -> Html:
    return Html(f"<p>{text(sentence)}</p>")


def details(summary: str, inside: Html) -> Html:
    """Folded away until someone opens it."""
    return Html(f"<details><summary>{text(summary)}</summary>\n{inside}\n</details>")


def figure(svg: str | None, caption: str, numbers: str = "") -> Html:
    """An SVG plot and what it shows; `numbers` are said to readers who cannot see it, after the caption."""
    if svg is None:
        return Html("")
    description = escape(f"{caption} {numbers}".strip())
    described = svg.replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)
    return Html(f"<figure>\n{described}\n<figcaption>{text(caption)}</figcaption>\n</figure>")


def heat_map(attention: AttentionMap) -> Html:
    """Target tokens down, source tokens across; the darker a cell, the more weight. The number is in per cent."""
    top = "".join(f'<th scope="col"><span>{text(_shown(token))}</span></th>' for token in attention.source)
    rows = []
    for token, weights in zip(attention.target, attention.weights, strict=True):
        cells = "".join(f'<td style="--weight: {100 * w:.0f}%">{100 * w:.0f}</td>' for w in weights)
        rows.append(f'<tr><th scope="row">{text(_shown(token))}</th>{cells}</tr>')
    return Html(
        f'<table class="heat-map"><thead><tr><td></td>{top}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table>"
    )


def _shown(piece: str) -> str:
    return piece.replace(SPACE_PIECE, "·") if piece != SPACE_PIECE else "·"
