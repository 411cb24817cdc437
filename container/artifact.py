"""The model directory, which `train` writes and `serve` reads.

    manifest.json         what the model is; it is written last, so a directory without it is not a model
    tokenizer.model       SentencePiece, with language tags and placeholder symbols reserved
    ctranslate2/          the exported model
    weights.safetensors   float32 averaged weights, for incremental training; never read by `serve`
    saved_model/1/        on request: a TensorFlow SavedModel, for TensorFlow Serving and NMT_ENGINE=tensorflow

The manifest lists every other file with its sha256, and a damaged file is refused by name.
Compatibility promise: every later release of this image serves a directory of `FORMAT_VERSION` n.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from container.errors import ArtifactError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.model"
CTRANSLATE2 = "ctranslate2"
WEIGHTS = "weights.safetensors"
SAVED_MODEL = "saved_model/1"
MAX_BEAM_SIZE = 32  # that training and requests may ask for
READABLE = 20  # characters of a text that says anything about its language
TOKENS_PER_TOKEN, SPARE_TOKENS = 2, 16  # no translation needs more
LENGTH_STEP = 64  # tokens
STAGING = ".staging"  # on the same file system as the destination, so that a rename is atomic


class Frozen(BaseModel):
    """Base of the schemas here: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Decoding(Frozen):
    """Decoding defaults chosen at training; a request may override them."""

    beam_size: int = 4
    length_penalty: float = 1.0
    max_source_length: int = Field(256, description="source tokens the model was made for; longer input is cut")
    max_target_length: int = Field(256, description="target tokens after which decoding stops")


def longest_translation(source_tokens: int) -> int:
    """The tokens at which decoding stops, for the longest source of a batch.

    In steps, so that the sentences that share a batch change nothing: nearly all batches have the same bound.

    >>> longest_translation(10), longest_translation(30)
    (64, 128)
    """
    needed = TOKENS_PER_TOKEN * source_tokens + SPARE_TOKENS
    return -(-needed // LENGTH_STEP) * LENGTH_STEP


class CleanUp(Frozen):
    """What `container.text.clean` did to the training text; `serve` does the same to every request."""

    clean_dots: bool = False
    non_breaking_prefixes: tuple[str, ...] = Field((), description="of the source language, Moses format")


class Score(Frozen):
    """One corpus score with the sacreBLEU signature that makes it reproducible."""

    value: float
    signature: str


class Calibration(Frozen):
    """How the model's probability of a translation becomes a confidence; see `train.evaluation.calibration`.

    A translation is good when its sentence chrF2 is at least `good_chrf`. The confidence is the probability that it is
    good: 1 / (1 + exp(-(intercept + slope x mean log-probability of a token))).
    """

    good_chrf: float
    intercept: float
    slope: float
    sentences: int = Field(description="validation sentences that the curve was learnt from")
    characters_a_token: float | None = Field(
        None, description="nearly every source of the corpus has at least so many; a text with fewer is unlike it"
    )

    def is_unlike(self, text: str, tokens: int) -> bool:
        """Whether a text of so many tokens is probably not in the language of the corpus."""
        usual = self.characters_a_token
        return usual is not None and len(text) >= READABLE and len(text) < usual * tokens

    def confidence(self, log_probability: float) -> float:
        """The confidence in a translation with this mean log-probability of a token."""
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, self.intercept + self.slope * log_probability))))


def mean_log_probability(score: float, tokens: int, length_penalty: float) -> float:
    """The mean log-probability of a token of a hypothesis with `tokens` tokens; its end counts as one more token.

    `score` is CTranslate2's: the sum of the log-probabilities / length ** length_penalty.
    """
    return score * (tokens + 1) ** (length_penalty - 1)


class OneDirection(Frozen):
    """What a manifest says about one direction of its model; each field is as in `Manifest`."""

    source_tokens_prefix: tuple[str, ...]
    clean_up: CleanUp
    calibration: Calibration | None = None
    scores: dict[str, Score] = {}


class Manifest(Frozen):
    """Everything that `serve` and a person who reads it need to know about a model."""

    format_version: Literal[1] = 1
    source_lang: str
    target_lang: str
    engine: Literal["ctranslate2"] = "ctranslate2"
    source_tokens_prefix: tuple[str, ...] = Field((), description="tokens put before every source sentence")
    placeholders: tuple[str, ...] = ()
    decoding: Decoding = Decoding()
    clean_up: CleanUp = CleanUp()
    hyperparameters: dict[str, Any] = {}
    corpus: dict[str, Any] = {}
    calibration: Calibration | None = Field(None, description="absent where the validation part was too small")
    scores: dict[str, Score] = {}
    reverse: OneDirection | None = Field(
        None, exclude_if=lambda value: value is None, description="the way back, of a model of both directions"
    )
    training: dict[str, Any] = {}
    files: dict[str, str] = Field({}, description="relative path to sha256, of every file but the manifest")

    @property
    def directions(self) -> tuple[Manifest, ...]:
        """A manifest for each direction of the model alone; the first is the default direction."""
        there = self.model_copy(update={"reverse": None})
        if self.reverse is None:
            return (there,)
        languages = {"source_lang": self.target_lang, "target_lang": self.source_lang}
        return there, there.model_copy(update={**dict(self.reverse), **languages})


