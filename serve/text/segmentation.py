"""Where a text is cut: its structure (lines, Markdown, subtitles), its sentences, the clauses of a long sentence.

Spans are found before sentences are cut, so that no mark inside one ends a sentence. What has nothing to translate
(numbers, symbols, code) stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from serve.engine.interface import TextRules
from serve.engine.tokenization import UNLEARNT
from serve.text.casing import detect_case, looks_usual, to_sentence_case
from serve.text.markup.markdown import split_markdown
from serve.text.markup.marking import HELD, Places, cut_sentences, mark_spans, strip_private
from serve.text.markup.pieces import Piece, join_pieces, split_edges
from serve.text.markup.subtitles import is_subtitles, split_subtitles
from serve.text.masking import Mask, mask_parts
from serve.text.parameters import Parameters
from serve.text.records import Document, Record, Sentence
from serve.text.spans import find_spans

_CLAUSE_END = (",", ";", ":", "—", "–", ")", "…")
_JOINERS = "\u200c\u200d"
_SEPARATORS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
# What shows that a text has structure: several lines, or a mark or white space at an edge, or cells.
_STRUCTURED = re.compile(rf"[{_SEPARATORS}|]|\A[\s>#\-*+•‣◦–\d\[=_`~:]|\s\Z")
_SPEAKER = re.compile(r"\s*[-–—‐‑]\s*")
# What makes one line depend on others.
_OVER_LINES = re.compile(r"-->|```|~~~|\||\A---")


def segment(record: Record, rules: TextRules) -> Document:
    """Cut a text into sentences, and where one is too long for the model, where its clauses end."""
    text = strip_private(record.text)
    tags: list[str] = []
    if record.pieces is None:
        text, tags = _hold_tags(text)
    cutter = _Cutter(record.parameters, rules, iter(tags))
    for piece in split_structure(text) if record.pieces is None else record.pieces:
        if piece.translated:
            cutter.add_text(piece.text)
        else:
            cutter.add_layout(piece.text)
    return Document(record, cutter.gaps, cutter.sentences)


def split_structure(text: str) -> list[Piece]:
    """The pieces of a text. Every line separator is kept."""
    if not text or _STRUCTURED.search(text) is None:
        return [Piece(text, True)] if text else []
    if not is_subtitles(text):
        return split_markdown(text)
    return join_pieces(part for piece in split_subtitles(text) for part in _split_spoken(piece))


def _split_spoken(piece: Piece) -> Iterator[Piece]:
    """What is spoken line by line, without the dash of a speaker, so that each line of a cue stays a line."""
    if not piece.translated:
        yield piece
        return
    for line in piece.text.splitlines(keepends=True):
        dash = _SPEAKER.match(line)
        yield Piece(dash[0] if dash else "", False)
        yield from split_edges(line[dash.end() if dash else 0 :])


def split_structure_of_lines(text: str, lines: Sequence[str]) -> list[tuple[Piece, ...] | None]:
    """The pieces of each of the `lines` of a text, where lines depend on each other; else None for each.

    lines: those of the text, split at line feeds, without a carriage return at their ends.
    """
    if _OVER_LINES.search(text) is None:
        return [None] * len(lines)
    found: list[list[Piece]] = [[]]
    for piece in split_structure(strip_private(text)):
        for index, part in enumerate(piece.text.split("\n")):
            if index:
                found.append([])
            if part:
                found[-1].append(replace(piece, text=part))
    return [tuple(_without_return(pieces)) for pieces in found[: len(lines)]]


def _without_return(pieces: list[Piece]) -> list[Piece]:
    if pieces and pieces[-1].text.endswith("\r"):
        pieces[-1] = replace(pieces[-1], text=pieces[-1].text[:-1])
    return pieces


def _hold_tags(text: str) -> tuple[str, list[str]]:
    """The text with `HELD` in the place of each tag over several lines, and these tags."""
    if not ("<" in text or "{%" in text) or len(text.splitlines()) < 2:
        return text, []
    parts, tags, position = [], [], 0
    for span in find_spans(text):
        if span.kind in ("tag", "placeholder") and len(span.text.splitlines()) > 1:
            parts += [text[position : span.start], HELD]
            tags.append(span.text)
            position = span.stop
    return "".join(parts) + text[position:], tags


class _Cutter:
    """The gaps and sentences of a document, piece after piece."""

    def __init__(self, parameters: Parameters, rules: TextRules, held: Iterator[str]) -> None:
        self.gaps = [""]
        self.sentences: list[Sentence] = []
        self._parameters, self._rules, self._held = parameters, rules, held
        self._options = parameters.options(rules.decoding)
        self._warning: str | None = None

    def add_layout(self, text: str) -> None:
        self.gaps[-1] += self._fill_held(text)

    def add_text(self, raw: str) -> None:
        """Add the sentences of a text without line breaks, or of what is said over several lines of subtitles."""
        if raw.isascii() and not raw.strip():
            return self.add_layout(raw)
        keeps_raw = HELD not in raw
        marked = mark_spans(raw, self._parameters.glossary or {}, self._rules, self._held)
        if not marked.text.strip(_JOINERS):
            return None
        letters = marked.letters
        self._warning = UNLEARNT if marked.unlearnt > letters else None
        places = Places(marked)
        if not letters and self._may_stay(marked.spans) and keeps_raw and not marked.unlearnt:
            self._keep(raw.strip())
            return None
        for index, sentence in enumerate(cut_sentences(marked, self._rules.prefixes)):
            if index:
                self.gaps[-1] += " "
            self._add_sentence(sentence, places, bool(marked.spans or marked.tags))
        return None

    def _may_stay(self, spans: Sequence[object]) -> bool:
        return not self._options.prefix and not (spans and self._parameters.glossary)

    def _add_sentence(self, sentence: str, places: Places, has_marks: bool) -> None:
        rules = self._rules
        if has_marks and not any(map(str.isalpha, sentence)) and self._may_stay(sentence):
            self._keep(places.read(sentence))
            places.take(sentence)
            return None
        case = "plain" if looks_usual(sentence) else detect_case(sentence, (), rules.is_name)
        whole = places.read(sentence) if has_marks else sentence
        text = to_sentence_case(sentence, case, (), rules.is_name)
        if case != "plain" and rules.is_known and not all(map(rules.is_known, {*text} - {*sentence})):
            case, text = "plain", sentence  # the model has not learnt its letters in the other case
        parts = [text]
        if not rules.surely_fits(text):
            parts = cut_sentence(text, rules.count_tokens, rules.part_tokens)
        masks = mask_parts(parts, rules.placeholders, places) if has_marks else [(Mask(part), " ") for part in parts]
        for index, (mask, between) in enumerate(masks):
            original = whole if len(masks) == 1 else mask.original
            if len(mask.text) > rules.max_characters:  # a single word without end
                mask = replace(mask, text=mask.text[: rules.max_characters])
            self.sentences.append(
                Sentence(
                    original,
                    mask,
                    self._parameters,
                    rules,
                    self._options,
                    case,
                    "whole" if len(masks) == 1 else "later" if index else "first",
                    warning=self._warning,
                )
            )
            self.gaps.append(between if index < len(masks) - 1 else "")
            if self._options.prefix:  # it opens the first sentence only
                self._options = replace(self._options, prefix="")
        return None

    def _keep(self, text: str) -> None:
        """Add what is not to be translated."""
        sentence = Sentence(text, Mask(text), self._parameters, self._rules, self._options, kept=True)
        self.sentences.append(replace(sentence, warning=self._warning))
        self.gaps.append("")

    def _fill_held(self, text: str) -> str:
        return re.sub(HELD, lambda _: next(self._held), text) if HELD in text else text


def join_text(gaps: Sequence[str], sentences: Sequence[str]) -> str:
    """The text of `sentences` with the `gaps` of a document around them."""
    first, *others = gaps
    return first + "".join(sentence + gap for sentence, gap in zip(sentences, others, strict=True))


def cut_sentence(sentence: str, count_tokens: Callable[[Sequence[str]], list[int]], max_tokens: int) -> list[str]:
    """Parts of a sentence with at most `max_tokens` tokens each; joined by a space they are the sentence again.

    A part ends behind the last clause mark in its second half, else between the last two words that fit.
    `count_tokens` counts the tokens of each of some texts; a single word with more tokens stays whole.
    """
    if sum(count_tokens([sentence])) <= max_tokens:  # nearly always: one call, not one for each word
        return [sentence]
    words = sentence.split(" ")
    counts = count_tokens(words)
    parts, start, used = [], 0, 0
    clause = 0  # the index behind the last clause mark in the second half of this part
    for index, count in enumerate(counts):
        while used + count > max_tokens and index > start:
            stop = clause if clause > start else index
            parts.append(" ".join(words[start:stop]))
            start, used = stop, sum(counts[stop:index])
        used += count
        if words[index].endswith(_CLAUSE_END) and used > max_tokens // 2:
            clause = index + 1
    return [*parts, " ".join(words[start:])]
