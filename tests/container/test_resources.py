"""CPUs and memory, by affinity and both versions of cgroup."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from container.resources import available_cpus, available_memory, cpu_quota, memory_limit

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


def test_memory_is_the_cgroups_or_the_machines(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:     1000 kB\nMemFree:  10 kB\n")
    assert available_memory(tmp_path, meminfo) == 1000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(tmp_path, meminfo) == 1000 * 1024
    (tmp_path / "memory.max").write_text("4096\n")
    assert available_memory(tmp_path, meminfo) == 4096
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("2048\n")
    assert available_memory(tmp_path, meminfo) == 2048


def test_limits_of_cgroup_2(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text(f"{2 << 30}\n")
    assert (cpu_quota(tmp_path), memory_limit(tmp_path)) == (1.5, 2 << 30)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert cpu_quota(tmp_path) is memory_limit(tmp_path) is None


def test_limits_of_cgroup_1(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{512 << 20}\n")
    assert (cpu_quota(tmp_path), memory_limit(tmp_path)) == (0.5, 512 << 20)
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert cpu_quota(tmp_path) is memory_limit(tmp_path) is None


def test_no_cgroup_is_no_limit(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is memory_limit(tmp_path) is None