@dataclass(frozen=True)
class Artifact:
    """A model directory that was opened and whose files are whole."""

    path: Path
    manifest: Manifest

    @property
    def tokenizer(self) -> Path:
        return self.path / TOKENIZER

    @property
    def ctranslate2(self) -> Path:
        return self.path / CTRANSLATE2

    @property
    def weights(self) -> Path:
        return self.path / WEIGHTS

    @property
    def saved_model(self) -> Path:
        return self.path / SAVED_MODEL


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_model(path: Path) -> Path:
    """`path` itself, or its one sub-folder that holds a manifest (a model.tar.gz with an extra top folder)."""
    if (path / MANIFEST).is_file():
        return path
    if not path.is_dir():
        raise ArtifactError(f"There is no model directory at {path}: mount one, or run `train` first.")
    nested = [child for child in sorted(path.iterdir()) if (child / MANIFEST).is_file()]
    if len(nested) == 1:
        return nested[0]
    raise ArtifactError(
        f"{path} holds no {MANIFEST}, so it is not a whole model directory: "
        "give the folder that `train` wrote, or train again."
    )


def read_manifest(path: Path) -> Manifest:
    """The manifest of the model directory `path`; `ArtifactError` when it is damaged or of another format."""
    file = path / MANIFEST
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise ArtifactError(
            f"{file} is damaged or of a format this image does not read ({where}: {first['msg']}): "
            "train again, or use the image that wrote it."
        ) from None


def open_artifact(path: Path, *, with_weights: bool = False, with_saved_model: bool = False) -> Artifact:
    """Open the model directory at `path` (or nested one level below) and check each file by its sha256.

    Only training needs `weights.safetensors` and only TensorFlow needs `saved_model/`: each may be absent (small
    published models leave the weights out) and is checked only when it is asked for.
    """
    root = find_model(path)
    manifest = read_manifest(root)
    if with_saved_model and f"{SAVED_MODEL}/saved_model.pb" not in manifest.files:
        raise ArtifactError(
            f"The model in {root} has no {SAVED_MODEL}, which the TensorFlow engine needs: "
            "train with saved_model=true, or serve with NMT_ENGINE=ctranslate2."
        )
    for name in (TOKENIZER, f"{CTRANSLATE2}/model.bin"):
        if name not in manifest.files:
            raise ArtifactError(f"{root / MANIFEST} does not list {name}: the model directory is damaged, train again.")
    for name, digest in manifest.files.items():
        if (name == WEIGHTS and not with_weights) or (name.startswith(SAVED_MODEL) and not with_saved_model):
            continue
        file = root / name
        if not file.resolve().is_relative_to(root.resolve()):
            raise ArtifactError(f"{root / MANIFEST} names {name}, which lies outside the model directory.")
        if not file.is_file():
            raise ArtifactError(f"{file} is missing from the model directory: copy the whole directory again.")
        if sha256_of(file) != digest:
            raise ArtifactError(f"{file} is damaged (its sha256 is not the manifest's): copy the directory again.")
    return Artifact(root, manifest)


@contextmanager
def staging(destination: Path) -> Iterator[Path]:
    """An empty folder beside the final files, to be filled and then published; it is removed in any case."""
    folder = destination / STAGING
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, destination: Path, manifest: Manifest) -> Artifact:
    """Move the staged files into `destination` and write the manifest last, so that no half model is ever there.

    `/opt/ml/model` is a mount point and cannot be renamed as a whole. So an old manifest is removed first and the new
    one is written last: there is never a manifest beside files of another model.
    """
    files = {str(file.relative_to(folder)): file for file in sorted(folder.rglob("*")) if file.is_file()}
    digests = {name: sha256_of(file) for name, file in files.items()}
    for file in files.values():
        _flush(file)
    (destination / MANIFEST).unlink(missing_ok=True)
    for entry in sorted(folder.iterdir()):
        target = destination / entry.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(entry, target)
    whole = manifest.model_copy(update={"files": digests})
    write_atomically(destination / MANIFEST, whole.model_dump_json(indent=2).encode() + b"\n")
    return Artifact(destination, whole)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` so that `path` holds either the old bytes or all new bytes, even after a crash."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    _flush(temporary)
    os.replace(temporary, path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
