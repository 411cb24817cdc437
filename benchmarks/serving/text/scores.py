"""Translates the sets through the server and scores them: the table of `make bench-text`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sacrebleu.metrics import CHRF
from tqdm import tqdm

from benchmarks.serving.text.client import BATCH, Answer, Client
from benchmarks.serving.text.pairs import Altered
from benchmarks.serving.text.sets import PLAIN, Compared, TextSet

REPLACEMENT = "\ufffd"
HEAD = (
    "| set | sentences | chrF2 | chrF2 of plain on the same sentences | difference | seconds | warnings % | carried % |"
)
NOTES = """\
Both columns of chrF2 are compared in the same form: in capitals for `capitals`; in lower case for `title case` and
`lower case`, whose references have the case of the corpus; without ¿, ¡ and final mark for the plain side of
`no final mark`, without ¿ and ¡ for the other; with straight quotes for `curly quotes`. `carried` counts the texts
whose translation holds all that was put into the source (symbol, emoji, number, name). `warnings` are of texts."""


@dataclass(frozen=True)
class Row:
    """The measures of one set. Percentages are of texts; `carried` is None where nothing was put in.

    chrf and plain: chrF2, 0 to 100. seconds: from the first request of the set to its last answer.
    """

    name: str
    sentences: int
    chrf: float
    plain: float
    seconds: float
    warnings: float
    carried: float | None
    replacements: int

    def markdown(self) -> str:
        plain, difference = f"{self.plain:.1f}", f"{self.chrf - self.plain:+.1f}"
        if self.name == PLAIN:
            plain = difference = ""
        carried = "" if self.carried is None else f"{self.carried:.1f}"
        figures = f"{self.chrf:.1f} | {plain} | {difference} | {self.seconds:.1f} | {self.warnings:.1f} | {carried}"
        return f"| {self.name} | {self.sentences:,} | {figures} |"


@dataclass(frozen=True)
class Measured:
    """One set with the server's answers to its texts."""

    row: Row
    answers: tuple[Answer, ...]


def measure_sets(sets: Sequence[TextSet], client: Client) -> list[Measured]:
    """Translate and score each set. The sentences that a set was made from are translated once, outside its time."""
    plain: dict[str, Answer] = {}
    measured = []
    client.translate([text.source for text in sets[0].texts[:BATCH]])  # the first request is slower
    with tqdm(total=sum(len(each.texts) for each in sets), unit=" texts", disable=None) as bar:
        for each in sets:
            bar.set_description(each.name)
            answers, seconds = _translate([text.source for text in each.texts], client, bar)
            if each.name == PLAIN:
                plain.update((text.source, answer) for text, answer in zip(each.texts, answers, strict=True))
            sources = [part.source for text in each.texts for part in text.parts]
            left = [source for source in dict.fromkeys(sources) if source not in plain]
            plain.update(zip(left, _translate(left, client)[0], strict=True))
            measured.append(Measured(_row(each, answers, plain, seconds), tuple(answers)))
    return measured


def _translate(texts: Sequence[str], client: Client, bar: tqdm | None = None) -> tuple[list[Answer], float]:
    """The answers in order, and the seconds they took."""
    answers: list[Answer] = []
    began = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        answers += client.translate(texts[start : start + BATCH])
        if bar is not None:
            bar.update(len(answers) - start)
    return answers, time.perf_counter() - began


def _row(each: TextSet, answers: Sequence[Answer], plain: dict[str, Answer], seconds: float) -> Row:
    written = [answer.text for answer in answers]
    beside = [" ".join(plain[part.source].text for part in text.parts) for text in each.texts]
    beside_references = [" ".join(part.reference for part in text.parts) for text in each.texts]
    return Row(
        name=each.name,
        sentences=each.sentences,
        chrf=chrf(written, [text.reference for text in each.texts], each.compared),
        plain=chrf(beside, beside_references, each.compared_plain),
        seconds=seconds,
        warnings=_percent(answer.warning is not None for answer in answers),
        carried=_carried(each.texts, written),
        replacements=sum(REPLACEMENT in text for text in written),
    )


def chrf(translations: Sequence[str], references: Sequence[str], compared: Compared) -> float:
    """chrF2 of the corpus, 0 to 100; 0 for an empty one."""
    if not translations:
        return 0.0
    return CHRF().corpus_score([*map(compared, translations)], [[*map(compared, references)]]).score


def _carried(texts: Sequence[Altered], written: Sequence[str]) -> float | None:
    pairs = [(text, translation) for text, translation in zip(texts, written, strict=True) if text.carried]
    return _percent(all(each in translation for each in text.carried) for text, translation in pairs) if pairs else None


def _percent(marks: Iterable[bool]) -> float:
    counted = list(marks)
    return 100 * sum(counted) / max(1, len(counted))


def table(rows: Sequence[Row]) -> str:
    """The Markdown table, its notes and the signature of the scores."""
    lines = [HEAD, "|---" * 8 + "|", *(row.markdown() for row in rows), "", NOTES, "", f"chrF2: {signature()}"]
    if broken := sum(row.replacements for row in rows):
        lines.append(f"Translations with U+FFFD: {broken}")
    return "\n".join(lines)


def signature() -> str:
    """sacreBLEU's signature of chrF2."""
    metric = CHRF()
    metric.corpus_score([""], [[""]])
    return str(metric.get_signature())
