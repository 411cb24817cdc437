"""Processes that share the work on a large corpus: one a core, each result in the order of its task."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from container.errors import PlatformError, Stopped

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 2  # tasks a worker may have waiting: enough to keep it busy, few enough to hold no corpus


class Workers:
    """A pool that maps lazily: it takes the next task only when a result was taken, so memory stays bounded."""

    def __init__(self, pool: ProcessPoolExecutor, count: int, wants_stop: Callable[[], bool]) -> None:
        self._pool, self.count, self._wants_stop = pool, count, wants_stop

    def map(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """`work(task)` of each task, in order. `Stopped` as soon as the job was told to stop."""
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(self._pool.submit(work, task))
                if len(waiting) > AHEAD * self.count:
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


@contextmanager
def open_workers(wants_stop: Callable[[], bool], count: int | None = None) -> Iterator[Workers]:
    """So many processes (one a core when not given) for the time of the block.

    They are spawned, not forked: a fork copies locks that threads (TensorFlow's, the rendezvous') may hold.
    """
    count = count or len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_leave_signals_to_the_parent)
    try:
        yield Workers(pool, count, wants_stop)
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_signals_to_the_parent() -> None:
    """A signal to the process group reaches the workers too; what follows from it is the parent's to say."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
