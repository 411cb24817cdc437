"""The queue before the engine: requests in flight share batches.

There is no timer. A lone request on an idle server starts at once. While the engine works, sentences wait until they
are worth a batch, and a free thread takes as many as the token budget allows. A document gives one batch, then the
requests behind it have their turn, so it never starves short ones. What one more batch would end is ended first: two
requests in turn would both end as late as the second.

The queue knows texts, decoding options and languages. It knows nothing of HTTP, parameters and masked spans.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue

from container.errors import Overloaded
from serve.engine.interface import EMPTY, WARM_UP, Options, Predictor, Source, Translation
from serve.metrics import Metrics

ENOUGH = 8  # sentences: a batch that is worth its start beside any other (benchmarks/EXPERIMENTS.md)


@dataclass(frozen=True)
class Work:
    """One text for the engine, how to decode it, and the language to write (by default the model's first)."""

    text: str
    options: Options
    target_lang: str | None = None


class Group:
    """The sentences of one request with equal options; the longest are taken first, so that batches are even."""

    def __init__(self, options: Options, entries: Sequence[tuple[int, Source]]) -> None:
        self.options = options
        self.search = options.search
        self.waiting = sorted(entries, key=lambda entry: len(entry[1].tokens))
        self.waiting_tokens = sum(len(source.tokens) for _, source in entries)
        self.answers: dict[int, Translation] = {}
        self._outcome: SimpleQueue[dict[int, Translation] | BaseException] = SimpleQueue()  # lighter than a Future
        self._total = len(entries)

    def take_sentences(self, budget: int) -> list[tuple[int, Source]]:
        """Take out sentences of at most `budget` tokens together, but at least one."""
        taken: list[tuple[int, Source]] = []
        while self.waiting and (not taken or len(self.waiting[-1][1].tokens) <= budget):
            taken.append(self.waiting.pop())
            budget -= len(taken[-1][1].tokens)
        self.waiting_tokens -= sum(len(source.tokens) for _, source in taken)
        return taken

    def add_answers(self, answers: dict[int, Translation]) -> None:
        self.answers |= answers
        if len(self.answers) == self._total:
            self._outcome.put(self.answers)

    def fail(self, error: BaseException) -> None:
        self.waiting.clear()
        self._outcome.put(error)

    def wait_for_answers(self, until: float) -> dict[int, Translation]:
        """All answers, once they are there; raises what `fail` was given, or `queue.Empty` at the moment `until`."""
        outcome = self._outcome.get(timeout=None if until == math.inf else max(0.0, until - time.monotonic()))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


Batch = list[tuple[Group, list[tuple[int, Source]]]]  # all groups of a batch have an equal search


def _count_sentences(batch: Batch) -> int:
    return sum(len(entries) for _, entries in batch)


class Batcher:
    """Queue and dispatcher before a `Predictor`; every public method may be called from any thread.

    threads: batches decoded side by side. ahead: batches that wait in the engine itself, beyond them.
    batch_tokens: source tokens in one batch. max_waiting: sentences that may wait.
    broken: the engine failed, and failed again on the warm-up sentence.
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
        self._groups: deque[Group] = deque()
        self._lock = threading.Lock()
        self._engine = ThreadPoolExecutor(threads + ahead, thread_name_prefix="engine")

    def decode(self, works: Sequence[Work], until: float = math.inf, again: bool = False) -> list[Translation]:
        """Translate `works` in order; blocks until all are done.

        again: the request has waited its turn before and needs the engine once more, so it goes before all that waits.
        `Overloaded` when too much waits already, or at the moment `until` of `time.monotonic`.
        """
        prepare = self._predictor.prepare
        entries: dict[Options, list[tuple[int, Source]]] = {}
        for index, work in enumerate(works):
            (source,) = prepare([work.text], work.target_lang)
            if source.tokens:
                entries.setdefault(work.options, []).append((index, source))
        groups = [Group(options, sources) for options, sources in entries.items()]
        self._submit(groups, again)
        answers: dict[int, Translation] = {}
        try:
            for group in groups:
                answers |= group.wait_for_answers(until)
        except Empty:
            self._withdraw(groups)
            raise Overloaded(
                "The answer was not ready at the deadline: send fewer texts at a time, or raise NMT_DEADLINE_SECONDS."
            ) from None
        return [answers.get(index, EMPTY) for index in range(len(works))]

    def waiting(self) -> int:
        """Sentences that wait for the engine; exact only with the lock held."""
        return sum(len(group.waiting) for group in tuple(self._groups))

    def close(self) -> None:
        """Wait for the batches that run, and stop the engine's threads."""
        self._engine.shutdown(wait=True)

    def _withdraw(self, groups: Sequence[Group]) -> None:
        """Take what waits of `groups` out of the queue; nobody reads the answers of what the engine works on."""
        with self._lock:
            for group in groups:
                group.fail(Empty())
            self._groups = deque(group for group in self._groups if group.waiting)

    def _submit(self, groups: Sequence[Group], again: bool) -> None:
        with self._lock:
            waiting = self.waiting()
            coming = sum(len(group.waiting) for group in groups)
            # One request may be longer than the whole queue: it is taken when nothing else waits.
            if waiting and waiting + coming > self._max_waiting and not again:
                raise Overloaded("The server has more text waiting than it takes: try again in a second.")
            if again:
                self._groups.extendleft(reversed(groups))
            else:
                self._groups.extend(groups)
            batches = self._take_batches()
        self._start(batches)

    def _take_batches(self) -> list[Batch]:
        """A batch for every idle engine thread while enough waits for one. Called with the lock held."""
        batches = []
        while self._idle and self._groups and self._has_enough():
            batches.append(self._gather_batch())
            self._running.append(_count_sentences(batches[-1]))
            self._idle -= 1
        return batches

    def _has_enough(self) -> bool:
        """Whether what waits is worth a batch: as large as one that runs and as a fair share of all, or ENOUGH.

        Alone, greedy, a sentence takes the engine two and a half times as long as in a batch of eight, so small batches
        side by side take the processor from requests that are about to join them. The share keeps batches from
        staying small once they are small. With many cores or few requests it is one sentence. When nothing
        runs, anything is enough; the question is asked again whenever a batch ends.
        """
        if not self._running:
            return True
        waiting = self.waiting()
        share = (waiting + sum(self._running)) // self._most
        return waiting >= min(ENOUGH, max(share, min(self._running)))

    def _start(self, batches: Sequence[Batch]) -> None:
        """Decode batches. Called without the lock: a batch that ends at once calls `_finish` in this thread."""
        for batch in batches:
            sources = [source for _, entries in batch for _, source in entries]
            self._metrics.observe("nmt_batch_sentences", len(sources))
            self._metrics.add("nmt_source_tokens_total", sum(len(source.tokens) for source in sources))
            options = max((group.options for group, _ in batch), key=lambda each: each.num_hypotheses)
            decoded = self._engine.submit(self._predictor.decode, sources, options)
            decoded.add_done_callback(partial(self._finish, batch))

    def _gather_batch(self) -> Batch:
        """The next batch: sentences of the first group and of those with an equal search behind it.

        It has at most the token budget, and at most a fair share of what waits for each idle thread, so that a
        lone request of many sentences uses every core. After a group with more than a batch left the others follow.
        """
        first = self._groups[0]
        alike = [group for group in self._groups if group.search == first.search]
        share = math.ceil(sum(group.waiting_tokens for group in alike) / max(1, self._idle - self._ahead))
        budget = min(self._batch_tokens, share)
        batch: Batch = []
        for group in alike:
            entries = group.take_sentences(budget)
            batch.append((group, entries))
            budget -= sum(len(source.tokens) for _, source in entries)
            if budget <= 0:
                break
        if first.waiting_tokens > self._batch_tokens:
            self._groups.rotate(-1)
        self._groups = deque(group for group in self._groups if group.waiting)
        return batch

    def _finish(self, batch: Batch, decoded: Future[list[Translation]]) -> None:
        """Hand out the answers or the failure, and start what waits."""
        error = decoded.exception()
        answers = iter(() if error else decoded.result())
        if error:  # does this input fail, or the engine itself? A sentence known to work tells.
            check = self._engine.submit(self._predictor.translate, [WARM_UP])
            check.add_done_callback(self._note_check)
        with self._lock:
            self._idle += 1
            self._running.remove(_count_sentences(batch))
            for group, entries in batch:
                if error:
                    group.fail(error)
                else:
                    wanted = group.options.num_hypotheses  # another group of the batch may have wanted more
                    group.add_answers({index: next(answers).best(wanted) for index, _ in entries})
            self._groups = deque(group for group in self._groups if group.waiting)
            batches = self._take_batches()
        self._start(batches)

    def _note_check(self, check: Future[list[Translation]]) -> None:
        self.broken = check.exception() is not None


@dataclass(frozen=True)
class Decoder:
    """The queue as one request uses it: whatever it decodes must be done by the moment `until`."""

    batcher: Batcher
    until: float = math.inf  # of `time.monotonic`

    def decode(self, works: Sequence[Work], again: bool = False) -> list[Translation]:
        """Do `Batcher.decode`."""
        return self.batcher.decode(works, self.until, again) if works else []
