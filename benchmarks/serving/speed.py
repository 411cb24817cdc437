"""How fast this endpoint is, beside the engine alone and beside other servers: `make bench-serve`.

    python -m benchmarks.serving.speed [--model DIR] [--data PATH.tsv] [--seconds 8] [--only PART] [--quick]

Prints Markdown: the engine alone in this process (the upper limit), this stack through nginx, a server built like AWS's
sample with the same engine, the loop of the original notebook behind Flask, and the TensorFlow engine. The last two
need weights.safetensors in the model directory; if there is no SavedModel, this run writes one from these weights. All
use the same model, sentences and machine, and one client in a second process. Times are those of whole requests. Run it
on a quiet machine; it takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks import ROOT
from benchmarks.processes import Running, free_port, running
from benchmarks.serving.engine_alone import EngineSpeed, engine_alone
from benchmarks.serving.http_load import Load, bodies_of, in_second_process
from benchmarks.serving.two_engines import float32_model
from container.artifact import SAVED_MODEL, WEIGHTS
from container.resources import available_cpus
from data.sample import read_part
from serve.engine.processor import engine_environment

SENTENCES = 4096
CONNECTIONS = (1, 8, 32, 128)
SIZES = (1, 32)  # sentences a request
BEAMS = (1, 4)
MODELS = (ROOT / "data" / "pretrained" / "model", ROOT / "build" / "demo" / "opt-ml" / "model")
TENSORFLOW = "tensorflow"  # a folder in the base folder: the base folder of the TensorFlow engine
PACKAGES = ("ctranslate2", "sentencepiece", "flask", "gunicorn", "numpy")


@dataclass(frozen=True)
class Shape:
    """One kind of server: its command and environment (`{port}` stands for the port), and the cases to measure."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    connections: tuple[int, ...] = (1, 32)
    sizes: tuple[int, ...] = SIZES
    beams: tuple[int, ...] = BEAMS


@dataclass(frozen=True)
class Row:
    """One measurement through HTTP; `size` is the number of sentences in a request."""

    shape: str
    beam: int
    size: int
    connections: int
    load: Load
    memory_mb: float

    @property
    def sentences(self) -> float:
        """A second."""
        return self.load.requests * self.size / self.load.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, help="a model directory; data/pretrained/model, else that of `make demo`")
    parser.add_argument("--data", type=Path, help="a TSV of sentence pairs; the embedded sample when not given")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured time of a case")
    parser.add_argument("--only", action="append", choices=("engine", "stack", "sample", "notebook", "tensorflow"))
    parser.add_argument("--quick", action="store_true", help="the cases at 1 and 32 connections only")
    given = parser.parse_args()
    model = model_of(parser, given.model)
    sentences = sentences_of(given.data)
    print(machine(model, given.data), end="\n\n")
    if not (model / WEIGHTS).is_file():
        print(f"The model has no {WEIGHTS}: the notebook's loop and the TensorFlow engine are left out.\n")
    limits = print_limits(model, sentences) if wanted(given.only, "engine") else []
    with base_folder(model) as base:
        if wanted(given.only, "tensorflow"):
            add_saved_model(model, base / TENSORFLOW)
        shapes = [each for part, each in shapes_of(model, base, given.quick) if wanted(given.only, part)]
        rows, ready = measure(shapes, sentences, given.seconds)
    print_rows(rows, {alone.beam: alone.best for alone in limits}, ready)
    if limits:
        print_goals(rows, limits)


def model_of(parser: argparse.ArgumentParser, given: Path | None) -> Path:
    """The model directory to serve: the given one, else the pretrained one, else that of the last demo."""
    model = given or next((folder for folder in MODELS if folder.is_dir()), None)
    if model is None:
        parser.error("there is no model: give --model DIR, or run `make demo` first")
    return model.resolve()


def wanted(only: Sequence[str] | None, part: str) -> bool:
    return not only or part in only


