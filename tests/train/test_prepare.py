"""From the channels of a job to token ids."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from container.cluster import SINGLE_HOST
from container.errors import ChannelError
from container.hyperparameters import parse
from data.sample import read_part
from tests.conftest import Job
from train.prepare import Prepared, prepare
from train.records import Pair
from train.rendezvous import Alone

Prepare = Callable[..., Prepared]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(job: Job, said: list[str]) -> Prepare:
    """Prepares the job's channels with the hyperparameters given."""

    def prepare_with(**hyperparameters: object) -> Prepared:
        hp = parse({"vocab_size": 500, **hyperparameters})
        return prepare(hp, job.paths, job.paths.checkpoints / "tokenizer.model", Alone(SINGLE_HOST), said.append)

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


def test_a_corpus_of_too_long_sentences_is_refused(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv())
    with pytest.raises(ChannelError, match="Every pair is longer than max_len=2 tokens"):
        run(max_len=2)
