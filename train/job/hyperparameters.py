"""The hyperparameters: one typed schema, and a reader of every encoding in which SageMaker may hand values over.

All values arrive as strings, and each client of SageMaker encodes them differently:

    SDK v2                   str(value)         "False"   "None"   "adam"
    SDK v2 with source_dir   json.dumps(value)  "false"   "null"   "\"adam\""
    SDK v3                   bare strings, everything else as JSON
    API, console             as typed

So a value is read as JSON, else as a Python literal, else as the string itself. The schema then checks its type.
The tables, `describe` and the tuning ranges are made from the same schema in `train.job.describe`.
"""

from __future__ import annotations

import ast
import difflib
import json
import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from container.artifact import MAX_BEAM_SIZE
from container.errors import HyperparameterError
from train.job.presets import Preset, recipe

_LANGUAGE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"
_FILE = r"^[^/\\]+(/[^/\\]+)*$"


def _field(default: Any, description: str, *, tune: tuple[float, float] | None = None, **limits: Any) -> Any:
    """A field of the schema; `tune` is the range that a tuning job may search."""
    extra: Any = {"tune": list(tune)} if tune else None
    return Field(default, description=description, json_schema_extra=extra, **limits)


class Hyperparameters(BaseModel):
    """Everything a user may set. `None` means "decided by another hyperparameter" or "not used"."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # Languages and text
    source_lang: str = _field("en", "language to translate from: a code such as en", pattern=_LANGUAGE)
    target_lang: str = _field("es", "language to translate into: a code such as es", pattern=_LANGUAGE)
    direction: Literal["forward", "both"] = _field("forward", "both: one model that translates back as well")
    train_file: str | None = _field(None, "file of the training channel to use; else all", pattern=_FILE)
    nsamples: int = _field(0, "use only so many pairs; 0 uses all", ge=0, le=1_000_000_000)
    max_len: int = _field(100, "longest sentence in subword tokens; longer pairs are dropped", ge=2, le=1024)
    clean_dots: bool = _field(False, "drop every dot that ends no sentence, as the original notebooks do")
    non_breaking_in: str | None = _field(None, "file of source abbreviations in the channel", pattern=_FILE)
    non_breaking_out: str | None = _field(None, "file of target abbreviations in the channel", pattern=_FILE)
    test_fraction: float = _field(0.02, "part of the pairs held out for the final scores", ge=0, le=0.8)
    validation_fraction: float = _field(0.01, "part of the pairs held out to watch training", ge=0, le=0.8)
    vocab_size: int = _field(8000, "largest subword vocabulary", ge=64, le=128_000, tune=(4000, 32_000))
    vocab_type: Literal["unigram", "bpe"] = _field("unigram", "how the subword vocabulary is learnt")

    # Model
    d_model: int = _field(256, "width of the model; divisible by n_heads", ge=4, le=4096)
    ffn_dim: int = _field(1024, "inner width of the feed-forward layers", ge=4, le=16_384, tune=(256, 4096))
    n_heads: int = _field(4, "attention heads", ge=1, le=64)
    n_layers: int = _field(3, "layers of the encoder and of the decoder", ge=1, le=48, tune=(1, 6))
    encoder_layers: int | None = _field(None, "layers of the encoder; n_layers when not given", ge=1, le=48)
    decoder_layers: int | None = _field(None, "layers of the decoder; n_layers when not given", ge=1, le=48)
    dropout_rate: float = _field(0.1, "dropout wherever the model has it", ge=0, le=0.9, tune=(0.0, 0.4))
    word_dropout: float = _field(0.0, "share of the words hidden from the model", ge=0, le=0.9, tune=(0.0, 0.3))
    label_smoothing: float = _field(0.1, "probability given to other tokens", ge=0, le=0.9, tune=(0.0, 0.2))

    # Training
    preset: Preset = _field("default", "a recipe: values for what is not given; fast: an hour on two cores")
    epochs: int = _field(10, "passes over the training pairs", ge=1, le=10_000)
    max_minutes: float = _field(0.0, "stop after so many minutes of steps; 0 is no limit", ge=0, le=40_320)
    batch_tokens: int = _field(2048, "target tokens in a batch", ge=64, le=1_000_000, tune=(1024, 16_384))
    batch_size: int | None = _field(None, "pairs in a batch; replaces batch_tokens", ge=1, le=65_536)
    learning_rate: float = _field(2e-3, "peak learning rate", gt=0, le=1, tune=(1e-4, 1e-2))
    warmup_steps: int = _field(800, "steps to the peak; at most 10 % of all steps", ge=1, le=100_000)
    clip_norm: float = _field(1.0, "largest global norm of a gradient", gt=0, le=1000)
    ema_decay: float = _field(0.997, "decay of the moving average that is exported", ge=0, lt=1)
    framework: Literal["tensorflow", "pytorch"] | None = _field(None, "to train with; else what the image has")
    precision: Literal["auto", "float32", "bfloat16"] = _field("auto", "of matrix products; auto asks the hardware")
    seed: int = _field(1, "of every random choice of the job", ge=0, le=2**31 - 1)
    resume: bool = _field(True, "continue from the newest checkpoint when there is one")
    checkpoint_seconds: float = _field(60.0, "seconds between checkpoints", ge=0, le=86_400)
    log_every: int = _field(50, "steps between two lines of metrics", ge=1, le=1_000_000)

    # Decoding and export
    beam_size: int = _field(4, "hypotheses kept while decoding; the model's default", ge=1, le=MAX_BEAM_SIZE)
    length_penalty: float = _field(1.0, "exponent of the length that divides a hypothesis' score", ge=0, le=5)
    quantization: Literal["int8", "float32"] = _field("int8", "of the exported weights")
    saved_model: bool = _field(False, "export a TensorFlow SavedModel too, for TensorFlow Serving")

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What the user gave wins over the preset, and the preset over the defaults."""
        return {**recipe(given.get("preset")), **given}

    @model_validator(mode="after")
    def _check_together(self, info: ValidationInfo) -> Hyperparameters:
        settled = (info.context or {}).get("settled", frozenset(type(self).model_fields))
        found = [conflict.sentence for conflict in _conflicts(self) if settled.issuperset(conflict.fields)]
        if found:
            raise PydanticCustomError("conflict", "{sentences}", {"sentences": "; ".join(found)})
        return self


