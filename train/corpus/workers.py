"""Work on pairs, a block at a time and in order: on a small corpus in this process, on a large one on all cores."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from types import TracebackType
from typing import Self, TypeVar

from container.errors import PlatformError, Stopped
from container.resources import available_cpus

Task = TypeVar("Task")
Result = TypeVar("Result")

BLOCK = 20_000  # pairs a task
SMALL = 500_000 // BLOCK  # tasks: other processes would save seconds on a corpus of this size, and take memory
AHEAD = 2  # tasks a worker may have waiting: enough to keep it busy, few enough to hold no corpus


class Workers:
    """Maps blocks to results. It is a context manager; its end is the end of the processes that it started.

    wants_stop: whether the job was told to stop.
    say: gets a sentence for the log when other processes start.
    small: up to so many tasks are done in this process.
    """

    def __init__(
        self,
        wants_stop: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda sentence: None,
        small: int = SMALL,
    ) -> None:
        self._wants_stop, self._say, self._small = wants_stop, say, small
        self._pool: ProcessPoolExecutor | None = None
        self._count = available_cpus()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """`work(task)` of each task, in order. Few tasks are taken before their results are, so memory stays bounded.

        `Stopped` when the job was told to stop while other processes work; a small corpus is finished, as it is soon
        done. `PlatformError` when a process was killed.
        """
        remaining = iter(tasks)
        few = list(islice(remaining, self._small + 1))
        if len(few) <= self._small:
            yield from map(work, few)
            return
        remaining = chain(few, remaining)
        del few  # the chain lets go of them
        yield from self._map_in_pool(self._pool or self._start(), work, remaining)

    def _start(self) -> ProcessPoolExecutor:
        """One process a core. They are spawned: a fork copies locks that threads (TensorFlow's, ours) may hold."""
        self._say(f"more than {self._small * BLOCK:,} pairs: {self._count} processes prepare them")
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._count, mp_context=context, initializer=_leave_signals_to_the_parent)
        return self._pool

    def _map_in_pool(
        self, pool: ProcessPoolExecutor, work: Callable[[Task], Result], tasks: Iterator[Task]
    ) -> Iterator[Result]:
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) > AHEAD * self._count:
                    yield self._next(waiting)
            while waiting:
                yield self._next(waiting)
        except BrokenProcessPool:
            raise PlatformError(
                "A process that prepared the corpus was killed, most likely for want of memory: "
                "use an instance with more memory."
            ) from None

    def _next(self, waiting: deque[Future[Result]]) -> Result:
        if self._wants_stop():
            raise Stopped("Asked to stop before the corpus was prepared: nothing was trained, no model is written.")
        return waiting.popleft().result()


def _leave_signals_to_the_parent() -> None:
    """A signal to the process group reaches the workers too; what follows from it is the parent's to say."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
