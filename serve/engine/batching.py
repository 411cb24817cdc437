"""Requests in flight share batches: what waits while the engine works goes through it together.

There is no timer: a batch wait of nothing. A lone request on an idle server is dispatched at once; while the engine
works, sentences wait until they are worth a batch, and a free thread takes as many as the token budget allows. A
document gives one batch, then the requests behind it have their turn, so it never starves short ones; what one more
batch would end is ended first, for two requests in turn would both be done as late as the second.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue

from container.artifact import Decoding
from container.errors import Overloaded, UserError
from serve.engine.interface import EMPTY, WARM_UP, Predictor, Source, TextRules, Translation, rules_for
from serve.metrics import Metrics
from serve.web.parameters import Options, Parameters

ENOUGH = 8  # sentences: a batch that is worth its start beside any other (benchmarks/RESULTS.md)


@dataclass(frozen=True)
class Item:
    """One text of a request with the parameters that hold for it.

    opening: what the translation must begin with in the place of `parameters.prefix`; it may hold placeholders.
    alternatives: how many translations that part behind the opening are wanted, in the place of a beam's best.
    error: why there is no text, of a malformed record that is to be answered in its place.
    """

    text: str
    parameters: Parameters
    opening: str | None = None
    alternatives: int = 0
    error: UserError | None = None

    def options(self, decoding: Decoding) -> Options:
        """How the engine is to decode it."""
        options = self.parameters.options(decoding)
        if self.opening is not None:
            options = replace(options, prefix=self.opening)
        if self.alternatives:
            options = replace(options, alternatives=True, num_hypotheses=self.alternatives)
        return options


class Job:
    """The sentences of one request with equal options; the longest go first, so that batches are even."""

    def __init__(self, options: Options, entries: Sequence[tuple[int, Source]]) -> None:
        self.options = options
        self.search = options.search
        self.waiting = sorted(entries, key=lambda entry: len(entry[1].tokens))
        self.waiting_tokens = sum(len(source.tokens) for _, source in entries)
        self.answers: dict[int, Translation] = {}
        self._done: SimpleQueue[dict[int, Translation] | BaseException] = SimpleQueue()  # lighter than a Future
        self._total = len(entries)

    def give(self, budget: int) -> list[tuple[int, Source]]:
        """Sentences of at most `budget` tokens together, but at least one."""
        given: list[tuple[int, Source]] = []
        while self.waiting and (not given or len(self.waiting[-1][1].tokens) <= budget):
            given.append(self.waiting.pop())
            budget -= len(given[-1][1].tokens)
        self.waiting_tokens -= sum(len(source.tokens) for _, source in given)
        return given

    def take(self, answers: dict[int, Translation]) -> None:
        self.answers |= answers
        if len(self.answers) == self._total:
            self._done.put(self.answers)

    def fail(self, error: BaseException) -> None:
        self.waiting.clear()
        self._done.put(error)

    def result(self, until: float) -> dict[int, Translation]:
        """All answers, once they are there; raises what `fail` was given, or `queue.Empty` at the moment `until`."""
        outcome = self._done.get(timeout=None if until == math.inf else max(0.0, until - time.monotonic()))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


Batch = list[tuple[Job, list[tuple[int, Source]]]]  # of an equal search


def _sentences(batch: Batch) -> int:
    return sum(len(entries) for _, entries in batch)


class Batcher:
    """Queue and dispatcher before a `Predictor`; every public method may be called from any thread.

    threads: batches decoded side by side. ahead: batches that wait in the engine itself, beyond them.
    batch_tokens: source tokens in one batch. max_waiting: sentences that may wait.
    broken: the engine failed, and again on the warm-up sentence.
    """

    def __init__(
        self,
        predictor: Predictor,
        threads: int,
        batch_tokens: int,
        max_waiting: int,
        metrics: Metrics | None = None,
        ahead: int = 0,
    ) -> None:
        self.broken = False
        self._metrics = metrics or Metrics()
        self._predictor = predictor
        self._batch_tokens = batch_tokens
        self._max_waiting = max_waiting
        self._ahead = ahead
        self._most = self._idle = threads + ahead  # batches that the engine takes
        self._running: list[int] = []  # sentences of each batch in the engine
        self._jobs: deque[Job] = deque()
        self._lock = threading.Lock()
        self._engine = ThreadPoolExecutor(threads + ahead, thread_name_prefix="engine")

    def translate(self, items: Sequence[Item], until: float = math.inf, again: bool = False) -> list[Translation]:
        """Translate `items` in order; blocks until all are done.

        again: of a request that has waited its turn and needs the engine once more, so it goes before what waits.
        `Overloaded` when too much waits already, or at the moment `until` of `time.monotonic`.
        """
        prepare = self._predictor.prepare
        sources = [source for item in items for source in prepare([item.text], item.parameters.target_lang)]
        groups: dict[Options, list[tuple[int, Source]]] = {}
        for index, (item, source) in enumerate(zip(items, sources, strict=True)):
            if source.tokens:
                options = item.options(self._predictor.decoding)
                groups.setdefault(options, []).append((index, source))
        jobs = [Job(options, entries) for options, entries in groups.items()]
        self._submit(jobs, again)
        answers: dict[int, Translation] = {}
        try:
            for job in jobs:
                answers |= job.result(until)
        except Empty:
            self._give_up(jobs)
            raise Overloaded(
                "The answer was not ready at the deadline: send fewer texts at a time, or raise NMT_DEADLINE_SECONDS."
            ) from None
        return [answers.get(index, EMPTY) for index in range(len(items))]

    def rules_of(self, item: Item) -> TextRules:
        """Of the direction that the item is to be translated in; raises like `rules_for`."""
        return rules_for(self._predictor.rules, item.parameters.target_lang)

    def waiting(self) -> int:
        """Sentences that wait for the engine; exact only with the lock held."""
        return sum(len(job.waiting) for job in tuple(self._jobs))

    def close(self) -> None:
        """Let what runs end and stop the engine's threads."""
        self._engine.shutdown(wait=True)

    def _give_up(self, jobs: Sequence[Job]) -> None:
        """Take what waits of `jobs` out of the queue; what the engine works on comes to its end unheard."""
        with self._lock:
            for job in jobs:
                job.fail(Empty())
            self._jobs = deque(job for job in self._jobs if job.waiting)

    def _submit(self, jobs: Sequence[Job], again: bool) -> None:
        with self._lock:
            waiting = self.waiting()
            coming = sum(len(job.waiting) for job in jobs)
            # One request may be longer than the whole queue: it is taken when nothing else waits.
            if waiting and waiting + coming > self._max_waiting and not again:
                raise Overloaded("The server has more text waiting than it takes: try again in a second.")
            if again:
                self._jobs.extendleft(reversed(jobs))
            else:
                self._jobs.extend(jobs)
            batches = self._take_batches()
        self._start(batches)

    def _take_batches(self) -> list[Batch]:
        """A batch for every idle engine thread while there is enough for one. Called with the lock held."""
        batches = []
        while self._idle and self._jobs and self._is_enough():
            batches.append(self._gather())
            self._running.append(_sentences(batches[-1]))
            self._idle -= 1
        return batches

    def _is_enough(self) -> bool:
        """Whether what waits is worth a batch: as large as one that runs and as a fair share of all, or ENOUGH.

        Alone, greedy, a sentence takes the engine two and a half times as long as in a batch of eight, so small batches
        side by side take the processor from requests that are about to join them. The share keeps batches from
        staying small once they are, and where there are many cores or few requests it is one sentence. When nothing
        runs, anything is enough; whenever a batch ends it is asked again.
        """
        if not self._running:
            return True
        waiting = self.waiting()
        share = (waiting + sum(self._running)) // self._most
        return waiting >= min(ENOUGH, max(share, min(self._running)))

    def _start(self, batches: Sequence[Batch]) -> None:
        """Decode batches. Called without the lock: what is done at once calls `_finish` in this thread."""
        for batch in batches:
            sources = [source for _, entries in batch for _, source in entries]
            self._metrics.observe("nmt_batch_sentences", len(sources))
            self._metrics.add("nmt_source_tokens_total", sum(len(source.tokens) for source in sources))
            options = max((job.options for job, _ in batch), key=lambda each: each.num_hypotheses)
            decoded = self._engine.submit(self._predictor.decode, sources, options)
            decoded.add_done_callback(partial(self._finish, batch))

    def _gather(self) -> Batch:
        """The next batch: sentences of the first job and of those with an equal search behind it.

        At most the token budget, and at most a fair share of what waits for each idle thread, so that a
        lone request of many sentences uses every core. After a job with more than a batch left it is the others' turn.
        """
        first = self._jobs[0]
        alike = [job for job in self._jobs if job.search == first.search]
        share = math.ceil(sum(job.waiting_tokens for job in alike) / max(1, self._idle - self._ahead))
        budget = min(self._batch_tokens, share)
        batch: Batch = []
        for job in alike:
            entries = job.give(budget)
            batch.append((job, entries))
            budget -= sum(len(source.tokens) for _, source in entries)
            if budget <= 0:
                break
        if first.waiting_tokens > self._batch_tokens:
            self._jobs.rotate(-1)
        self._jobs = deque(job for job in self._jobs if job.waiting)
        return batch

    def _finish(self, batch: Batch, decoded: Future[list[Translation]]) -> None:
        """Hand out the answers or the failure, and start what waits."""
        error = decoded.exception()
        answers = iter(() if error else decoded.result())
        if error:  # this input, or the engine itself? A sentence known to work tells.
            check = self._engine.submit(self._predictor.translate, [WARM_UP], Parameters())
            check.add_done_callback(self._checked)
        with self._lock:
            self._idle += 1
            self._running.remove(_sentences(batch))
            for job, entries in batch:
                if error:
                    job.fail(error)
                else:
                    wanted = job.options.num_hypotheses  # another job of the batch may have wanted more
                    job.take({index: next(answers).best(wanted) for index, _ in entries})
            self._jobs = deque(job for job in self._jobs if job.waiting)
            batches = self._take_batches()
        self._start(batches)

    def _checked(self, check: Future[list[Translation]]) -> None:
        self.broken = check.exception() is not None
