"""From the channels of a job to token ids: read, clean, split, learn the vocabulary, encode.

Corpora of all sizes take the same path, through files in the job's scratch folder. The work on a small one is done in
this process, the work on a large one on all cores (`train.corpus.workers`). No framework is imported here, so the user
hears of an error in the input at once.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

import sentencepiece

from container.artifact import sha256_of, write_atomically
from container.errors import ChannelError, PlatformError
from container.text import clean, default_prefixes, load_prefixes
from train.corpus.augmentation import placeholder_copies
from train.corpus.cleaning import CleanPairs, clean_pairs
from train.corpus.directions import directions
from train.corpus.encoding import Encoded, encode
from train.corpus.formats import read_pairs
from train.corpus.pairs import Pair
from train.corpus.split import Corpus, Part, split
from train.corpus.tokenizer import load_tokenizer, train_tokenizer
from train.corpus.workers import SMALL, Workers
from train.job.channels import Channel, files, find_file, read_channels, required
from train.job.context import JobContext
from train.job.hyperparameters import Hyperparameters
from train.job.rendezvous import Hosts

PAIRS_A_MESSAGE = 10_000  # between hosts
PAIRS_A_REPORT = 2_000_000


@dataclass(frozen=True)
class Prefixes:
    """Non-breaking prefixes of the two languages (Moses format)."""

    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """Everything the training loop needs. `train` and `validation` hold their pairs in each of the job's directions."""

    corpus: Corpus
    prefixes: Prefixes
    tokenizer: sentencepiece.SentencePieceProcessor
    tokenizer_path: Path
    train: Encoded
    validation: Encoded

    @property
    def tokenizer_digest(self) -> str:
        return sha256_of(self.tokenizer_path)


def prepare(job: JobContext, tokenizer_path: Path, *, small: int = SMALL) -> Prepared:
    """Read, clean, split and tokenise. A tokenizer that stands at `tokenizer_path` already is used as it is.

    All hosts of a job end up with the same pairs in the same parts, and with the chief's tokenizer. What is returned
    reads files in `job.scratch`. Up to `small` blocks of pairs are prepared in this process. `ChannelError` when the
    input is no corpus, `PlatformError` when memory or disk are full, `Stopped` when the job is told to stop while
    other processes work.
    """
    hp, say = job.hyperparameters, job.progress.say
    channels = read_channels(job.paths)
    prefixes = find_prefixes(hp, channels)
    with _explain_full_disk(job.scratch), Workers(job.stop.is_set, say, small) as workers:
        corpus = read_corpus(job, channels, prefixes, workers)
        _refuse_other_corpora(corpus, job.hosts)
        say(_describe(corpus))
        copies = placeholder_copies(corpus.train, hp.seed)
        tokenizer = _share_tokenizer(job, chain(corpus.train, copies), tokenizer_path)
        ways = directions(hp)
        encode_part = partial(
            encode, tokenizer=tokenizer, max_len=hp.max_len, directions=ways, workers=workers, folder=job.scratch
        )
        train, too_long = encode_part(corpus.train, copies=copies)
        validation, _ = encode_part(corpus.validation)
    if not len(train):
        raise ChannelError(f"Every pair is longer than max_len={hp.max_len} tokens: give a larger max_len.")
    included = "and both directions included" if len(ways) > 1 else "included"
    say(
        f"{len(train.source)} source and {len(train.target)} target tokens in {len(train)} pairs, placeholder copies "
        f"{included}; {too_long} pairs longer than max_len={hp.max_len} left out"
    )
    return Prepared(corpus, prefixes, tokenizer, tokenizer_path, train, validation)