def sentences_of(data: Path | None) -> list[str]:
    """`SENTENCES` English sentences in the same order in every run; if there are fewer, they repeat."""
    if data is None:
        found = [source for source, _ in read_part("train")]
    else:
        found = [line.split("\t")[0] for line in data.read_text(encoding="utf-8-sig").splitlines()]
    found = sorted({text for text in found if text.strip()})
    random.Random(1).shuffle(found)
    return (found * (1 + SENTENCES // len(found)))[:SENTENCES]


@contextmanager
def base_folder(model: Path) -> Iterator[Path]:
    """A folder like /opt/ml that contains the model."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model").symlink_to(model.resolve())
        yield Path(folder)


def add_saved_model(model: Path, base: Path) -> None:
    """Make a second folder like /opt/ml whose model has a SavedModel; nothing if there is neither that nor weights."""
    if (model / SAVED_MODEL).is_dir():
        base.mkdir()
        (base / "model").symlink_to(model)
    elif (model / WEIGHTS).is_file():
        base.mkdir()
        float32_model(model, base / "model")


def shapes_of(model: Path, base: Path, quick: bool) -> Iterator[tuple[str, Shape]]:
    """The servers that can be measured with this model, each with the name of its part (`--only`)."""
    python = sys.executable
    ours = {"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": "{port}"}
    yield "stack", Shape("this stack", (python, "-m", "serve"), ours, (1, 32) if quick else CONNECTIONS)
    sample = (python, "-m", "benchmarks.serving.sample_shape", "--port={port}")
    yield "sample", Shape("sample's shape, 1 thread", sample, {"MODEL_DIR": str(model), **engine_environment()})
    defaults = {"MODEL_DIR": str(model), "INTRA_THREADS": "0"}
    yield "sample", Shape("sample's shape, engine's defaults", sample, defaults, (32,))
    if (model / WEIGHTS).is_file():
        notebook = (python, "-m", "benchmarks.serving.notebook_shape", "--port={port}")
        yield "notebook", Shape("notebook's loop", notebook, {"MODEL_DIR": str(model)}, (1, 32), (1,), (1,))
    if (base / TENSORFLOW).is_dir():
        tensorflow = {**ours, "SAGEMAKER_BASE_DIR": str(base / TENSORFLOW), "NMT_ENGINE": "tensorflow"}
        yield "tensorflow", Shape("this stack, TensorFlow engine", (python, "-m", "serve"), tensorflow, (1, 32))


# ---- measuring -----------------------------------------------------------------------------------------


def measure(shapes: Sequence[Shape], sentences: list[str], seconds: float) -> tuple[list[Row], dict[str, float]]:
    """All rows of `shapes`, and for each the seconds from its start to its first 200 on /ping."""
    rows: list[Row] = []
    ready: dict[str, float] = {}
    for shape in shapes:
        port = free_port()
        environment = {name: value.format(port=port) for name, value in shape.environment.items()}
        command = [part.format(port=port) for part in shape.command]
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            with running(command, environment, port, folder / "log") as server:
                ready[shape.name] = server.ready_seconds
                rows += cases(shape, server, sentences, seconds, folder)
    return rows, ready


def cases(shape: Shape, server: Running, sentences: list[str], seconds: float, folder: Path) -> Iterator[Row]:
    for beam in shape.beams:
        for size in shape.sizes:
            for connections in shape.connections:
                bodies = list(bodies_of(sentences, size, beam))
                memory: list[float] = []
                timer = threading.Timer(seconds * 0.8, lambda into=memory: into.append(server.memory_mb()))
                timer.start()
                load = in_second_process(server.port, bodies, connections, seconds, folder)
                timer.join()
                yield Row(shape.name, beam, size, connections, load, memory[0])
                print(f"{shape.name}, beam {beam}, {size} x {connections}", file=sys.stderr, flush=True)


# ---- printing ------------------------------------------------------------------------------------------


def machine(model: Path, data: Path | None) -> str:
    """One line: processor, versions, model, sentences."""
    cpu = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), "")
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    size = (model / "ctranslate2" / "model.bin").stat().st_size / 1e6
    manifest = json.loads((model / "manifest.json").read_text())
    pair = f"{manifest['source_lang']} to {manifest['target_lang']}"
    of = data.name if data else "the embedded sample"
    return (
        f"{cpu or platform.machine()}, {available_cpus()} vCPUs; Python {platform.python_version()}, {versions}. "
        f"Model: {pair}, {size:.1f} MB. Sentences: {SENTENCES:,} of {of}."
    )


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def print_limits(model: Path, sentences: list[str]) -> list[EngineSpeed]:
    """Measure the engine alone and print a row for each beam and number of sentences a call."""
    os.environ.update(engine_environment())
    print("| engine alone, text to text | sentences a call | sentences/s | p50 of a lone call, ms |")
    print("|---|---|---|---|")
    limits = [engine_alone(model, sentences, beam) for beam in BEAMS]
    for alone in limits:
        for size, speed in alone.speeds.items():
            lone = f"{alone.lone_ms:.1f}" if size == 1 else ""
            print(f"| beam {alone.beam} | {size} | {speed:.0f} | {lone} |", flush=True)
    print()
    return limits


def print_rows(rows: Sequence[Row], limits: Mapping[int, float], ready: Mapping[str, float]) -> None:
    columns = ("server", "beam", "sentences a request", "connections", "sentences/s", "of the engine")
    times = ("p50 ms", "p95 ms", "p99 ms", "failed", "memory, MB", "client, of a core")
    print("| " + " | ".join((*columns, *times)) + " |")
    print("|---" * (len(columns) + len(times)) + "|")
    for row in rows:
        load = row.load
        share = f"{row.sentences / limits[row.beam]:.2f}" if row.beam in limits else ""
        head = f"| {row.shape} | {row.beam} | {row.size} | {row.connections} | {row.sentences:.4g} | {share} "
        tail = f"| {load.failed} | {row.memory_mb:.0f} | {load.core:.0%} |"
        print(f"{head}| {load.p50:.1f} | {load.p95:.1f} | {load.p99:.1f} {tail}")
    print("\n| server | seconds from its start to the first 200 on /ping |\n|---|---|")
    for name, seconds in ready.items():
        print(f"| {name} | {seconds:.2f} |")


def print_goals(rows: Sequence[Row], limits: Sequence[EngineSpeed]) -> None:
    """Print the ratios of the figures above, all measured in this run."""
    best = {alone.beam: alone for alone in limits}
    print("\n| what | measured |\n|---|---|")

    def speed(shape: str, beam: int, size: int, connections: int) -> Row | None:
        wanted = (shape, beam, size, connections)
        return next((row for row in rows if (row.shape, row.beam, row.size, row.connections) == wanted), None)

    def ratio(what: str, over: Row | None, under: Row | float | None) -> None:
        divisor = under.sentences if isinstance(under, Row) else under
        if over is not None and divisor:
            print(f"| {what} | {over.sentences / divisor:.2f} |")

    for beam in BEAMS:
        lone = speed("this stack", beam, 1, 1)
        if lone is not None:
            more = lone.load.p50 - best[beam].lone_ms
            print(f"| p50 of a lone sentence beyond the engine's own, ms, beam {beam} | {more:.1f} |")
        for size in SIZES:
            ours = speed("this stack", beam, size, 32)
            ratio(f"of the engine alone, 32 connections, {size} a request, beam {beam}", ours, best[beam].best)
            for kind in ("sample's shape, 1 thread", "sample's shape, engine's defaults"):
                ratio(f"times the {kind}, {size} a request, beam {beam}", ours, speed(kind, beam, size, 32))
    notebook = speed("notebook's loop", 1, 1, 32)
    for size in SIZES:
        ours = speed("this stack", 1, size, 32)
        ratio(f"times the notebook's loop, {size} a request, greedy", ours, notebook)


if __name__ == "__main__":
    main()