class _Conflict(NamedTuple):
    fields: tuple[str, ...]
    sentence: str


def _conflicts(values: Hyperparameters) -> Iterable[_Conflict]:
    """Pairs of values that are legal each but not together."""
    if values.source_lang == values.target_lang:
        sentence = f"source_lang and target_lang must differ, got {values.source_lang!r} for both"
        yield _Conflict(("source_lang", "target_lang"), sentence)
    if values.d_model % values.n_heads:
        sentence = f"d_model must be divisible by n_heads, got {values.d_model} and {values.n_heads}"
        yield _Conflict(("d_model", "n_heads"), sentence)
    if values.d_model % 2:
        yield _Conflict(("d_model",), f"d_model must be even, got {values.d_model}")
    if values.test_fraction + values.validation_fraction >= 0.9:
        sentence = (
            "test_fraction and validation_fraction must leave more than a tenth for training, "
            f"got {values.test_fraction} and {values.validation_fraction}"
        )
        yield _Conflict(("test_fraction", "validation_fraction"), sentence)


def read(path: Path, overrides: Mapping[str, str] = types.MappingProxyType({})) -> Hyperparameters:
    """The hyperparameters of SageMaker's `hyperparameters.json`; `overrides` (the command line) win.

    A missing file gives the defaults. `HyperparameterError` when it is no JSON object, and as `parse` does.
    """
    return parse(_read_object(path), overrides)


def _read_object(path: Path) -> dict[str, object]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise HyperparameterError(f"{path} is not UTF-8: save it as UTF-8.") from None
    except OSError as error:
        raise HyperparameterError(
            f"{path} cannot be read ({error.strerror}): run the container as root, as SageMaker does."
        ) from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise HyperparameterError(
            f"{path} is not valid JSON at line {error.lineno}, column {error.colno} ({error.msg}): "
            'write one object such as {"epochs": "10"}.'
        ) from None
    if not isinstance(content, dict):
        raise HyperparameterError(f'{path} must hold one JSON object such as {{"epochs": "10"}}.')
    return content


def parse(raw: Mapping[str, object], overrides: Mapping[str, str] = types.MappingProxyType({})) -> Hyperparameters:
    """Check raw values of any of the four encodings and give them their types; `overrides` win over `raw`.

    Keys may be written in kebab or snake case. Keys that SageMaker itself injects are passed over.
    `HyperparameterError` names every problem at once.
    """
    problems: list[str] = []
    given = {**_canonical(raw, problems), **_canonical(overrides, problems)}
    problems += [_unknown(name) for name in given if name not in Hyperparameters.model_fields]
    values = {name: _decode(name, raw) for name, raw in given.items() if name in Hyperparameters.model_fields}
    values = {name: value for name, value in values.items() if value is not None}
    try:
        parsed = Hyperparameters.model_validate(values)
    except ValidationError as error:
        problems += _explain(error, values)
    if problems:
        raise HyperparameterError(f"Hyperparameters: {'; '.join(problems)}.")
    return parsed


