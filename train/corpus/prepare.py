"""Stages 1 to 3 together: from the channels of the job to token ids. No TensorFlow here, so errors come at once.

A corpus of up to `IN_MEMORY` pairs is held in memory and prepared by this process alone. A larger one goes
through files in a scratch folder, on all cores; its parts, its fingerprint and its token ids are the same.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

import sentencepiece

from container.artifact import sha256_of, write_atomically
from container.errors import ChannelError, PlatformError
from container.paths import Paths
from container.text import clean, default_prefixes, load_prefixes
from train.corpus.batches import Encoded, encode, encode_files
from train.corpus.directions import Direction, directions
from train.corpus.formats import Pair, read_pairs
from train.corpus.large_corpus import clean_to_disk, split_on_disk
from train.corpus.pair_file import PairFile
from train.corpus.split import Corpus, clean_pairs, placeholder_copies, sample, split
from train.corpus.tokenizer import load_tokenizer, train_tokenizer
from train.corpus.workers import Workers, open_workers
from train.job import channels as input_channels
from train.job.channels import Channel
from train.job.hyperparameters import Hyperparameters
from train.job.rendezvous import Hosts

IN_MEMORY = 500_000  # pairs; about 1 kB of memory each
PAIRS_A_MESSAGE = 10_000  # between hosts
PAIRS_A_REPORT = 2_000_000

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prefixes:
    """Non-breaking prefixes of the two languages (Moses format)."""

    source: tuple[str, ...]
    target: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """Everything the loop needs: in memory, or for a large corpus in files of the scratch folder.

    `train` and `validation` hold their pairs in each of the job's `directions`.
    """

    corpus: Corpus
    prefixes: Prefixes
    tokenizer: sentencepiece.SentencePieceProcessor
    tokenizer_path: Path
    train: Encoded
    validation: Encoded

    @property
    def tokenizer_digest(self) -> str:
        return sha256_of(self.tokenizer_path)


def prepare(
    hp: Hyperparameters,
    paths: Paths,
    tokenizer_path: Path,
    hosts: Hosts,
    say: Say,
    *,
    scratch: Path,
    wants_stop: Callable[[], bool] = lambda: False,
    in_memory: int = IN_MEMORY,
) -> Prepared:
    """Read, clean, split and tokenise. A tokenizer that stands at `tokenizer_path` already is used as it is.

    All hosts of a job end up with the same pairs in the same parts, and with the chief's tokenizer. A corpus of more
    than `in_memory` pairs is put into `scratch`, which has to stay as long as what is returned is used; while that
    takes its time, `wants_stop` is asked, and `Stopped` raised when it says yes.
    """
    found = input_channels.read_channels(paths)
    prefixes = _prefixes(hp, found)
    reader = _Reader(hp, found, prefixes, hosts)
    records = reader.records("training", hp.train_file)
    few = list(islice(records, in_memory + 1))
    with ExitStack() as stack:
        workers: Workers | None = None
        if not reader.more_in_all("training", few, than=in_memory):
            corpus = reader.corpus_in_memory(few)
        else:
            stack.enter_context(_disk_of(scratch))
            workers = stack.enter_context(open_workers(wants_stop))
            say(f"more than {in_memory:,} pairs: {workers.count} processes prepare them, with files in {scratch}")
            records = _counted(chain(few, records), say)
            del few  # the chain lets go of them
            corpus = reader.corpus_on_disk(records, workers, scratch)
        _refuse_other_corpora(corpus, hosts)
        say(_in_words(corpus))
        copies = placeholder_copies(corpus.train, hp.seed)
        tokenizer = _tokenizer(hp, chain(corpus.train, copies), tokenizer_path, hosts, say)
        ways = directions(hp)
        if workers is None or not isinstance(corpus.train, PairFile):
            train, too_long = encode([*corpus.train, *copies], tokenizer, hp.max_len, ways)
        else:
            files = [corpus.train, PairFile.write(scratch / "copies.tsv", copies)]
            train, too_long = encode_files(files, tokenizer_path, hp.max_len, workers, scratch, ways)
    validation, _ = encode(corpus.validation, tokenizer, hp.max_len, ways)
    if not len(train):
        raise ChannelError(f"Every pair is longer than max_len={hp.max_len} tokens: give a larger max_len.")
    say(
        f"{len(train.source)} source and {len(train.target)} target tokens in {len(train)} pairs, placeholder copies "
        f"{_included(ways)}; {too_long} pairs longer than max_len={hp.max_len} left out"
    )
    return Prepared(corpus, prefixes, tokenizer, tokenizer_path, train, validation)


def _counted(records: Iterable[Pair], say: Say) -> Iterator[Pair]:
    for count, record in enumerate(records, start=1):
        if count % PAIRS_A_REPORT == 0:
            say(f"{count:,} pairs read")
        yield record


@contextmanager
def _disk_of(scratch: Path) -> Iterator[None]:
    """Says what to do when the scratch folder's disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise PlatformError(
            f"The disk of {scratch} is full: a large corpus needs up to four times its own size there; "
            "give the job a larger volume, or name a folder on a larger disk in the environment variable TMPDIR."
        ) from None


