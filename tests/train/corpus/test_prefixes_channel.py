"""Channels besides plain training data: lists of abbreviations, and a corpus that S3 dealt out to two hosts."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from itertools import islice
from pathlib import Path

import pytest

from container.artifact import open_artifact
from container.errors import PlatformError
from container.text import default_prefixes
from data.sample import read_part
from tests.conftest import TOY, Job
from tests.train.contexts import make_context
from train.__main__ import run_job
from train.corpus.pairs import Pair
from train.corpus.prepare import Prepared, prepare
from train.job.cluster import Cluster
from train.job.hyperparameters import parse, read
from train.job.rendezvous import Rendezvous

HOSTS = ("127.0.0.1", "127.0.0.2")
DOTTED = "Ask Xyz. Hill now.\tPregunta al Zyx. Hill ya.\n"
WITHOUT_DOTS = Pair("Ask Xyz Hill now.", "Pregunta al Zyx Hill ya.")


def tsv(start: int = 0, stop: int = 100) -> str:
    return "".join(f"{source}\t{target}\n" for source, target in islice(read_part("train"), start, stop))


def prepare_alone(job: Job, **hyperparameters: object) -> Prepared:
    hp = parse({"vocab_size": 500, **hyperparameters})
    tokenizer = job.paths.checkpoints / "tokenizer.model"
    return prepare(make_context(hp, job.paths, job.base), tokenizer)


def test_the_channels_lists_go_into_the_model_in_place_of_ours(job: Job) -> None:
    """The manifest has the source language's list, with which `serve` cleans as training did."""
    job.channel("training", pairs__tsv=DOTTED + tsv())
    job.channel("prefixes", en__txt="# of our field\nXyz\nAbc\n", es__txt="Zyx\n")
    job.configure({**TOY, "clean_dots": "true", "vocab_size": "500"})
    run_job(read(job.paths.hyperparameters), job.paths, threading.Event())
    clean_up = open_artifact(job.paths.model).manifest.clean_up
    assert clean_up.clean_dots
    assert set(clean_up.non_breaking_prefixes) == {"Xyz", "Abc"}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"en__txt": "Xyz\n", "es__txt": "Zyx\n"}, id="en.txt"),
        pytest.param({"nonbreaking_prefix__en": "Xyz\n", "nonbreaking_prefix__es": "Zyx\n"}, id="as Moses names them"),
    ],
)
def test_both_languages_lists_are_used(job: Job, files: Mapping[str, str]) -> None:
    job.channel("training", pairs__tsv=DOTTED + tsv())
    assert WITHOUT_DOTS not in prepare_alone(job, clean_dots=True, validation_fraction=0, test_fraction=0).corpus.train
    job.channel("prefixes", **files)
    prepared = prepare_alone(job, clean_dots=True, validation_fraction=0, test_fraction=0)
    assert (prepared.prefixes.source, prepared.prefixes.target) == (("Xyz",), ("Zyx",))
    assert WITHOUT_DOTS in prepared.corpus.train


def test_a_language_without_a_file_in_the_channel_keeps_our_list(job: Job) -> None:
    job.channel("training", pairs__tsv=tsv())
    job.channel("prefixes", es__txt="Zyx\n")
    prefixes = prepare_alone(job).prefixes
    assert prefixes.source == default_prefixes("en") != ()
    assert prefixes.target == ("Zyx",)


def test_a_file_that_a_hyperparameter_names_wins_over_the_channel(job: Job) -> None:
    job.channel("training", pairs__tsv=tsv(), mine__txt="Mine\n")
    job.channel("prefixes", en__txt="Xyz\n", es__txt="Zyx\n")
    prefixes = prepare_alone(job, non_breaking_in="mine.txt").prefixes
    assert (prefixes.source, prefixes.target) == (("Mine",), ("Zyx",))


# Two hosts, threads here, with folders of their own and a real connection.

PrepareBoth = Callable[[], "list[Future[Prepared]]"]


@pytest.fixture
def hosts(tmp_path: Path) -> list[Job]:
    return [Job(tmp_path / host) for host in HOSTS]


