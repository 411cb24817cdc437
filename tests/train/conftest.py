"""Small real inputs for the tests of training: sentence pairs, a tokenizer, a prepared corpus, a trained model."""

from __future__ import annotations

import os

if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "torch":
    collect_ignore = ["backends/test_pytorch_noise.py"]  # which test_pytorch.py runs
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sentencepiece

from container.paths import Paths
from data.sample import read_part, write_channels
from tests.train.contexts import make_context, make_job
from train.corpus.pairs import Pair
from train.corpus.prepare import Prepared, prepare
from train.corpus.tokenizer import load_tokenizer, train_tokenizer
from train.job.cluster import SINGLE_HOST
from train.job.hyperparameters import Hyperparameters, parse
from train.job.log import start_logging
from train.model.trained import TrainedModel
from train.training.resume import Start

if TYPE_CHECKING:
    from train.backends.backend import Backend

start_logging()  # as `train.__main__.main` does, for tests that call something below it


@pytest.fixture(scope="session")
def pairs() -> list[Pair]:
    """300 pairs of the embedded sample."""
    return [Pair(*pair) for pair in islice(read_part("train"), 300)]


@pytest.fixture(scope="session")
def tokenizer_path(pairs: list[Pair], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    texts = (text for pair in pairs for text in pair)
    train_tokenizer(texts, path, vocab_size=500, languages=("en", "es"))
    return path


@pytest.fixture(scope="session")
def tokenizer(tokenizer_path: Path) -> sentencepiece.SentencePieceProcessor:
    """500 pieces, with the tags of English and Spanish."""
    return load_tokenizer(tokenizer_path)


@pytest.fixture(scope="session")
def hp() -> Hyperparameters:
    """The smallest model on 100 pairs, a metrics line for each update."""
    return parse(
        {
            **{"n_layers": 1, "d_model": 16, "n_heads": 2, "ffn_dim": 32, "vocab_size": 500},
            **{"nsamples": 100, "batch_size": 32, "epochs": 1, "log_every": 1, "precision": "float32"},
            "framework": "pytorch" if os.environ["KERAS_BACKEND"] == "torch" else "tensorflow",
        }
    )


@pytest.fixture(scope="session")
def prepared(hp: Hyperparameters, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The sample's channels (100 training pairs, the whole test part), tokenised."""
    paths = Paths(tmp_path_factory.mktemp("prepared") / "ml")
    write_channels(paths.data)
    tokenizer_path, scratch = paths.checkpoints / "tokenizer.model", tmp_path_factory.mktemp("scratch")
    return prepare(make_context(hp, paths, scratch), tokenizer_path)


@pytest.fixture(scope="session")
def backend(hp: Hyperparameters) -> Backend:
    from train.backends.choice import open_backend

    return open_backend(hp, SINGLE_HOST)  # this takes seconds, and half of the tests here do without


@pytest.fixture(scope="session")
def trained(
    prepared: Prepared, hp: Hyperparameters, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> TrainedModel:
    """A model after one epoch. Read it, do not change it."""
    from train.training.trainer import train_model

    folder = tmp_path_factory.mktemp("trained")
    start = Start(folder / "checkpoints", prepared.tokenizer_path)
    return train_model(make_job(hp, folder), prepared, start, backend)
