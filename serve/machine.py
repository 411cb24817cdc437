"""How much of this machine is ours: containers see every core of the host but may use only some."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def available_cpus(cgroup: Path = CGROUP) -> int:
    """vCPUs this process may use: its affinity mask, cut to the cgroup's quota (rounded up), at least 1."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """CPUs that the cgroup grants, or None without a limit. Version 2 has one file, version 1 two."""
    second = cgroup / "cpu.max"  # "max 100000", or "150000 100000": microseconds in each period
    if second.is_file():
        granted, period = second.read_text().split()
        return None if granted == "max" else int(granted) / int(period)
    first = cgroup / "cpu" / "cpu.cfs_quota_us"  # -1 is no limit
    if first.is_file():
        microseconds = int(first.read_text())
        period_us = int(first.with_name("cpu.cfs_period_us").read_text())
        return None if microseconds < 0 else microseconds / period_us
    return None
