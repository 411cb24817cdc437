"""From the channels of a job to token ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from container.errors import ChannelError, Stopped
from data.sample import read_part
from tests.conftest import Job
from train.corpus.batches import collate, plan_epoch
from train.corpus.formats import Pair
from train.corpus.pair_file import PairFile
from train.corpus.prepare import IN_MEMORY, Prepared, prepare
from train.job.cluster import SINGLE_HOST
from train.job.hyperparameters import parse
from train.job.rendezvous import SingleHost

Prepare = Callable[..., Prepared]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(job: Job, said: list[str], tmp_path: Path) -> Prepare:
    """Prepares the job's channels with the hyperparameters given."""

    def prepare_with(in_memory: int = IN_MEMORY, **hyperparameters: object) -> Prepared:
        hp = parse({"vocab_size": 500, **hyperparameters})
        tokenizer = job.paths.checkpoints / "tokenizer.model"
        return prepare(
            hp, job.paths, tokenizer, SingleHost(SINGLE_HOST), said.append, scratch=tmp_path, in_memory=in_memory
        )

    return prepare_with


def tsv(count: int = 100) -> str:
    pairs = list(read_part("train"))[:count]
    return "".join(f"{source}\t{target}\n" for source, target in pairs)


def test_the_log_says_what_there_is_and_what_was_left_out(job: Job, run: Prepare, said: list[str]) -> None:
    first, *rest = tsv().splitlines(keepends=True)
    job.channel("training", a__tsv="".join([first, *rest, first, "Nothing.\t \n"]))
    prepared = run(max_len=20, vocab_size=8000)
    corpus = prepared.corpus
    assert len(corpus.train) + len(corpus.validation) + len(corpus.test) == 100
    assert said[0] == (
        f"{len(corpus.train)} pairs to train on, {len(corpus.validation)} to validate, {len(corpus.test)} to test; "
        "left out: 1 empty, 1 repeated, 0 sharing a sentence with a held-out channel"
    )
    size = prepared.tokenizer.get_piece_size()
    assert said[1] == f"this corpus supports a vocabulary of {size} pieces; vocab_size=8000 was the upper bound"
    assert "pairs longer than max_len=20 left out" in said[2]
    assert prepared.train.source_lengths.max() <= 21


def test_crlf_and_a_byte_order_mark_change_nothing(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv())
    plain = run().corpus.fingerprint
    job.channel("training", a__tsv="\ufeff" + tsv().replace("\n", "\r\n"))
    assert run().corpus.fingerprint == plain


def test_channels_of_their_own_are_the_held_out_parts(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv() + "yes\tclaro\n")
    job.channel("test", a__tsv="Yes.\tSí.\n")
    job.channel("validation", a__tsv="No!\t¡No!\n")
    corpus = run().corpus
    assert (corpus.test, corpus.validation) == ([Pair("Yes.", "Sí.")], [Pair("No!", "¡No!")])
    assert corpus.dropped["tied_to_held_out"] == 1


def test_dots_are_cleaned_by_the_lists_of_the_channel(job: Job, run: Prepare) -> None:
    pairs = "Ask Xyz. Hill at 3.5 now.\tPregunta al Zyx. Hill a las 3.5 ya.\n"
    channel = job.channel("training", a__tsv=pairs + tsv(), en__txt="Xyz\n", es__txt="Zyx\n")
    prepared = run(clean_dots=True, train_file="a.tsv", non_breaking_in="en.txt", non_breaking_out="es.txt")
    assert Pair("Ask Xyz Hill at 35 now.", "Pregunta al Zyx Hill a las 35 ya.") in prepared.corpus.train
    assert prepared.prefixes.source == ("Xyz",)
    assert prepared.prefixes.target == ("Zyx",)
    without = run(non_breaking_in="en.txt", non_breaking_out="es.txt")
    assert Pair("Ask Xyz. Hill at 3.5 now.", "Pregunta al Zyx. Hill a las 3.5 ya.") in without.corpus.train
    assert (channel / "en.txt").is_file()


