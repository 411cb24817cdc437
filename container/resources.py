"""How much of the machine this container may use: CPUs and memory, cut by affinity and cgroup (version 2 or 1)."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
NO_LIMIT = 1 << 60  # version 1 writes a number this large for "none"


def available_cpus(cgroup: Path = CGROUP) -> int:
    """vCPUs this process may use: its affinity mask, cut to the cgroup's quota (rounded up), at least 1."""
    allowed = len(os.sched_getaffinity(0))
    quota = cpu_quota(cgroup)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def cpu_quota(cgroup: Path = CGROUP) -> float | None:
    """CPUs that the cgroup grants, or None without a quota."""
    words = _read(cgroup / "cpu.max").split()  # version 2: "max 100000", or "150000 100000" microseconds
    if not words:
        words = [_read(cgroup / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period")]  # version 1: -1 is none
    quota, period = words
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None


def available_memory(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> int:
    """Bytes of memory this process may use: the machine's, cut to the cgroup's limit."""
    total, limit = machine_memory(meminfo), memory_limit(cgroup)
    return total if limit is None else min(total, limit)


def memory_limit(cgroup: Path = CGROUP) -> int | None:
    """Bytes that the cgroup allows, or None without a limit."""
    texts = [_read(cgroup / "memory.max"), _read(cgroup / "memory" / "memory.limit_in_bytes")]
    return min((int(text) for text in texts if text.isdecimal() and int(text) < NO_LIMIT), default=None)


def machine_memory(meminfo: Path = MEMINFO) -> int:
    """Bytes of memory that the machine has."""
    total = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemTotal:"))
    return int(total.split()[1]) * 1024


def _read(file: Path) -> str:
    """The text of a file of /sys without its line end; nothing where there is no such file."""
    return file.read_text().strip() if file.is_file() else ""
