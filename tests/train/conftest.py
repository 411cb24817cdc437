"""Small real inputs for the training room: sentence pairs, a tokenizer, and a prepared corpus."""

from __future__ import annotations

import os

if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "torch":
    collect_ignore = ["backends/test_pytorch_noise.py"]  # which test_pytorch.py runs
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import io
import threading
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sentencepiece

from container.paths import Paths
from data.sample import read_part, write_channels
from train.corpus.pairs import Pair
from train.corpus.prepare import Prepared, prepare
from train.corpus.tokenizer import load_tokenizer, train_tokenizer
from train.job.cluster import SINGLE_HOST
from train.job.context import JobContext
from train.job.hyperparameters import Hyperparameters, parse
from train.job.progress import Progress
from train.job.rendezvous import Hosts, SingleHost

if TYPE_CHECKING:
    from train.training.trainer import Fitted


class KeptProgress(Progress):
    """Keeps the sentences of a job in the place of printing them."""

    def __init__(self, hp: Hyperparameters) -> None:
        super().__init__(hp, io.StringIO())
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def make_context(
    hp: Hyperparameters, paths: Paths, scratch: Path, *, hosts: Hosts | None = None, progress: Progress | None = None
) -> JobContext:
    """A job that nobody stops, on one host unless `hosts` are given; `progress` keeps what it says."""
    hosts, progress = hosts or SingleHost(SINGLE_HOST), progress or KeptProgress(hp)
    return JobContext(hp, paths, hosts, progress, threading.Event(), scratch)


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
def fitted(prepared: Prepared, hp: Hyperparameters, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A model after one epoch. Read it, do not change it."""
    from train.backends.backend import open_backend
    from train.training.trainer import fit  # takes seconds, and half of the tests here do without

    folder, alone = tmp_path_factory.mktemp("checkpoints"), SingleHost(SINGLE_HOST)
    progress, backend = Progress(hp, io.StringIO()), open_backend(hp, SINGLE_HOST)
    return fit(prepared, hp, folder, None, progress, threading.Event(), alone, backend)
