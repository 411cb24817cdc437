"""What goes through the pipeline: the records of a request's body, and the sentences that they are cut into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from container.errors import UserError
from serve.engine.batching import Work
from serve.engine.interface import Options, TextRules
from serve.text.casing import Case
from serve.text.markup.pieces import Piece
from serve.text.masking import Mask
from serve.text.parameters import Parameters, shown

Part = Literal["whole", "first", "later"]


@dataclass(frozen=True)
class Record:
    """One text of a request's body, with the parameters that hold for it.

    error: why a malformed record has no text, where it is to be answered in its place.
    pieces: of the text, where the records around it say what is structure (a line of a Markdown text).
    """

    text: str
    parameters: Parameters
    error: UserError | None = None
    pieces: tuple[Piece, ...] | None = None


@dataclass(frozen=True)
class Sentence:
    """One sentence of a record, normalised.

    mask: the sentence as the engine is to see it. options: how it is to be decoded, before any step asks for more.
    rules: those of the direction that it is translated in. case: how it is written; its mask is in sentence case.
    part: where a longer sentence was cut. kept: nothing in it is to be translated, so it stays as it is.
    warning: what is doubtful about the text itself.
    """

    text: str
    mask: Mask
    parameters: Parameters
    rules: TextRules
    options: Options
    case: Case = "plain"
    part: Part = "whole"
    kept: bool = False
    warning: str | None = None

    def make_work(self, mask: Mask | None = None, **options: Any) -> Work:
        """The sentence as work for the engine: by default with its own mask; `options` replace some of its own."""
        mask = mask or self.mask
        if self.options.prefix and "prefix" not in options:
            options["prefix"] = self.hide_prefix(mask)
        return Work(mask.text, replace(self.options, **options) if options else self.options, self.rules.target_lang)

    def hide_prefix(self, mask: Mask) -> str:
        """The prefix that the translation must begin with, as the engine is to see it."""
        return mask.hide_targets(self.options.prefix) if mask.spans else self.options.prefix


@dataclass(frozen=True)
class Document:
    """A record cut into sentences: `join_text(gaps, …)` of their translations has its layout."""

    record: Record
    gaps: list[str]
    sentences: list[Sentence]


def find_rules(record: Record, rules: Sequence[TextRules]) -> TextRules:
    """The rules of the direction that a record asks for, by default the model's first.

    `UserError` when the model has no such direction, or no calibration for a confidence that is asked for.
    """
    wanted = record.parameters.target_lang
    found = next((each for each in rules if wanted in (None, each.target_lang)), None)
    if found is None:
        directions = " and ".join(f"from {each.source_lang} to {each.target_lang}" for each in rules)
        known = " or ".join(repr(each.target_lang) for each in rules)
        raise UserError(
            f"`target_lang` is {shown(wanted)} but this model translates {directions}: "
            f"ask for {known}, or leave it out."
        )
    if record.parameters.return_confidence and found.calibration is None:
        raise UserError(
            "This model has no calibration, so it gives no confidence: train it again with a validation part of "
            "50 sentences or more, or leave `return_confidence` out."
        )
    return found
