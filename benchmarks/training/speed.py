"""Training speed of this trainer and others on this machine, with the same corpus, vocabulary, dimensions and batches.

python -m benchmarks.training.speed [--corpus PAIRS.tsv] [--seconds 60] [--batch-tokens 2048 4096] [--rows NAME ...]

Prints a Markdown table: target tokens a second (padding does not count), the ratio to JoeyNMT, the share of the
machine's matmul peak, and peak memory (the largest resident set of the process of the row). The matmul peak is measured
before each row and after the last, and the best value counts. The last column is the share of the cores that other
processes took while the row ran: the figures are reliable where it is near 0.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from benchmarks import ROOT
from benchmarks.training.inputs import make_task, read_parts
from benchmarks.training.task import Task

JOEYNMT = "JoeyNMT 2.3"
HERE = sys.executable
THERE, TORCH = (str(ROOT / name / "bin" / "python") for name in (".venv-bench", ".venv-torch"))


@dataclass(frozen=True)
class Row:
    """A trainer: its name in the table, and the command that measures it with the task file `{task}`."""

    key: str
    name: str
    command: tuple[str, ...]
    precision: str = "float32"


ROWS = (
    Row("float32", "this trainer, float32", (HERE, "-m", "benchmarks.training.this_trainer", "{task}", "float32")),
    Row(
        "bfloat16",
        "this trainer, bfloat16",
        (HERE, "-m", "benchmarks.training.this_trainer", "{task}", "bfloat16"),
        "bfloat16",
    ),
    Row(
        "pytorch",
        "this trainer, PyTorch, float32",
        (TORCH, "-m", "benchmarks.training.this_trainer", "{task}", "float32", "pytorch"),
    ),
    Row("joeynmt", f"{JOEYNMT}, PyTorch, float32", (THERE, "-m", "benchmarks.training.joeynmt_trainer", "{task}")),
    Row("fit", "Keras `fit()`, graph, padded", (HERE, "-m", "benchmarks.training.keras_trainer", "{task}", "fit")),
    Row("eager", "eager step, 64 pairs padded", (HERE, "-m", "benchmarks.training.keras_trainer", "{task}", "eager")),
)
LARGE_BATCH = ("float32", "bfloat16", "joeynmt")  # measured with the other batch sizes too


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, help="a TSV of sentence pairs; the embedded sample when not given")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured time of each row, after its warm-up")
    parser.add_argument("--batch-tokens", type=int, nargs="+", default=[2048, 4096])
    parser.add_argument("--rows", nargs="+", choices=[row.key for row in ROWS], default=[row.key for row in ROWS])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        task = replace(make_task(read_parts(given.corpus), Path(folder)), seconds=given.seconds)
        print(_machine(task, given.corpus), flush=True)
        for batch_tokens in given.batch_tokens:
            keys = given.rows if batch_tokens == given.batch_tokens[0] else LARGE_BATCH
            rows = [row for row in ROWS if row.key in keys and row.key in given.rows]
            compare(replace(task, batch_tokens=batch_tokens), rows)


def compare(task: Task, rows: Sequence[Row]) -> None:
    """Measure one row after the other and print their table."""
    file = task.path("task.json")
    file.write_text(task.to_json())
    measured, peaks = [], []
    for row in rows:
        peaks.append(_run((HERE, "-m", "benchmarks.training.matmul_peak", str(file))).values)
        ran = _run(tuple(str(file) if part == "{task}" else part for part in row.command))
        print(f"{row.name}: {ran.values['tokens_per_second']:.0f} target tokens/s", file=sys.stderr, flush=True)
        measured.append((row, ran))
    peaks.append(_run((HERE, "-m", "benchmarks.training.matmul_peak", str(file))).values)
    peak = {precision: max(found[precision] for found in peaks) for precision in peaks[0]}
    joeynmt = next((ran.values["tokens_per_second"] for row, ran in measured if row.key == "joeynmt"), None)
    rates = ", ".join(f"{precision} {rate / 1e9:.0f} GFLOP/s" for precision, rate in peak.items())
    print(f"Batches of {task.batch_tokens} target tokens; matmul peak: {rates}\n")
    print(
        "| trainer | target tokens/s | x JoeyNMT | GFLOP/s | share of its peak | peak memory, MB | updates | others |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for row, ran in measured:
        speed, rate = ran.values["tokens_per_second"], ran.values["operations_per_second"]
        ratio = f"{speed / joeynmt:.2f}" if joeynmt else "-"
        figures = (f"{speed:.0f}", ratio, f"{rate / 1e9:.0f}", f"{rate / peak[row.precision]:.0%}")
        cells = (row.name, *figures, f"{ran.megabytes:.0f}", f"{ran.values['steps']}", f"{ran.others:.0%}")
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


@dataclass(frozen=True)
class Ran:
    """The JSON of the last line of a command, its peak resident memory, and the share of the cores that others took."""

    values: dict[str, float]
    megabytes: float
    others: float


def _run(command: tuple[str, ...]) -> Ran:
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    began, busy = time.monotonic(), _busy_seconds()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        if process.returncode or not output.strip():
            raise SystemExit(f"{' '.join(command)} failed:\n{log.read().decode(errors='replace')[-3000:]}")
    possible = (time.monotonic() - began) * (os.cpu_count() or 1)
    others = max(0.0, _busy_seconds() - busy - usage.ru_utime - usage.ru_stime) / possible
    return Ran(json.loads(output.strip().splitlines()[-1]), usage.ru_maxrss / 1024, others)


def _busy_seconds() -> float:
    """Busy processor seconds of all cores since the start of the machine (proc(5), /proc/stat)."""
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _machine(task: Task, corpus: Path | None) -> str:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), "")
    number = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model\t")), "?")
    known = next((line.split(":")[1].split() for line in info.splitlines() if line.startswith("flags")), [])
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in known]
    return (
        f"{model or platform.machine()} (model {number}), {len(os.sched_getaffinity(0))} cores, {' '.join(flags)}; "
        f"Python {platform.python_version()}, TensorFlow {_version('tensorflow-cpu', 'tensorflow')}, "
        f"Keras {version('keras')}; {_versions_there()}; "
        f"{corpus.name if corpus else 'the embedded sample'}, d {task.d_model}, ffn {task.ffn_dim}, "
        f"{task.n_heads} heads, {task.layers}+{task.layers} layers, V {task.vocab_size}\n"
    )


def _version(*names: str) -> str:
    for name in names:
        try:
            return version(name)
        except ImportError:
            continue
    return "?"


def _versions_there() -> str:
    question = "from importlib.metadata import version as v; print('JoeyNMT', v('joeynmt') + ', PyTorch', v('torch'))"
    if not Path(THERE).exists():
        return "no JoeyNMT (benchmarks/setup.sh installs it)"
    return subprocess.run([THERE, "-c", question], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
