"""Stages 1 to 3 together: from the channels of the job to token ids. No TensorFlow here, so errors come at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sentencepiece

from container import channels as input_channels
from container.artifact import sha256_of, write_atomically
from container.channels import Channel
from container.errors import ChannelError
from container.hyperparameters import Hyperparameters
from container.paths import Paths
from container.text import clean, default_prefixes, load_prefixes
from train.batches import Encoded, encode
from train.corpus import Corpus, clean_pairs, sample, split, with_placeholders
from train.records import Pair, read_pairs
from train.rendezvous import Peers
from train.tokenizer import load_tokenizer, train_tokenizer

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prefixes:
    """Non-breaking prefixes of the two languages (Moses format)."""

    source: tuple[str, ...]
    target: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """Everything the loop needs, in memory."""

    corpus: Corpus
    prefixes: Prefixes
    tokenizer: sentencepiece.SentencePieceProcessor
    tokenizer_path: Path
    train: Encoded
    validation: Encoded

    @property
    def tokenizer_digest(self) -> str:
        return sha256_of(self.tokenizer_path)


def prepare(hp: Hyperparameters, paths: Paths, tokenizer_path: Path, peers: Peers, say: Say) -> Prepared:
    """Read, clean, split and tokenise. A tokenizer that stands at `tokenizer_path` already is used as it is.

    All hosts of a job end up with the same pairs in the same parts, and with the chief's tokenizer.
    """
    found = input_channels.read_channels(paths)
    prefixes = _prefixes(hp, found)
    corpus = _read_corpus(hp, found, prefixes, peers)
    _refuse_other_corpora(corpus, peers)
    say(
        f"{len(corpus.train)} pairs to train on, {len(corpus.validation)} to validate, {len(corpus.test)} to test; "
        f"left out: {_in_words(corpus.dropped)}"
    )
    pairs = with_placeholders(corpus.train, hp.seed)
    tokenizer = _tokenizer(hp, pairs, tokenizer_path, peers, say)
    train, too_long = encode(pairs, tokenizer, hp.max_len)
    validation, _ = encode(corpus.validation, tokenizer, hp.max_len)
    if not len(train):
        raise ChannelError(f"Every pair is longer than max_len={hp.max_len} tokens: give a larger max_len.")
    say(
        f"{len(train.source)} source and {len(train.target)} target tokens in {len(train)} pairs, placeholder copies "
        f"included; {too_long} pairs longer than max_len={hp.max_len} left out"
    )
    return Prepared(corpus, prefixes, tokenizer, tokenizer_path, train, validation)


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


def _read_corpus(hp: Hyperparameters, found: dict[str, Channel], prefixes: Prefixes, peers: Peers) -> Corpus:
    clean_source = partial(clean, clean_dots=hp.clean_dots, prefixes=prefixes.source)
    clean_target = partial(clean, clean_dots=hp.clean_dots, prefixes=prefixes.target)
    not_corpus = [name for name in (hp.non_breaking_in, hp.non_breaking_out) if name is not None]

    def pairs_of(name: str, train_file: str | None = None) -> tuple[list[Pair], dict[str, int]]:
        channel = found[name]
        records = read_pairs(channel, hp.source_lang, hp.target_lang, train_file=train_file, exclude=not_corpus)
        pairs, dropped = clean_pairs(records, clean_source, clean_target)
        return (_of_all_hosts(pairs, peers) if channel.sharded else pairs), dropped

    training, dropped = pairs_of("training", hp.train_file)
    held_out = {name: pairs_of(name)[0] if name in found else None for name in ("validation", "test")}
    corpus = split(
        sample(training, hp.nsamples, hp.seed),
        validation_fraction=hp.validation_fraction,
        test_fraction=hp.test_fraction,
        **held_out,
    )
    corpus.dropped.update(dropped)
    return corpus


def _of_all_hosts(pairs: list[Pair], peers: Peers) -> list[Pair]:
    """The pairs of all hosts of a channel that S3 sharded. Sentences may repeat across hosts, and a split made on
    one host alone would leak; with everything everywhere the rest of the job does not know of the sharding."""
    lines = "".join(f"{source}\t{target}\n" for source, target in pairs)
    everything = peers.share(b"".join(peers.gather(lines.encode())))
    split_lines = (line.split("\t") for line in everything.decode().split("\n")[:-1])
    return list(dict.fromkeys(Pair(source, target) for source, target in split_lines))


def _refuse_other_corpora(corpus: Corpus, peers: Peers) -> None:
    hosts = peers.cluster.hosts
    seen = [fingerprint.decode() for fingerprint in peers.gather(corpus.fingerprint.encode())]
    different = [host for host, fingerprint in zip(hosts, seen, strict=False) if fingerprint != seen[0]]
    if different:
        raise ChannelError(
            f"Host {', '.join(different)} got other training pairs than {hosts[0]}: "
            "give every host the whole channel (FullyReplicated), or shard it by ShardedByS3Key."
        )


def _tokenizer(
    hp: Hyperparameters, pairs: list[Pair], path: Path, peers: Peers, say: Say
) -> sentencepiece.SentencePieceProcessor:
    path.parent.mkdir(parents=True, exist_ok=True)
    if peers.cluster.is_chief and not path.is_file():
        texts = (text for pair in pairs for text in pair)
        size = train_tokenizer(texts, path, vocab_size=hp.vocab_size, languages=(hp.source_lang, hp.target_lang))
        if size < hp.vocab_size:
            say(f"this corpus supports a vocabulary of {size} pieces; vocab_size={hp.vocab_size} was the upper bound")
        else:
            say(f"vocabulary of {size} pieces")
    chiefs = peers.share(path.read_bytes() if peers.cluster.is_chief else b"")
    if not peers.cluster.is_chief:
        write_atomically(path, chiefs)
    return load_tokenizer(path)


def _in_words(dropped: dict[str, int]) -> str:
    words = {
        "empty": "empty",
        "repeated": "repeated",
        "tied_to_held_out": "sharing a sentence with a held-out channel",
    }
    return ", ".join(f"{count} {words[name]}" for name, count in sorted(dropped.items()))


def copy_tokenizer(prepared: Prepared, destination: Path) -> None:
    shutil.copyfile(prepared.tokenizer_path, destination)