def test_nsamples_takes_so_many(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv(300))
    corpus = run(nsamples=50).corpus
    assert len(corpus.train) + len(corpus.validation) + len(corpus.test) == 50


def test_a_tokenizer_that_stands_there_already_is_used(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv())
    digest = run(vocab_size=450).tokenizer_digest
    assert run(vocab_size=500).tokenizer_digest == digest


def test_the_vocabulary_is_of_the_type_asked_for(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv())
    scores = {}
    for vocab_type in ("unigram", "bpe"):
        tokenizer = run(vocab_size=450, vocab_type=vocab_type).tokenizer
        scores[vocab_type] = [tokenizer.get_score(index) for index in range(400, 450)]
        (job.paths.checkpoints / "tokenizer.model").unlink()
    assert not all(map(float.is_integer, scores["unigram"]))  # log-probabilities
    assert all(map(float.is_integer, scores["bpe"]))  # ranks


def test_a_corpus_of_too_long_sentences_is_refused(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv())
    with pytest.raises(ChannelError, match="Every pair is longer than max_len=2 tokens"):
        run(max_len=2)


@pytest.mark.parametrize(
    "hyperparameters",
    [{}, {"nsamples": 150, "clean_dots": True, "max_len": 25}, {"direction": "both", "max_len": 12}],
)
@pytest.mark.parametrize("channels", [(), ("test",), ("test", "validation")])
def test_a_large_corpus_goes_through_files_and_comes_out_the_same(
    job: Job, run: Prepare, said: list[str], channels: tuple[str, ...], hyperparameters: dict[str, object]
) -> None:
    lines = tsv(400).splitlines(keepends=True)
    job.channel("training", a__tsv="".join([*lines, "Go!\tVe.\n", lines[3], "Nothing.\t\n", "A\u2028b.\tC\u00a0d.\n"]))
    for name, start in zip(channels, (0, 5), strict=False):
        job.channel(name, a__tsv="".join(lines[start : start + 10]))
    small, large = run(**hyperparameters), run(in_memory=100, **hyperparameters)
    assert isinstance(large.corpus.train, PairFile)
    assert list(large.corpus.train) == small.corpus.train
    assert large.corpus.train[2:5] == small.corpus.train[2:5]
    assert (large.corpus.test, large.corpus.validation) == (small.corpus.test, small.corpus.validation)
    assert large.corpus.dropped == small.corpus.dropped
    assert large.corpus.fingerprint == small.corpus.fingerprint
    assert large.tokenizer_digest == small.tokenizer_digest
    assert next(sentence for sentence in said if "tokens in" in sentence) == said[-1]  # as many were too long
    plans = [plan_epoch(it.train, epoch=1, seed=1, batch_tokens=128) for it in (small, large)]
    assert len(plans[0]) > 1
    for ours, theirs in zip(*plans, strict=True):
        one, other = collate(small.train, ours), collate(large.train, theirs)
        np.testing.assert_array_equal(one.source, other.source)
        np.testing.assert_array_equal(one.target, other.target)
        assert other.source.dtype == np.int32


def test_a_large_corpus_of_too_long_sentences_is_refused(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv())
    with pytest.raises(ChannelError, match="Every pair is longer than max_len=2 tokens"):
        run(max_len=2, in_memory=10)


def test_the_line_that_is_wrong_is_named_in_a_large_corpus_too(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv(100) + "no tab\n")
    with pytest.raises(ChannelError, match="line 101, has one column"):
        run(in_memory=10)


def test_a_large_corpus_is_left_when_the_job_is_told_to_stop(job: Job, tmp_path: Path) -> None:
    job.channel("training", a__tsv=tsv())
    tokenizer = job.paths.checkpoints / "tokenizer.model"
    with pytest.raises(Stopped, match="before the corpus was prepared"):
        prepare(
            parse({"vocab_size": 500}), job.paths, tokenizer, SingleHost(SINGLE_HOST), print,
            scratch=tmp_path, wants_stop=lambda: True, in_memory=10,
        )  # fmt: skip
