"""Stages 1 to 3 together: from the channels of the job to token ids. No TensorFlow here, so errors come at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sentencepiece

from container import channels as input_channels
from container.artifact import sha256_of
from container.channels import Channel
from container.errors import ChannelError
from container.hyperparameters import Hyperparameters
from container.paths import Paths
from container.text import clean, default_prefixes, load_prefixes
from train.batches import Encoded, encode
from train.corpus import Corpus, clean_pairs, sample, split, with_placeholders
from train.records import Pair, read_pairs
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


def prepare(hp: Hyperparameters, paths: Paths, tokenizer_path: Path, say: Say) -> Prepared:
    """Read, clean, split and tokenise. A tokenizer that stands at `tokenizer_path` already is used as it is."""
    found = input_channels.read_channels(paths)
    prefixes = _prefixes(hp, input_channels.required(found, "training"))
    corpus = _read_corpus(hp, found, prefixes)
    say(
        f"{len(corpus.train)} pairs to train on, {len(corpus.validation)} to validate, {len(corpus.test)} to test; "
        f"left out: {_in_words(corpus.dropped)}"
    )
    pairs = with_placeholders(corpus.train, hp.seed)
    tokenizer = _tokenizer(hp, pairs, tokenizer_path, say)
    train, too_long = encode(pairs, tokenizer, hp.max_len)
    validation, _ = encode(corpus.validation, tokenizer, hp.max_len)
    if not len(train):
        raise ChannelError(f"Every pair is longer than max_len={hp.max_len} tokens: give a larger max_len.")
    say(
        f"{len(train.source)} source and {len(train.target)} target tokens in {len(train)} pairs, placeholder copies "
        f"included; {too_long} pairs longer than max_len={hp.max_len} left out"
    )
    return Prepared(corpus, prefixes, tokenizer, tokenizer_path, train, validation)


def _prefixes(hp: Hyperparameters, channel: Channel) -> Prefixes:
    def of(name: str | None, language: str) -> tuple[str, ...]:
        return default_prefixes(language) if name is None else load_prefixes(input_channels.find_file(channel, name))

    return Prefixes(of(hp.non_breaking_in, hp.source_lang), of(hp.non_breaking_out, hp.target_lang))


def _read_corpus(hp: Hyperparameters, found: dict[str, Channel], prefixes: Prefixes) -> Corpus:
    clean_source = partial(clean, clean_dots=hp.clean_dots, prefixes=prefixes.source)
    clean_target = partial(clean, clean_dots=hp.clean_dots, prefixes=prefixes.target)
    not_corpus = [name for name in (hp.non_breaking_in, hp.non_breaking_out) if name is not None]

    def pairs_of(name: str, train_file: str | None = None) -> tuple[list[Pair], dict[str, int]]:
        records = read_pairs(found[name], hp.source_lang, hp.target_lang, train_file=train_file, exclude=not_corpus)
        return clean_pairs(records, clean_source, clean_target)

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


def _tokenizer(hp: Hyperparameters, pairs: list[Pair], path: Path, say: Say) -> sentencepiece.SentencePieceProcessor:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = (text for pair in pairs for text in pair)
        size = train_tokenizer(texts, path, vocab_size=hp.vocab_size, languages=(hp.source_lang, hp.target_lang))
        if size < hp.vocab_size:
            say(f"this corpus supports a vocabulary of {size} pieces; vocab_size={hp.vocab_size} was the upper bound")
        else:
            say(f"vocabulary of {size} pieces")
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
