"""Few blocks are worked on here, many by other processes; the results are the same and in order."""

from __future__ import annotations

import os
import signal

import pytest

from container.errors import PlatformError, Stopped
from train.corpus.workers import Workers


def process_of(_task: int) -> int:
    return os.getpid()


def kill_itself(_task: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_up_to_so_many_tasks_are_done_in_this_process_and_more_in_others() -> None:
    said: list[str] = []
    with Workers(say=said.append, small=3) as workers:
        assert set(workers.map(process_of, range(3))) == {os.getpid()}
        assert not said
        assert os.getpid() not in set(workers.map(process_of, range(4)))
        assert os.getpid() not in set(workers.map(process_of, range(4)))
    assert len(said) == 1 and said[0].startswith("more than 60,000 pairs: ")


def test_there_are_as_many_processes_as_the_container_has_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as many as the machine has: a quota of the cgroup counts."""
    monkeypatch.setattr("train.corpus.workers.available_cpus", lambda: 1)
    said: list[str] = []
    with Workers(say=said.append, small=0) as workers:
        assert len(set(workers.map(process_of, range(4)))) == 1
    assert said == ["more than 0 pairs: 1 processes prepare them"]


def test_results_come_in_the_order_of_the_tasks_and_tasks_are_taken_as_results_are() -> None:
    taken: list[int] = []

    def tasks() -> list[int]:  # type: ignore[misc]
        for number in range(-1000, 0):
            taken.append(number)
            yield number

    with Workers(small=0) as workers:
        results = workers.map(abs, tasks())
        assert [next(results) for _ in range(10)] == [*range(1000, 990, -1)]
        assert len(taken) < 100


def test_an_error_of_a_task_reaches_the_caller() -> None:
    with Workers(small=0) as workers, pytest.raises(ZeroDivisionError):
        list(workers.map((1).__truediv__, [1, 0]))


def test_a_killed_process_is_explained() -> None:
    with Workers(small=0) as workers, pytest.raises(PlatformError, match="was killed, most likely for want of memory"):
        list(workers.map(kill_itself, range(3)))


def test_told_to_stop() -> None:
    with Workers(lambda: True, small=0) as workers, pytest.raises(Stopped):
        list(workers.map(abs, range(3)))