def _prefixes(hp: Hyperparameters, found: dict[str, Channel]) -> Prefixes:
    """Of each language: the file that a hyperparameter names, else one in the channel `prefixes`, else our own list."""
    training = input_channels.required(found, "training")

    def of(name: str | None, language: str) -> tuple[str, ...]:
        if name is not None:
            return load_prefixes(input_channels.find_file(training, name))
        for file in input_channels.files(found["prefixes"]) if "prefixes" in found else []:
            if file.name == f"{language}.txt" or file.suffix == f".{language}":
                return load_prefixes(file)
        return default_prefixes(language)

    return Prefixes(of(hp.non_breaking_in, hp.source_lang), of(hp.non_breaking_out, hp.target_lang))


class _Reader:
    """The job's channels as clean pairs in three parts."""

    def __init__(self, hp: Hyperparameters, found: dict[str, Channel], prefixes: Prefixes, hosts: Hosts) -> None:
        self._hp, self._found, self._hosts = hp, found, hosts
        self._cleaners = (
            partial(clean, clean_dots=hp.clean_dots, prefixes=prefixes.source),
            partial(clean, clean_dots=hp.clean_dots, prefixes=prefixes.target),
        )

    def records(self, name: str, train_file: str | None = None) -> Iterator[Pair]:
        hp = self._hp
        not_corpus = [file for file in (hp.non_breaking_in, hp.non_breaking_out) if file is not None]
        channel = self._found[name]
        return read_pairs(channel, hp.source_lang, hp.target_lang, train_file=train_file, exclude=not_corpus)

    def more_in_all(self, name: str, few: Sequence[Pair], *, than: int) -> bool:
        """Whether the hosts' parts of a sharded channel, or this host's whole one, hold more pairs than that."""
        if not self._found[name].sharded:
            return len(few) > than
        counts = self._hosts.gather(str(len(few)).encode())
        return int(self._hosts.broadcast(str(sum(map(int, counts))).encode())) > than

    def corpus_in_memory(self, records: Iterable[Pair]) -> Corpus:
        hp = self._hp
        training, dropped = self._cleaned("training", records)
        corpus = split(
            sample(training, hp.nsamples, hp.seed),
            validation_fraction=hp.validation_fraction,
            test_fraction=hp.test_fraction,
            validation=self._held_out("validation"),
            test=self._held_out("test"),
        )
        corpus.dropped.update(dropped)
        return corpus

    def corpus_on_disk(self, records: Iterable[Pair], workers: Workers, scratch: Path) -> Corpus:
        hp = self._hp
        if self._found["training"].sharded:
            records = _records_of_all_hosts(records, self._hosts)
        cleaned, keys, dropped = clean_to_disk(records, *self._cleaners, workers, scratch / "cleaned.tsv")
        corpus = split_on_disk(
            cleaned,
            keys,
            scratch / "train.tsv",
            nsamples=hp.nsamples,
            seed=hp.seed,
            validation_fraction=hp.validation_fraction,
            test_fraction=hp.test_fraction,
            validation=self._held_out("validation"),
            test=self._held_out("test"),
        )
        cleaned.path.unlink()
        corpus.dropped.update(dropped)
        return corpus

    def _held_out(self, name: str) -> list[Pair] | None:
        return self._cleaned(name, self.records(name))[0] if name in self._found else None

    def _cleaned(self, name: str, records: Iterable[Pair]) -> tuple[list[Pair], dict[str, int]]:
        pairs, dropped = clean_pairs(records, *self._cleaners)
        return (_of_all_hosts(pairs, self._hosts) if self._found[name].sharded else pairs), dropped


