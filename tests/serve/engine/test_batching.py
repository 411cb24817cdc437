"""How sentences of several requests share the engine. A recording engine stands in: what is tested is the order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from container.artifact import Decoding
from container.errors import Overloaded
from serve.engine.batching import ENOUGH, Batcher, Work
from serve.engine.interface import WARM_UP, Hypothesis, Options, Source, TextRules, Translation, default_options
from serve.text.parameters import Parameters

PLAIN = default_options(Decoding())
SECONDS = 60.0


class Engine:
    """A `Predictor` that says what it got and waits for leave to go on. A word is a token."""

    rules = (TextRules(),)

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.started = threading.Semaphore(0)
        self.leave = threading.Semaphore(0)
        self.failing: Callable[[list[str]], bool] = lambda texts: False

    def prepare(self, texts: Sequence[str], target_lang: str | None = None) -> list[Source]:
        return [Source(tuple(text.split())) for text in texts]

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        texts = [" ".join(source.tokens) for source in sources]
        self.batches.append(texts)
        self.started.release()
        assert self.leave.acquire(timeout=SECONDS)
        if self.failing(texts):
            raise RuntimeError("the engine failed")
        found = options.num_hypotheses
        return [Translation((Hypothesis(f"{text}/{options.beam_size}", 0.0),) * found) for text in texts]

    def translate(self, texts: Sequence[str]) -> list[Translation]:
        return self.decode(self.prepare(texts), PLAIN)

    def wait_for_batch(self) -> list[str]:
        assert self.started.acquire(timeout=SECONDS)
        return self.batches[-1]

    def finish(self, batches: int = 1) -> None:
        self.leave.release(batches)


class Bench:
    """A batcher over the recording engine, and clients in threads of their own."""

    def __init__(self, threads: int = 1, batch_tokens: int = 4, max_waiting: int = 8, ahead: int = 0) -> None:
        self.engine = Engine()
        self.batcher = Batcher(self.engine, threads, batch_tokens, max_waiting, ahead=ahead)
        self.clients = ThreadPoolExecutor(32)

    def send(self, *texts: str, options: Options = PLAIN, again: bool = False) -> Future[list[str]]:
        """Translate `texts` as one request of its own; returns once its sentences are in the queue."""
        queued = threading.Event()

        def request() -> list[str]:
            answers = self.batcher.decode([Work(text, options) for text in texts], again=again)
            return [" ".join(each.text for each in answer.hypotheses) for answer in answers]

        submit = self.batcher._submit

        def noticed(*arguments: object) -> None:
            try:
                submit(*arguments)  # type: ignore[arg-type]
            finally:
                queued.set()

        self.batcher._submit = noticed  # type: ignore[method-assign,assignment]
        future = self.clients.submit(request)
        assert queued.wait(SECONDS)
        self.batcher._submit = submit  # type: ignore[method-assign]
        return future


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(**limits: int) -> Bench:
        made.append(Bench(**limits))
        return made[-1]

    yield make
    for each in made:
        each.engine.finish(1000)
        each.clients.shutdown(wait=True)
        each.batcher.close()


def test_a_lone_request_goes_at_once_and_the_rest_shares_the_next_batch(bench: Callable[..., Bench]) -> None:
    line = bench()
    first = line.send("a")
    assert line.engine.wait_for_batch() == ["a"]
    others = [line.send("b"), line.send("c"), line.send("d")]
    line.engine.finish()
    assert line.engine.wait_for_batch() == ["b", "c", "d"]
    line.engine.finish()
    assert [future.result(SECONDS) for future in (first, *others)] == [["a/4"], ["b/4"], ["c/4"], ["d/4"]]


def test_a_batch_keeps_to_the_token_budget_but_takes_one_long_sentence(bench: Callable[..., Bench]) -> None:
    line = bench(batch_tokens=4)
    request = line.send("1 2 3 4 5 6", "1 2", "1 2 3", "1")
    line.engine.finish(4)
    assert request.result(SECONDS) == ["1 2 3 4 5 6/4", "1 2/4", "1 2 3/4", "1/4"]
    assert line.engine.batches == [["1 2 3 4 5 6"], ["1 2 3"], ["1 2", "1"]]


def test_different_options_never_share_a_batch(bench: Callable[..., Bench]) -> None:
    line = bench()
    line.send("a")
    greedy = line.send("b", options=replace(PLAIN, beam_size=1))
    beam = line.send("c")
    line.engine.finish(3)
    assert (greedy.result(SECONDS), beam.result(SECONDS)) == (["b/1"], ["c/4"])
    assert line.engine.batches == [["a"], ["b"], ["c"]]


def test_scores_wanted_or_not_share_a_batch(bench: Callable[..., Bench]) -> None:
    line = bench()
    line.send("a")
    line.send("b", options=Parameters(return_scores=True).options(Decoding()))
    last = line.send("c")
    line.engine.finish(2)
    last.result(SECONDS)
    assert line.engine.batches == [["a"], ["b", "c"]]


def test_few_hypotheses_or_many_share_a_batch(bench: Callable[..., Bench]) -> None:
    line = bench(batch_tokens=8)
    line.send("a")
    wanted = {"b": 1, "c": 3, "d": 2, "e": 1}
    asked = [line.send(text, options=replace(PLAIN, num_hypotheses=number)) for text, number in wanted.items()]
    line.engine.finish(2)
    found = [answer for each in asked for answer in each.result(SECONDS)]
    assert found == [" ".join([f"{text}/4"] * number) for text, number in wanted.items()]
    assert line.engine.batches == [["a"], ["b", "c", "d", "e"]]


@pytest.mark.parametrize("costly", ["alternatives", "return_alignment"])
def test_hypotheses_that_cost_more_have_a_batch_of_their_own(costly: str) -> None:
    options = replace(PLAIN, **{costly: True})
    assert options.search != replace(options, num_hypotheses=2).search


def test_a_document_lets_others_pass(bench: Callable[..., Bench]) -> None:
    line = bench(batch_tokens=2, max_waiting=100)
    document = line.send(*["x"] * 20)
    short = line.send("short")
    line.engine.finish(3)  # what ran when it came, the document's turn, its own
    assert short.result(SECONDS) == ["short/4"]
    assert not document.done()
    line.engine.finish(20)
    assert document.result(SECONDS) == ["x/4"] * 20


def test_what_one_more_batch_ends_does_not_wait_for_the_others(bench: Callable[..., Bench]) -> None:
    line = bench(batch_tokens=4, max_waiting=100)
    line.send("a")
    first, second = line.send(*["x"] * 6), line.send(*["y"] * 6)
    line.engine.finish(3)
    assert first.result(SECONDS) == ["x/4"] * 6
    assert not second.done()
    line.engine.finish()
    assert second.result(SECONDS) == ["y/4"] * 6
    assert line.engine.batches == [["a"], ["x"] * 4, ["x", "x", "y", "y"], ["y"] * 4]


def test_who_needs_the_engine_again_does_not_queue_again(bench: Callable[..., Bench]) -> None:
    line = bench(batch_tokens=2, max_waiting=4)
    line.send("a")
    waiting = line.send("b", "b", "b", "b")
    again = line.send("c", "c", again=True)  # although the queue is full
    with pytest.raises(Overloaded):
        line.send("d").result(SECONDS)
    line.engine.finish(2)
    assert again.result(SECONDS) == ["c/4", "c/4"]
    line.engine.finish(2)
    assert waiting.result(SECONDS) == ["b/4"] * 4
    assert line.engine.batches == [["a"], ["c", "c"], ["b", "b"], ["b", "b"]]


def test_a_lone_request_of_many_sentences_uses_every_thread(bench: Callable[..., Bench]) -> None:
    line = bench(threads=2, batch_tokens=100)
    request = line.send("a", "b", "c", "d")
    line.engine.wait_for_batch()
    line.engine.wait_for_batch()
    assert [len(batch) for batch in line.engine.batches] == [2, 2]
    line.engine.finish(2)
    assert request.result(SECONDS) == ["a/4", "b/4", "c/4", "d/4"]


def test_a_small_batch_waits_for_company_beside_a_large_one(bench: Callable[..., Bench]) -> None:
    line = bench(threads=2, batch_tokens=100, max_waiting=100)
    document = line.send(*["x"] * 24)
    assert [len(line.engine.wait_for_batch()) for _ in range(2)] == [12, 12]
    line.engine.finish()
    others = [line.send("a") for _ in range(ENOUGH - 1)]
    assert line.batcher.waiting() == ENOUGH - 1  # a thread is free, or about to be
    others.append(line.send("a"))
    assert line.engine.wait_for_batch() == ["a"] * ENOUGH
    line.engine.finish(2)
    assert document.result(SECONDS) == ["x/4"] * 24
    assert [each.result(SECONDS) for each in others] == [["a/4"]] * ENOUGH


def test_beside_a_small_batch_as_many_are_enough(bench: Callable[..., Bench]) -> None:
    line = bench(threads=2)
    document = line.send("x", "x")
    line.engine.wait_for_batch()
    line.engine.wait_for_batch()
    line.engine.finish()
    alone = line.send("a")
    assert line.engine.wait_for_batch() == ["a"]
    line.engine.finish(2)
    assert (document.result(SECONDS), alone.result(SECONDS)) == (["x/4"] * 2, ["a/4"])


def test_a_small_batch_does_not_make_the_next_one_small(bench: Callable[..., Bench]) -> None:
    line = bench(threads=2, batch_tokens=100, max_waiting=100, ahead=1)
    first = line.send("a")
    assert line.engine.wait_for_batch() == ["a"]
    document = line.send(*["x"] * 10)
    assert line.engine.wait_for_batch() == ["x"] * 10
    others = [line.send("b") for _ in range(4)]
    assert line.batcher.waiting() == 4  # of 15 in three batches, a fair share is 5
    others.append(line.send("b"))
    assert line.engine.wait_for_batch() == ["b"] * 5
    line.engine.finish(3)
    assert (first.result(SECONDS), document.result(SECONDS)) == (["a/4"], ["x/4"] * 10)
    assert [each.result(SECONDS) for each in others] == [["b/4"]] * 5


def test_what_waits_for_company_goes_when_nothing_runs(bench: Callable[..., Bench]) -> None:
    line = bench(threads=2, batch_tokens=3)
    document = line.send(*["x"] * 6)
    line.engine.wait_for_batch()
    line.engine.wait_for_batch()
    line.engine.finish()
    alone = line.send("a")
    assert line.batcher.waiting() == 1
    line.engine.finish()
    assert line.engine.wait_for_batch() == ["a"]
    line.engine.finish()
    assert (document.result(SECONDS), alone.result(SECONDS)) == (["x/4"] * 6, ["a/4"])


def test_an_engine_that_queues_gets_its_next_batch_while_it_works(bench: Callable[..., Bench]) -> None:
    line = bench(ahead=1)
    first, second = line.send("a"), line.send("b")
    line.engine.wait_for_batch()
    assert line.engine.wait_for_batch() == ["b"]
    third = line.send("c")
    assert line.engine.batches == [["a"], ["b"]]
    line.engine.finish(3)
    assert [each.result(SECONDS) for each in (first, second, third)] == [["a/4"], ["b/4"], ["c/4"]]


def test_a_lone_request_is_cut_for_the_threads_not_for_the_queue(bench: Callable[..., Bench]) -> None:
    line = bench(threads=2, batch_tokens=100, ahead=1)
    request = line.send("a", "b", "c", "d")
    line.engine.finish(2)
    assert request.result(SECONDS) == ["a/4", "b/4", "c/4", "d/4"]
    assert [len(batch) for batch in line.engine.batches] == [2, 2]


def test_a_full_queue_refuses_but_takes_one_long_request_when_empty(bench: Callable[..., Bench]) -> None:
    line = bench(max_waiting=3)
    running = line.send("a")
    long = line.send(*["b"] * 10)  # nothing waits: taken although longer than the queue
    with pytest.raises(Overloaded):
        line.send("c").result(SECONDS)
    line.engine.finish(20)
    assert running.result(SECONDS) == ["a/4"]
    assert long.result(SECONDS) == ["b/4"] * 10


def test_empty_texts_need_no_engine(bench: Callable[..., Bench]) -> None:
    assert bench().send("", " ").result(SECONDS) == ["", ""]


def test_one_failed_batch_fails_its_requests_only(bench: Callable[..., Bench]) -> None:
    line = bench()
    line.engine.failing = lambda texts: "poison" in texts
    poisoned = line.send("poison", "x", "y", "z", "more")
    line.engine.finish(20)
    with pytest.raises(RuntimeError):
        poisoned.result(SECONDS)
    assert line.send("fine").result(SECONDS) == ["fine/4"]
    line.batcher.close()
    assert [WARM_UP] in line.engine.batches  # the engine was tried on a sentence known to work
    assert not line.batcher.broken


def test_an_engine_that_fails_on_everything_is_broken(bench: Callable[..., Bench]) -> None:
    line = bench()
    line.engine.failing = lambda texts: True
    request = line.send("a")
    line.engine.finish(20)
    with pytest.raises(RuntimeError):
        request.result(SECONDS)
    line.batcher.close()
    assert line.batcher.broken
