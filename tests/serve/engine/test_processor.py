"""What the engine is told of the processor, and the priority of its threads."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from serve.engine.loading import load
from serve.engine.processor import BACKGROUND, engine_environment, in_background


def niceness(thread: int = 0) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread)


def background() -> int:
    return min(19, niceness() + BACKGROUND)  # 19 is as far back as a thread can step


def test_threads_started_in_the_background_step_back_and_no_others_do() -> None:
    ours = niceness()

    def of_a_new_thread() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(niceness).result()

    assert in_background(of_a_new_thread) == background() > ours
    assert of_a_new_thread() == niceness() == ours


def test_the_engine_computes_in_the_background(base: Path) -> None:
    before = set(os.listdir("/proc/self/task"))
    predictor = load(base / "model")
    found = []
    for thread in set(os.listdir("/proc/self/task")) - before:
        with suppress(ProcessLookupError):  # the one that only started the others may be gone
            found.append(niceness(int(thread)))
    assert found.count(background()) >= predictor.threads
    predictor.close()


FLAGS = "fpu avx2 avx512f avx512dq avx512cd avx512bw avx512vl avx512_bf16"


@pytest.mark.parametrize(
    ("vendor", "flags", "given", "isa"),
    [
        ("AuthenticAMD", FLAGS, {}, "AVX512"),
        ("AuthenticAMD", FLAGS, {"CT2_FORCE_CPU_ISA": "AVX2"}, None),  # the user's own choice stays
        ("AuthenticAMD", FLAGS.replace("avx512cd ", ""), {}, None),
        ("GenuineIntel", FLAGS, {}, None),  # CTranslate2 chooses well there
    ],
)
def test_the_engine_uses_what_an_amd_processor_has(
    tmp_path: Path, vendor: str, flags: str, given: dict[str, str], isa: str | None
) -> None:
    one = f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: {flags}\n\n"
    (tmp_path / "cpuinfo").write_text(one + one.replace("processor\t: 0", "processor\t: 1"))
    told = engine_environment(given, tmp_path / "cpuinfo")
    assert told.get("CT2_FORCE_CPU_ISA") == isa
    assert told["OMP_NUM_THREADS"] == "1"


def test_the_engine_takes_what_it_is_told(base: Path) -> None:
    command = [
        sys.executable,
        "-c",
        f"from serve.engine.loading import load; load(__import__('pathlib').Path({str(base / 'model')!r}))",
    ]
    told = {**os.environ, **engine_environment(), "CT2_VERBOSE": "1"}
    said = subprocess.run(command, env=told, capture_output=True, text=True, check=True, timeout=60).stderr
    assert f"Selected ISA: {told.get('CT2_FORCE_CPU_ISA', '')}" in said


def test_a_machine_that_says_nothing_of_its_processor(tmp_path: Path) -> None:
    assert engine_environment({}, tmp_path / "none") == {"OMP_NUM_THREADS": "1"}