def _canonical(raw: Mapping[str, object], problems: list[str]) -> dict[str, object]:
    """Keys in snake case, without those that SageMaker injects; one given twice is added to `problems`."""
    values: dict[str, object] = {}
    for key, value in raw.items():
        name = _snake(key)
        if name.startswith(("sagemaker_", "_tuning")) or name == "model_dir":
            continue
        if name in values and values[name] != value:
            problems.append(f"{name} is given twice, as {_short(values[name])} and {_short(value)}")
        values[name] = value
    return values


def _snake(key: str) -> str:
    return key.strip().replace("-", "_")


def _decode(name: str, raw: object) -> object:
    """The value behind one of the encodings; `None` where the client means "not given"."""
    wanted, optional = kind(name)
    value = _literal(raw) if isinstance(raw, str) else raw
    if value is None or (optional and raw == ""):
        return None
    if wanted is str and not isinstance(value, str):
        return raw  # the file "123" is no number
    if wanted in (int, float) and isinstance(value, bool):
        return str(raw)  # true is no number either, though Python's int(True) says 1
    return value


def _literal(raw: str) -> object:
    """JSON, else a Python literal, else the string itself."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(raw.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return raw


def kind(name: str) -> tuple[Any, bool]:
    """A field's type (`str`, `int`, `float`, `bool`, or the tuple of its choices); whether it may be None."""
    annotation = Hyperparameters.model_fields[name].annotation
    optional = False
    if get_origin(annotation) in (types.UnionType, Union):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
        optional = True
    if get_origin(annotation) is Literal:
        return get_args(annotation), optional
    return annotation, optional


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, Hyperparameters.model_fields, n=1)
    hint = f"did you mean {close[0]}?" if close else "`train --help` lists all"
    return f"{name!r} is no hyperparameter ({hint})"


def _explain(error: ValidationError, values: Mapping[str, object]) -> list[str]:
    """One clause for each wrong value, and for each conflict between values that are right."""
    wrong = {str(item["loc"][0]): item for item in error.errors() if item["loc"]}
    if not wrong:
        return [item["msg"] for item in error.errors()]
    clauses = [f"{name} must be {_expected(name, it)}, got {_short(values[name])}" for name, it in wrong.items()]
    right = {name: value for name, value in values.items() if name not in wrong}
    try:
        settled = set(Hyperparameters.model_fields) - set(wrong)
        Hyperparameters.model_validate(right, context={"settled": settled})
    except ValidationError as conflict:
        clauses += [item["msg"] for item in conflict.errors()]
    return clauses


def _expected(name: str, item: Any) -> str:
    """What a value should have been, from pydantic's type of error."""
    limits = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}
    limits |= {"greater_than": ("gt", "more than"), "less_than": ("lt", "less than")}
    if item["type"] in limits:
        key, words = limits[item["type"]]
        return f"{words} {item['ctx'][key]:.15g}"
    if item["type"] == "literal_error":
        close = difflib.get_close_matches(str(item["input"]), kind(name)[0], n=1)
        return f"one of {', '.join(kind(name)[0])}{f' (did you mean {close[0]}?)' if close else ''}"
    if item["type"] == "string_pattern_mismatch":
        return "a language code such as en or es" if name.endswith("_lang") else "a file name in the channel"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[kind(name)[0]]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def from_arguments(argv: Sequence[str]) -> dict[str, str]:
    """Raw values of `--name value` and `--name=value`, kebab or snake.

    A boolean may stand alone: `--resume` is `--resume true`. Of two equal names the last counts.
    Names and values are checked by `parse`.
    """
    raw: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("--") or word == "--":
            raise HyperparameterError(f"The argument {word!r} is no --name value: `train --help` lists them.")
        key, equals, value = word.removeprefix("--").partition("=")
        name = _snake(key)
        raw[name] = value if equals else _value_of(name, words)
    return raw


def _value_of(name: str, words: list[str]) -> str:
    """Take the value of the argument `--name` off the front of `words`."""
    if words and not words[0].startswith("--"):
        return words.pop(0)
    if name in Hyperparameters.model_fields and kind(name)[0] is bool:
        return "true"
    raise HyperparameterError(f"The argument --{name} has no value: write --{name} VALUE.")
