"""How the engine uses the processor: its instruction set, its threads, and their priority beside the server's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

AVX_512 = frozenset({"avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw"})  # what CTranslate2 asks for
ISA = "CT2_FORCE_CPU_ISA"
BACKGROUND = 10  # niceness; measured, see benchmarks/EXPERIMENTS.md

Made = TypeVar("Made")


def engine_environment(
    given: Mapping[str, str] = os.environ, cpuinfo: Path = Path("/proc/cpuinfo")
) -> Mapping[str, str]:
    """The environment variables that the engine reads when it starts, to be added to those that are `given`.

    Each matrix product has one thread, because sentences are decoded side by side (see `serve.engine.ctranslate2`).
    An AMD processor that has AVX-512 is told to use it: CTranslate2 would choose AVX2 there, which is a tenth slower
    at beam 4 (benchmarks/EXPERIMENTS.md). A choice in `given` is kept.
    """
    first = cpuinfo.read_text().partition("\n\n")[0] if cpuinfo.is_file() else ""  # all processors are alike
    says = {name.strip(): value.split() for name, _, value in (line.partition(":") for line in first.splitlines())}
    amd = says.get("vendor_id") == ["AuthenticAMD"]
    wide = amd and AVX_512.issubset(says.get("flags", [])) and ISA not in given
    return {"OMP_NUM_THREADS": "1", **({ISA: "AVX512"} if wide else {})}


def in_background(make: Callable[[], Made]) -> Made:
    """Call `make` and return its result; the threads that it starts get a lower priority than the server's own.

    An engine computes for milliseconds on end. Without this a request that only has to be read or answered would wait
    for it. On Linux each thread has a niceness of its own, and the threads that it starts inherit it (sched(7)). A
    process cannot take a higher niceness back, so a new thread takes it here.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="background", initializer=_lower_priority) as pool:
        return pool.submit(make).result()


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere niceness belongs to the whole process
        with suppress(OSError):  # a sandbox without priorities serves all the same
            os.nice(BACKGROUND)
