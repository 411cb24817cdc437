"""How long a job of so many pairs takes until its first batch is ready, and in how much memory.

    python -m benchmarks.corpus_scale --data PATH.tsv [--pairs 100000 1000000 10000000] [--scratch FOLDER]

Each corpus is made of the real pairs, numbered in words on both sides ("eight thousand two: Go."), so that its
connected components stay as small as the real ones. The stages are those of a job (`train.corpus.prepare`, then the
first epoch's plan and batch), in a fresh process for each size. Peak memory is that of all its processes
together: the sum of their proportional set sizes (PSS), looked at four times a second.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from container.paths import Paths
from train.corpus.batches import collate, plan_epoch
from train.corpus.prepare import prepare
from train.job.cluster import SINGLE_HOST
from train.job.hyperparameters import Hyperparameters
from train.job.rendezvous import SingleHost

ENGLISH = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
SPANISH = ["uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a TSV of sentence pairs to make larger ones of")
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
        peak = max(peak, sum(map(pss, family(process.pid or 0))))
        process.join(0.25)
    if process.exitcode:
        raise SystemExit(f"preparing {count} pairs failed with exit code {process.exitcode}")
    split, tokenizer, tokens, batch = json.loads((folder / "seconds.json").read_text())
    seconds = f"{split:.1f} | {tokenizer - split:.1f} | {tokens - tokenizer:.1f} | {batch:.1f}"
    return f"| {count:,} | {seconds} | {peak / 1e6:,.0f} |"


def make_corpus(data: Path, destination: Path, count: int) -> None:
    """`count` pairs: those of `data` as they are, then again and again with a number in words in front."""
    pairs = [line.split("\t")[:2] for line in data.read_text(encoding="utf-8").splitlines() if "\t" in line]
    with destination.open("w", encoding="utf-8") as out:
        for number, (source, target) in enumerate(islice(cycle(pairs), count)):
            copy = number // len(pairs)
            english, spanish = (words_of(copy, names) for names in (ENGLISH, SPANISH))
            out.write(f"{english}{source}\t{spanish}{target}\n")


def words_of(copy: int, names: list[str]) -> str:
    """Copy 0 is the corpus itself; every other has its number in digits to the base of twelve, as words."""
    words = []
    while copy:
        copy, digit = divmod(copy, len(names))
        words.append(names[digit])
    return f"{' '.join(reversed(words))}: " if words else ""


def prepare_as_a_job(folder: Path) -> None:
    """The real stages; the seconds until each of four moments go to a file."""
    paths, hp, began = Paths(folder), Hyperparameters(), time.monotonic()
    heard: list[tuple[float, str]] = []
    scratch = folder / "scratch"
    scratch.mkdir()
    tokenizer = paths.checkpoints / "tokenizer.model"

    def hear(sentence: str) -> None:
        heard.append((time.monotonic() - began, sentence))

    prepared = prepare(hp, paths, tokenizer, SingleHost(SINGLE_HOST), hear, scratch=scratch)
    plan = plan_epoch(prepared.train, epoch=0, seed=hp.seed, batch_tokens=hp.batch_tokens)
    collate(prepared.train, plan[0])
    ready = time.monotonic() - began
    moments = [next(at for at, sentence in heard if words in sentence) for words in ("to train on", "vocabulary")]
    tokenised = next(at for at, sentence in heard if "source and" in sentence)
    (folder / "seconds.json").write_text(json.dumps([*moments, tokenised, ready]))


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    try:
        threads = [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]
        children = [
            child for thread in threads for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        ]
    except OSError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def pss(pid: int) -> int:
    """Bytes of memory of a process, its share of what it shares with others; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
