"""CPUs by affinity and cgroup, and who steps back for whom."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serve.engines import load
from serve.machine import BACKGROUND, available_cpus, in_background

ALLOWED = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", ALLOWED), ("50000 100000", 1), ("100000 100000", 1), ("6400000 100000", min(ALLOWED, 64))],
)
def test_the_quota_of_cgroup_2(tmp_path: Path, limit: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert available_cpus(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", ALLOWED), ("20000", 1)])
def test_the_quota_of_cgroup_1(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_cpus(tmp_path) == expected


def test_without_a_cgroup_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cpus(tmp_path) == ALLOWED


def niceness(thread: int = 0) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread)


def test_threads_started_in_the_background_step_back_and_no_others_do() -> None:
    ours = niceness()

    def of_a_new_thread() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(niceness).result()

    assert in_background(of_a_new_thread) == ours + BACKGROUND
    assert of_a_new_thread() == niceness() == ours


def test_the_engine_computes_in_the_background(base: Path) -> None:
    before = set(os.listdir("/proc/self/task"))
    predictor = load(base / "model")
    started = set(os.listdir("/proc/self/task")) - before
    assert sorted(niceness(int(thread)) for thread in started) == [niceness() + BACKGROUND] * predictor.threads
    predictor.close()
