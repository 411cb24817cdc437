"""From the channels of a job to token ids."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

from container.errors import ChannelError, PlatformError, Stopped
from data.sample import read_part
from tests.conftest import Job
from tests.train.contexts import KeptProgress, make_context
from train.corpus.batches import collate, plan_epoch
from train.corpus.pairs import Pair, PairFile
from train.corpus.prepare import Prepared, prepare
from train.corpus.workers import SMALL
from train.job.hyperparameters import parse

Prepare = Callable[..., Prepared]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(job: Job, said: list[str], tmp_path: Path) -> Prepare:
    """Prepares the job's channels with the hyperparameters given; each time in a scratch folder of its own."""

    def prepare_with(small: int = SMALL, **hyperparameters: object) -> Prepared:
        hp = parse({"vocab_size": 500, **hyperparameters})
        progress = KeptProgress(hp)
        context = make_context(hp, job.paths, Path(mkdtemp(dir=tmp_path)), progress=progress)
        prepared = prepare(context, job.paths.checkpoints / "tokenizer.model", small=small)
        said.extend(progress.said)
        return prepared

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
@pytest.mark.parametrize("channels", [(), ("test", "validation")])
def test_other_processes_prepare_a_large_corpus_as_this_one_would(
    job: Job, run: Prepare, said: list[str], channels: tuple[str, ...], hyperparameters: dict[str, object]
) -> None:
    lines = tsv(400).splitlines(keepends=True)
    job.channel("training", a__tsv="".join([*lines, "Go!\tVe.\n", lines[3], "Nothing.\t\n", "A\u2028b.\tC\u00a0d.\n"]))
    for name, start in zip(channels, (0, 5), strict=False):
        job.channel(name, a__tsv="".join(lines[start : start + 10]))
    here, there = run(**hyperparameters), run(small=0, **hyperparameters)
    assert "processes prepare them" not in said[0] and "processes prepare them" in said[3]
    assert there.corpus.fingerprint == here.corpus.fingerprint
    assert there.corpus.dropped == here.corpus.dropped
    assert there.tokenizer_digest == here.tokenizer_digest
    assert said[2] == said[-1]  # as many tokens, and as many pairs too long
    for name in ("source", "source_ends", "target", "target_ends"):
        np.testing.assert_array_equal(getattr(there.train, name), getattr(here.train, name))


def test_the_training_part_lies_in_the_scratch_folder_and_reads_like_a_list(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv(400))
    prepared = run()
    train = prepared.corpus.train
    assert isinstance(train, PairFile)
    assert {path.name for path in train.path.parent.iterdir()} == {"train.pairs", "validation.pairs", "test.pairs"}
    batch = collate(prepared.train, plan_epoch(prepared.train, epoch=1, seed=1, batch_tokens=128)[0])
    assert batch.source.dtype == batch.target.dtype == np.int32


def test_a_large_corpus_of_too_long_sentences_is_refused(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv())
    with pytest.raises(ChannelError, match="Every pair is longer than max_len=2 tokens"):
        run(max_len=2, small=0)


def test_the_line_that_is_wrong_is_named_in_a_large_corpus_too(job: Job, run: Prepare) -> None:
    job.channel("training", a__tsv=tsv(100) + "no tab\n")
    with pytest.raises(ChannelError, match="line 101, has one column"):
        run(small=0)


def test_a_large_corpus_is_left_when_the_job_is_told_to_stop_and_a_small_one_is_prepared(
    job: Job, tmp_path: Path
) -> None:
    job.channel("training", a__tsv=tsv())
    context = make_context(parse({"vocab_size": 500}), job.paths, tmp_path)
    context.stop.set()
    assert len(prepare(context, tmp_path / "tokenizer.model").train)
    with pytest.raises(Stopped, match="before the corpus was prepared"):
        prepare(context, tmp_path / "tokenizer.model", small=0)


def test_a_full_disk_is_named(job: Job, run: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    job.channel("training", a__tsv=tsv())
    monkeypatch.setattr(PairFile, "select", fill)
    with pytest.raises(PlatformError, match=r"The disk of .* is full: a corpus needs up to four times its own size"):
        run()
