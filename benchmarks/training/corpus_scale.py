"""How long a job takes until its first batch is ready, and how much memory, for corpora of several sizes.

    python -m benchmarks.training.corpus_scale --data PATH.tsv [--pairs 100000 1000000 10000000] [--scratch FOLDER]

Each corpus repeats the real pairs and puts a number in words in front of both sides ("eight two: Go."), so that its
connected components stay as small as the real ones. The stages are those of a job (`train.corpus.prepare`, then the
plan and the first batch of the first epoch). Each size runs in a new process. Peak memory is the sum over all its
processes of their proportional set sizes (PSS), read four times a second.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import threading
import time
from itertools import cycle, islice
from pathlib import Path

from benchmarks.processes import memory_of
from container.paths import Paths
from train.corpus.batches import collate, plan_epoch
from train.corpus.prepare import prepare
from train.job.cluster import SINGLE_HOST
from train.job.context import JobContext
from train.job.hyperparameters import Hyperparameters
from train.job.progress import Progress
from train.job.rendezvous import SingleHost

ENGLISH = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
SPANISH = ["uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a TSV of sentence pairs to repeat")
    parser.add_argument("--pairs", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    print(
        "| pairs | read, clean, split: s | tokenizer: s | tokenise: s | first batch ready after: s | peak memory: MB |"
    )
    print("|---|---|---|---|---|---|")
    for count in given.pairs:
        with tempfile.TemporaryDirectory(dir=given.scratch) as folder:
            print(measured(count, given.data, Path(folder)), flush=True)


def measured(count: int, data: Path, folder: Path) -> str:
    """One row of the table."""
    paths = Paths(folder)
    (paths.data / "training").mkdir(parents=True)
    make_corpus(data, paths.data / "training" / "pairs.tsv", count)
    process = multiprocessing.get_context("spawn").Process(target=prepare_as_a_job, args=(folder,))
    process.start()
    peak = 0
    while process.is_alive():
        peak = max(peak, memory_of(process.pid or 0))
        process.join(0.25)
    if process.exitcode:
        raise SystemExit(f"preparing {count} pairs failed with exit code {process.exitcode}")
    split, tokenizer, tokens, batch = json.loads((folder / "seconds.json").read_text())
    seconds = f"{split:.1f} | {tokenizer - split:.1f} | {tokens - tokenizer:.1f} | {batch:.1f}"
    return f"| {count:,} | {seconds} | {peak / 1e6:,.0f} |"


def make_corpus(data: Path, destination: Path, count: int) -> None:
    """Write `count` pairs: those of `data`, then the same pairs again with a number in words in front."""
    pairs = [line.split("\t")[:2] for line in data.read_text(encoding="utf-8").splitlines() if "\t" in line]
    with destination.open("w", encoding="utf-8") as out:
        for number, (source, target) in enumerate(islice(cycle(pairs), count)):
            copy = number // len(pairs)
            english, spanish = (words_of(copy, names) for names in (ENGLISH, SPANISH))
            out.write(f"{english}{source}\t{spanish}{target}\n")


def words_of(copy: int, names: list[str]) -> str:
    """The number of a copy as words, one for each of its digits in base 12; nothing for copy 0, the corpus itself."""
    words = []
    while copy:
        copy, digit = divmod(copy, len(names))
        words.append(names[digit])
    return f"{' '.join(reversed(words))}: " if words else ""


def prepare_as_a_job(folder: Path) -> None:
    """Run the stages of a job; write the seconds until the end of each to `seconds.json`."""
    paths, hp, began = Paths(folder), Hyperparameters(), time.monotonic()
    heard: list[tuple[float, str]] = []
    scratch = folder / "scratch"
    scratch.mkdir()

    class Heard(Progress):
        def say(self, sentence: str) -> None:
            heard.append((time.monotonic() - began, sentence))

    job = JobContext(hp, paths, SingleHost(SINGLE_HOST), Heard(hp), threading.Event(), scratch)
    prepared = prepare(job, paths.checkpoints / "tokenizer.model")
    plan = plan_epoch(prepared.train, epoch=0, seed=hp.seed, batch_tokens=hp.batch_tokens)
    collate(prepared.train, plan[0])
    ready = time.monotonic() - began
    moments = [next(at for at, sentence in heard if words in sentence) for words in ("to train on", "vocabulary")]
    tokenised = next(at for at, sentence in heard if "source and" in sentence)
    (folder / "seconds.json").write_text(json.dumps([*moments, tokenised, ready]))


if __name__ == "__main__":
    main()
