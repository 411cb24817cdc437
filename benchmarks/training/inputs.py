"""The corpus of the training benchmarks, cleaned, split and tokenised once for every trainer, as `train` does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.training.task import Task
from container.text import clean
from data.sample import read_part
from train.corpus.batches import encode
from train.corpus.formats import Pair
from train.corpus.split import Corpus, clean_pairs, split
from train.corpus.tokenizer import load_tokenizer, pieces, train_tokenizer
from train.job.hyperparameters import Hyperparameters

DEV_PAIRS = 200


def read_parts(path: Path | None) -> Corpus:
    """The leak-proof parts of a TSV file of pairs, or of the embedded sample."""
    hp = Hyperparameters()
    pairs, _ = clean_pairs(_rows(path), clean, clean)
    return split(pairs, validation_fraction=hp.validation_fraction, test_fraction=hp.test_fraction)


def _rows(path: Path | None) -> Iterable[tuple[str, str]]:
    if path is None:
        yield from read_part("train")
        return
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        source, target, *_ = line.split("\t")
        yield source, target


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
        lines = "".join(f"{pair.source}\t{pair.target}\n" for pair in part)
        (data / name / "pairs.tsv").write_text(lines, encoding="utf-8")
