"""What goes through the pipeline: the records of a request's body, and the sentences that they are cut into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from container.errors import UserError
from serve.engine.batching import Work
from serve.engine.interface import Options, TextRules
from serve.text.masking import Mask
from serve.text.parameters import Parameters, shown


@dataclass(frozen=True)
class Record:
    """One text of a request's body, with the parameters that hold for it.

    error: why a malformed record has no text, where it is to be answered in its place.
    """

    text: str
    parameters: Parameters
    error: UserError | None = None


@dataclass(frozen=True)
class Sentence:
    """One sentence of a record, normalised.

    mask: the sentence as the engine is to see it. options: how it is to be decoded, before any step asks for more.
    rules: those of the direction that it is translated in.
    """

    text: str
    mask: Mask
    parameters: Parameters
    rules: TextRules
    options: Options

    def make_work(self, mask: Mask | None = None, **options: Any) -> Work:
        """The sentence as work for the engine: by default with its own mask; `options` replace some of its own."""
        text = (mask or self.mask).text
        return Work(text, replace(self.options, **options) if options else self.options, self.rules.target_lang)


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
