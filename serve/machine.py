"""How much of this machine is ours, for containers see every core of the host; and how our threads share it."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

CGROUP = Path("/sys/fs/cgroup")
AVX_512 = frozenset({"avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw"})  # that CTranslate2 asks for
ISA = "CT2_FORCE_CPU_ISA"
BACKGROUND = 10  # niceness; measured, see benchmarks/RESULTS.md

Made = TypeVar("Made")


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


def available_memory(cgroup: Path = CGROUP, meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes of memory this process may use: the machine's, cut to the cgroup's limit (version 2 or 1)."""
    total = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemTotal:"))
    limits = [int(total.split()[1]) * 1024]
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        if file.is_file() and (limit := file.read_text().strip()) != "max":
            limits.append(int(limit))
    return min(limits)


def give_back_memory() -> None:
    """Hand what has been freed back to the system; glibc keeps it, in one heap for each of the threads there were.

    Without this a model loaded and unloaded a thousand times leaves some 25 MB behind.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
    if trim is not None:
        trim(0)


TRANSFORM_MB = 100  # SageMaker: MaxConcurrentTransforms x MaxPayloadInMB is at most this
PAYLOAD_MB = 6  # SageMaker's default
MEMORY_PER_BODY = 64  # bytes, at the peak, for a byte of body: its sentences, their tokens, their translations


def execution_parameters(cpus: int, memory: int, max_body_mb: int, max_requests: int) -> Mapping[str, int | str]:
    """What a batch transform job should send at a time (SageMaker: GET /execution-parameters).

    Two requests for each vCPU, so that one is read while one is decoded; never more than the limits in
    force let through (`max_body_mb` 0 is no limit), nor than half of `memory` (bytes) holds.
    """
    bodies_mb = max(1, memory // 2 // MEMORY_PER_BODY // 2**20)  # bodies in work at the same time, together
    payload = min(PAYLOAD_MB, max_body_mb or PAYLOAD_MB, bodies_mb)
    concurrent = max(1, min(2 * cpus, max_requests, min(TRANSFORM_MB, bodies_mb) // payload))
    return {"MaxConcurrentTransforms": concurrent, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": payload}


def engine_environment(
    given: Mapping[str, str] = os.environ, cpuinfo: Path = Path("/proc/cpuinfo")
) -> Mapping[str, str]:
    """What the engine is to read from the environment when it starts, on top of what is `given`.

    One thread for each matrix product: the sentences side by side are the parallelism (see `serve.engine.ctranslate2`).
    And AVX-512 where an AMD processor has it: CTranslate2 takes AVX2 there, which is a tenth slower at beam 4
    (benchmarks/RESULTS.md); what is given wins.
    """
    first = cpuinfo.read_text().partition("\n\n")[0] if cpuinfo.is_file() else ""  # all processors are alike
    says = {name.strip(): value.split() for name, _, value in (line.partition(":") for line in first.splitlines())}
    amd = says.get("vendor_id") == ["AuthenticAMD"]
    wide = amd and AVX_512.issubset(says.get("flags", [])) and ISA not in given
    return {"OMP_NUM_THREADS": "1", **({ISA: "AVX512"} if wide else {})}


def in_background(make: Callable[[], Made]) -> Made:
    """What `make` returns; the threads that it starts step back where another one wants the processor.

    For an engine: it computes for milliseconds on end, and a request that only has to be read or answered would wait
    behind it. On Linux a thread has a niceness of its own, which the threads that it starts inherit (sched(7)); it
    cannot be taken back, hence a thread of its own here.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="background", initializer=_step_back) as pool:
        return pool.submit(make).result()


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere niceness is the whole process's
        with suppress(OSError):  # a sandbox without priorities serves all the same
            os.nice(BACKGROUND)