def read_corpus(job: JobContext, channels: Mapping[str, Channel], prefixes: Prefixes, workers: Workers) -> Corpus:
    """The clean pairs of the channels `training`, and `validation` and `test` where there are such, in three parts.

    Of a channel that S3 sharded, every host reads what all hosts got: sentences may repeat across hosts, so a split
    made by one host alone would leak.
    """
    hp = job.hyperparameters
    not_corpus = [file for file in (hp.non_breaking_in, hp.non_breaking_out) if file is not None]
    cleaners = (
        partial(clean, clean_dots=hp.clean_dots, prefixes=prefixes.source),
        partial(clean, clean_dots=hp.clean_dots, prefixes=prefixes.target),
    )

    def clean_channel(name: str, train_file: str | None = None) -> CleanPairs:
        channel = required(channels, name)
        records = read_pairs(channel, hp.source_lang, hp.target_lang, train_file=train_file, exclude=not_corpus)
        if channel.sharded:
            records = _share_records(records, job.hosts)
        return clean_pairs(_report(records, job), cleaners, job.scratch / f"{name}.cleaned", workers)

    training = clean_channel("training", hp.train_file)
    names = {part: part.name.lower() for part in (Part.VALIDATION, Part.TEST)}
    held_out = {part: clean_channel(name) for part, name in names.items() if name in channels}
    corpus = split(training, held_out, hp, job.scratch)
    training.pairs.path.unlink()
    return corpus


def _share_records(records: Iterable[Pair], hosts: Hosts) -> Iterator[Pair]:
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


def _report(records: Iterable[Pair], job: JobContext) -> Iterator[Pair]:
    for count, record in enumerate(records, start=1):
        if count % PAIRS_A_REPORT == 0:
            job.progress.say(f"{count:,} pairs read")
        yield record


@contextmanager
def _explain_full_disk(scratch: Path) -> Iterator[None]:
    """`PlatformError` that says what to do when the scratch folder's disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise PlatformError(
            f"The disk of {scratch} is full: a corpus needs up to four times its own size there; "
            "give the job a larger volume, or name a folder on a larger disk in the environment variable TMPDIR."
        ) from None


def find_prefixes(hp: Hyperparameters, channels: Mapping[str, Channel]) -> Prefixes:
    """Of each language: the file that a hyperparameter names, else one in the channel `prefixes`, else our own list."""
    training = required(channels, "training")

    def find(name: str | None, language: str) -> tuple[str, ...]:
        if name is not None:
            return load_prefixes(find_file(training, name))
        for file in files(channels["prefixes"]) if "prefixes" in channels else []:
            if file.name == f"{language}.txt" or file.suffix == f".{language}":
                return load_prefixes(file)
        return default_prefixes(language)

    return Prefixes(find(hp.non_breaking_in, hp.source_lang), find(hp.non_breaking_out, hp.target_lang))


def _refuse_other_corpora(corpus: Corpus, hosts: Hosts) -> None:
    names = hosts.cluster.hosts
    seen = [fingerprint.decode() for fingerprint in hosts.gather(corpus.fingerprint.encode())]
    different = [host for host, fingerprint in zip(names, seen, strict=False) if fingerprint != seen[0]]
    if different:
        raise ChannelError(
            f"Host {', '.join(different)} got other training pairs than {names[0]}: "
            "give every host the whole channel (FullyReplicated), or shard it by ShardedByS3Key."
        )


def _share_tokenizer(job: JobContext, pairs: Iterable[Pair], path: Path) -> sentencepiece.SentencePieceProcessor:
    """The tokenizer at the chief's `path`, trained when there is none, and copied to the `path` of every other host."""
    hp, say = job.hyperparameters, job.progress.say
    path.parent.mkdir(parents=True, exist_ok=True)
    if job.is_chief and not path.is_file():
        texts = (text for pair in pairs for text in pair)
        languages = (hp.source_lang, hp.target_lang)
        size = train_tokenizer(texts, path, vocab_size=hp.vocab_size, languages=languages, vocab_type=hp.vocab_type)
        if size < hp.vocab_size:
            say(f"this corpus supports a vocabulary of {size} pieces; vocab_size={hp.vocab_size} was the upper bound")
        else:
            say(f"vocabulary of {size} pieces")
    chiefs = job.hosts.broadcast(path.read_bytes() if job.is_chief else b"")
    if not job.is_chief:
        write_atomically(path, chiefs)
    return load_tokenizer(path)


def _describe(corpus: Corpus) -> str:
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