def _of_all_hosts(pairs: list[Pair], hosts: Hosts) -> list[Pair]:
    """The pairs of all hosts of a channel that S3 sharded. Sentences may repeat across hosts, and a split made on
    one host alone would leak; with everything everywhere the rest of the job does not know of the sharding."""
    lines = "".join(f"{source}\t{target}\n" for source, target in pairs)
    everything = hosts.broadcast(b"".join(hosts.gather(lines.encode())))
    split_lines = (line.split("\t") for line in everything.decode().split("\n")[:-1])
    return list(dict.fromkeys(Pair(source, target) for source, target in split_lines))


def _records_of_all_hosts(records: Iterable[Pair], hosts: Hosts) -> Iterator[Pair]:
    """The records of each host in turn, for all of them, a few at a time."""
    mine = iter(records)
    for rank in range(len(hosts.cluster.hosts)):
        while True:
            few = list(islice(mine, PAIRS_A_MESSAGE)) if rank == hosts.cluster.rank else []
            sent = hosts.gather(json.dumps(few).encode())
            shared = json.loads(hosts.broadcast(sent[rank] if sent else b""))
            if not shared:
                break
            yield from (Pair(source, target) for source, target in shared)


def _refuse_other_corpora(corpus: Corpus, hosts: Hosts) -> None:
    names = hosts.cluster.hosts
    seen = [fingerprint.decode() for fingerprint in hosts.gather(corpus.fingerprint.encode())]
    different = [host for host, fingerprint in zip(names, seen, strict=False) if fingerprint != seen[0]]
    if different:
        raise ChannelError(
            f"Host {', '.join(different)} got other training pairs than {names[0]}: "
            "give every host the whole channel (FullyReplicated), or shard it by ShardedByS3Key."
        )


def _tokenizer(
    hp: Hyperparameters, pairs: Iterable[Pair], path: Path, hosts: Hosts, say: Say
) -> sentencepiece.SentencePieceProcessor:
    path.parent.mkdir(parents=True, exist_ok=True)
    if hosts.cluster.is_chief and not path.is_file():
        texts = (text for pair in pairs for text in pair)
        languages = (hp.source_lang, hp.target_lang)
        size = train_tokenizer(texts, path, vocab_size=hp.vocab_size, languages=languages, vocab_type=hp.vocab_type)
        if size < hp.vocab_size:
            say(f"this corpus supports a vocabulary of {size} pieces; vocab_size={hp.vocab_size} was the upper bound")
        else:
            say(f"vocabulary of {size} pieces")
    chiefs = hosts.broadcast(path.read_bytes() if hosts.cluster.is_chief else b"")
    if not hosts.cluster.is_chief:
        write_atomically(path, chiefs)
    return load_tokenizer(path)


def _included(ways: Sequence[Direction]) -> str:
    return "and both directions included" if len(ways) > 1 else "included"


def _in_words(corpus: Corpus) -> str:
    words = {
        "empty": "empty",
        "repeated": "repeated",
        "tied_to_held_out": "sharing a sentence with a held-out channel",
    }
    dropped = ", ".join(f"{count} {words[name]}" for name, count in sorted(corpus.dropped.items()))
    return (
        f"{len(corpus.train)} pairs to train on, {len(corpus.validation)} to validate, {len(corpus.test)} to test; "
        f"left out: {dropped}"
    )


def copy_tokenizer(prepared: Prepared, destination: Path) -> None:
    shutil.copyfile(prepared.tokenizer_path, destination)
