"""What a request may ask of a translation: one schema, for a whole request and for each of its instances."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from container.artifact import MAX_BEAM_SIZE, Decoding
from container.errors import UserError
from container.text import normalise
from serve.engine.interface import Options

Term = Annotated[str, Field(min_length=1, max_length=200)]


class Parameters(BaseModel):
    """The `parameters` of a request; where a field is None, the model's manifest decides."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    beam_size: int | None = Field(
        default=None, ge=1, le=MAX_BEAM_SIZE, description="beams searched; 1 is greedy and fastest"
    )
    num_hypotheses: int = Field(
        default=1, ge=1, le=MAX_BEAM_SIZE, description="translations to answer; at most beam_size"
    )
    length_penalty: float | None = Field(
        default=None, ge=0, le=5, description="the score is log-probability / length ** length_penalty"
    )
    max_length: int | None = Field(default=None, ge=1, le=1024, description="target tokens after which decoding stops")
    return_scores: bool = Field(default=False, description="answer each translation's score")
    return_token_scores: bool = Field(
        default=False, description="answer the log-probability of each token of the best translation"
    )
    return_confidence: bool = Field(
        default=False, description="answer how probable it is that each translation is good, 0 to 1"
    )
    return_alignment: bool = Field(
        default=False, description="answer `[source word, target word]` pairs, counted from 0, split at white space"
    )
    prefix: str | None = Field(default=None, max_length=1000, description="what the translation must begin with")
    alternatives_at: int | None = Field(
        default=None, ge=0, le=100_000, description="word of the translation, counted from 0, to answer other words for"
    )
    num_alternatives: int = Field(default=5, ge=1, le=MAX_BEAM_SIZE, description="words to answer at `alternatives_at`")
    glossary: dict[Term, Annotated[str, Field(max_length=200)]] | None = Field(
        default=None, max_length=1000, description="terms of the source and how each must be translated"
    )
    target_lang: str | None = Field(
        default=None, max_length=35, description="language to translate into, of those that the model writes"
    )
    stream: bool = Field(default=False, description="answer the whole request as a stream, a sentence a line")

    @field_validator("*", mode="before")
    @classmethod
    def _read_whole_number(cls, value: Any) -> Any:
        """Take 4.0 as 4: to JSON Schema it is an integer, and some clients write integers so."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def options(self, decoding: Decoding) -> Options:
        """The decoding options, open fields filled from the model's defaults; more hypotheses widen a default beam."""
        return Options(
            beam_size=self.beam_size or max(decoding.beam_size, self.num_hypotheses),
            num_hypotheses=self.num_hypotheses,
            length_penalty=decoding.length_penalty if self.length_penalty is None else self.length_penalty,
            max_length=self.max_length or decoding.max_target_length,
            prefix=normalise(self.prefix or ""),
            return_alignment=self.return_alignment,
            return_token_scores=self.return_token_scores,
        )


def read_parameters(given: Any, where: str, base: Parameters | None = None) -> Parameters:
    """Validate `given` on top of `base`; `where` is its place in the body, for a `UserError`'s message."""
    if not isinstance(given, dict):
        raise UserError(f'`{where}` is {kind_of_json(given)}: give an object such as {{"beam_size": 4}}.')
    check_names(given, Parameters.model_fields, where)
    inherited = base.model_dump(exclude_unset=True) if base else {}
    try:
        parameters = Parameters.model_validate({**inherited, **given})
    except ValidationError as error:
        first = error.errors()[0]
        name, wish = first["loc"][0], first["msg"].removeprefix("Input ")
        raise UserError(f"`{where}.{name}` is {shown(first['input'])}: it {wish}.") from None
    if parameters.beam_size and parameters.num_hypotheses > parameters.beam_size:
        raise UserError(
            f"`{where}.num_hypotheses` is {parameters.num_hypotheses} but `beam_size` is "
            f"{parameters.beam_size}: a search gives at most as many hypotheses as it has beams."
        )
    return parameters


def check_names(given: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    """Raise `UserError` for a key that is not `known`; it names the nearest one that is."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}."
            raise UserError(f"`{where}` has an unknown name {shown(name)}: {hint}")


def shown(value: Any) -> str:
    """A value as a message shows it: short, and containers by their kind only."""
    if isinstance(value, (dict, list)):
        return kind_of_json(value)
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}..."


def kind_of_json(value: Any) -> str:
    """JSON's name for the type of a parsed value, with its article."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
