"""Which checkpoint may be continued, and by which run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from container.errors import HyperparameterError
from tests.train.contexts import make_job
from train.corpus.batches import Cursor
from train.corpus.prepare import Prepared
from train.corpus.split import CORPUS_VERSION
from train.job.hyperparameters import Hyperparameters
from train.training.checkpoints import Checkpoint, CheckpointManager
from train.training.resume import FREE, find_start, refuse_other_run, run_identity


def checkpoint_of(prepared: Prepared, hp: Hyperparameters) -> Checkpoint:
    identity = run_identity(prepared, hp) | {"precision": "float32", "warmup": 1}
    return Checkpoint(Path("checkpoint-000000001.safetensors"), Cursor(1), identity, history=[], tensors={})


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 50, "max_minutes": 3.5, "resume": False},
        {"log_every": 7, "checkpoint_seconds": 1.5},
        {"beam_size": 1, "length_penalty": 0.5, "quantization": "float32", "preset": "fast"},
    ],
)
def test_what_extends_reports_or_decodes_may_change(
    prepared: Prepared, hp: Hyperparameters, changes: dict[str, object]
) -> None:
    assert changes.keys() <= FREE <= Hyperparameters.model_fields.keys()
    refuse_other_run(checkpoint_of(prepared, hp), run_identity(prepared, hp.model_copy(update=changes)))


def test_every_difference_is_named(prepared: Prepared, hp: Hyperparameters, tmp_path: Path) -> None:
    other_tokenizer = tmp_path / "tokenizer.model"
    other_tokenizer.write_text("another")
    other = replace(
        prepared, corpus=replace(prepared.corpus, train=prepared.corpus.train[1:]), tokenizer_path=other_tokenizer
    )
    changed = hp.model_copy(update={"d_model": 32, "dropout_rate": 0.3, "source_lang": "de"})
    with pytest.raises(HyperparameterError) as caught:
        refuse_other_run(checkpoint_of(prepared, hp), run_identity(other, changed))
    assert str(caught.value) == (
        "The checkpoint checkpoint-000000001.safetensors belongs to another run (d_model was 16 and is 32; "
        "dropout_rate was 0.1 and is 0.3; source_lang was 'en' and is 'de'; the corpus has changed; "
        "the tokenizer has changed): put these back, or set resume=false to start afresh."
    )


@pytest.mark.parametrize(
    ("name", "was", "other"),
    [
        ("direction", "forward", "both"),
        ("vocab_type", "unigram", "bpe"),
        ("word_dropout", 0.0, 0.1),
    ],
)
def test_a_checkpoint_from_before_there_was_a_choice_goes_on_as_it_was(
    prepared: Prepared, hp: Hyperparameters, name: str, was: object, other: object
) -> None:
    older = checkpoint_of(prepared, hp)
    older.run["hyperparameters"].pop(name)
    refuse_other_run(older, run_identity(prepared, hp))
    with pytest.raises(HyperparameterError, match=rf"\({name} was {was!r} and is {other!r}\): put these back"):
        refuse_other_run(older, run_identity(prepared, hp.model_copy(update={name: other})))


@pytest.mark.parametrize("name", sorted(Hyperparameters.model_fields.keys() - FREE))
def test_whatever_shapes_the_run_may_not_change(prepared: Prepared, hp: Hyperparameters, name: str) -> None:
    now = run_identity(prepared, hp)
    now["hyperparameters"] = now["hyperparameters"] | {name: "another"}
    with pytest.raises(HyperparameterError, match=rf"\({name} was .* and is 'another'\)"):
        refuse_other_run(checkpoint_of(prepared, hp), now)


# Versions of the corpus


@pytest.mark.parametrize("run", [{"corpus_version": CORPUS_VERSION - 1}, {"corpus_version": CORPUS_VERSION + 1}, {}])
def test_a_checkpoint_of_another_corpus_version_is_refused_by_name(
    run: dict[str, int], hp: Hyperparameters, tmp_path: Path
) -> None:
    """Before the corpus is read: there is none here."""
    job = make_job(hp, tmp_path)
    checkpoints = CheckpointManager(job.paths.checkpoints, run)
    checkpoints.save(lambda: {"weights/kernel": np.zeros(3, np.float32)}, Cursor(1))
    with pytest.raises(HyperparameterError) as caught:
        find_start(job)
    path, version = job.paths.checkpoints / "checkpoint-000000001.safetensors", run.get("corpus_version", 1)
    assert str(caught.value) == (
        f"The corpus of the checkpoint {path} was prepared by another version of this image (corpus version "
        f"{version}, and this image has {CORPUS_VERSION}): set resume=false to start afresh, or finish the job with "
        "the image that began it."
    )
    assert checkpoints.newest() is not None


def test_without_resume_it_is_removed(hp: Hyperparameters, tmp_path: Path) -> None:
    job = make_job(hp.model_copy(update={"resume": False}), tmp_path)
    checkpoints = CheckpointManager(job.paths.checkpoints)
    checkpoints.save(lambda: {"weights/kernel": np.zeros(3, np.float32)}, Cursor(1))
    assert find_start(job).origin is None
    assert checkpoints.newest() is None


def test_a_checkpoint_names_the_version_of_its_corpus(prepared: Prepared, hp: Hyperparameters, tmp_path: Path) -> None:
    job = make_job(hp, tmp_path)
    CheckpointManager(job.paths.checkpoints, run_identity(prepared, hp)).save(
        lambda: {"weights/kernel": np.zeros(3, np.float32)}, Cursor(1)
    )
    start = find_start(job)
    assert isinstance(start.origin, Checkpoint) and start.origin.run["corpus_version"] == CORPUS_VERSION