@pytest.fixture
def prepare_both(hosts: list[Job]) -> Iterator[PrepareBoth]:
    lost: queue.Queue[PlatformError] = queue.Queue()
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = int(probe.getsockname()[1])

    def prepare_one(rank: int) -> Prepared:
        met = Rendezvous(Cluster(HOSTS, HOSTS[rank], "lo"), lost.put, port=port, patience=20)
        hp, tokenizer = parse({"vocab_size": 400}), hosts[rank].paths.checkpoints / "tokenizer.model"
        return prepare(make_context(hp, hosts[rank].paths, hosts[rank].base, hosts=met), tokenizer)

    def start(rank: int) -> Future[Prepared]:
        future: Future[Prepared] = Future()

        def work() -> None:
            try:
                future.set_result(prepare_one(rank))
            except Exception as error:  # noqa: BLE001 - the test's thread raises it
                future.set_exception(error)

        # No pool: a host that waits for one which failed would keep the tests from ending.
        threading.Thread(target=work, daemon=True).start()
        return future

    yield lambda: [start(rank) for rank in range(2)]
    assert lost.empty()


def distribute(job: Job, distribution: str) -> None:
    config = {"training": {"TrainingInputMode": "File", "S3DistributionType": distribution}}
    job.paths.config.mkdir(parents=True, exist_ok=True)
    job.paths.input_data_config.write_text(json.dumps(config))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((tsv(0, 60), tsv(50, 150)), id="both got some, in part the same"),
        pytest.param((tsv(0, 150), None), id="the chief got all"),
        pytest.param((None, tsv(0, 150)), id="the chief got nothing"),
    ],
)
def test_what_s3_dealt_out_comes_together_again(
    job: Job, hosts: list[Job], prepare_both: PrepareBoth, parts: tuple[str | None, str | None]
) -> None:
    for host, part in zip(hosts, parts, strict=True):
        distribute(host, "ShardedByS3Key")
        if part is not None:
            host.channel("training", pairs__tsv=part)
    job.channel("training", pairs__tsv=tsv(0, 150))
    alone = prepare_alone(job, vocab_size=400)

    chief, other = (prepared.result(60) for prepared in prepare_both())
    for prepared in (chief, other):
        assert prepared.corpus.fingerprint == alone.corpus.fingerprint
        assert list(prepared.corpus.train) == list(chief.corpus.train)
        assert prepared.tokenizer_digest == chief.tokenizer_digest
        assert sum(map(len, (prepared.corpus.train, prepared.corpus.validation, prepared.corpus.test))) == 150


def test_a_replicated_channel_is_not_joined(job: Job, hosts: list[Job], prepare_both: PrepareBoth) -> None:
    for host in hosts:
        distribute(host, "FullyReplicated")
        host.channel("training", pairs__tsv=tsv())
    chief, other = (prepared.result(60) for prepared in prepare_both())
    assert list(chief.corpus.train) == list(other.corpus.train)
    assert (hosts[1].paths.checkpoints / "tokenizer.model").read_bytes() == chief.tokenizer_path.read_bytes()


def test_a_host_with_another_corpus_is_refused_by_name(hosts: list[Job]) -> None:
    """Two processes, as in a job: the chief says what is wrong, and the other one does not wait for ever."""
    for number, host in enumerate(hosts):
        distribute(host, "FullyReplicated")
        host.channel("training", pairs__tsv=tsv(0, 100 + number))
        config = {"current_host": HOSTS[number], "hosts": HOSTS, "network_interface_name": "lo"}
        host.paths.resource_config.write_text(json.dumps(config))
    chief, other = (host.start() for host in hosts)
    _, chief_errors = chief.communicate(timeout=300)
    _, other_errors = other.communicate(timeout=300)
    assert (chief.returncode, other.returncode) == (2, 4), chief_errors + other_errors
    reason = "Host 127.0.0.2 got other training pairs than 127.0.0.1: give every host the whole channel"
    assert reason in hosts[0].paths.failure.read_text()
    assert "Host 127.0.0.1 left the job before its end" in hosts[1].paths.failure.read_text()
