"""The corpus of the training benchmarks, cleaned, split and tokenised once for every trainer, as `train` does it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.training.task import Task
from container.paths import Paths
from data import sample
from train.corpus.encoding import encode
from train.corpus.pairs import Pair
from train.corpus.prepare import Prefixes, read_corpus
from train.corpus.split import Corpus
from train.corpus.tokenizer import load_tokenizer, pieces, train_tokenizer
from train.corpus.workers import Workers
from train.job.channels import Channel
from train.job.cluster import SINGLE_HOST
from train.job.context import JobContext
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.job.rendezvous import SingleHost

DEV_PAIRS = 200


def read_parts(path: Path | None) -> Corpus:
    """The leak-proof parts of a file of pairs, or of the embedded sample, as a job makes them."""
    hp = Hyperparameters(train_file=path.name if path else None)
    with tempfile.TemporaryDirectory() as name, Workers() as workers:
        scratch = Path(name)
        if path is None:
            sample.write_channels(scratch)
        training = Channel("training", path.parent if path else scratch / "training")
        job = JobContext(hp, Paths(scratch), SingleHost(SINGLE_HOST), Progress(hp), threading.Event(), scratch)
        corpus = read_corpus(job, {"training": training}, Prefixes(), workers)
        return replace(corpus, train=list(corpus.train))


def make_task(parts: Corpus, folder: Path) -> Task:
    """Write the files that `Task` describes into `folder`."""
    hp = Hyperparameters()
    tokenizer_path = folder / "tokenizer.model"
    texts = (text for pair in parts.train for text in pair)
    size = train_tokenizer(texts, tokenizer_path, vocab_size=hp.vocab_size, languages=("en", "es"))
    tokenizer = load_tokenizer(tokenizer_path)
    encoded, _ = encode(parts.train, tokenizer, hp.max_len)
    np.savez(folder / "ids.npz", allow_pickle=False, **{name: getattr(encoded, name) for name in Task.ARRAYS})
    write_parallel(folder / "train", parts.train)
    write_parallel(folder / "dev", parts.validation[:DEV_PAIRS])
    (folder / "vocabulary.txt").write_text("\n".join(pieces(tokenizer)) + "\n", encoding="utf-8")
    return Task(str(folder), size)


def write_parallel(stem: Path, pairs: Sequence[Pair]) -> None:
    """Write `stem`.en and `stem`.es, one sentence a line."""
    for suffix, texts in ((".en", [pair.source for pair in pairs]), (".es", [pair.target for pair in pairs])):
        Path(f"{stem}{suffix}").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


def write_channels(data: Path, parts: Corpus) -> None:
    """Write the parts as the channels of a training job into its folder `data`."""
    for name, part in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
        (data / name).mkdir(parents=True, exist_ok=True)
        (data / name / "pairs.tsv").write_bytes(b"".join(pair.line for pair in part))
