"""Quality against time: this trainer and JoeyNMT, given the same minutes of training, corpus and leak-proof parts.

python -m benchmarks.training.quality_over_time [--corpus PAIRS.tsv] [--minutes 60] [--points 4] [--trainers ...]

Training runs in pieces, one for each point in time; each piece continues from the last checkpoint. After each piece the
distinct sources of the test part are translated with beam 5, and sacreBLEU scores them against a single reference.
Minutes are those of training steps: reading, checkpoints and decoding do not count for either trainer. Finished points
are kept in results.json in the folder --work, so an interrupted command continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks import ROOT
from benchmarks.training.inputs import make_task, read_parts, write_channels, write_parallel
from benchmarks.training.task import Task
from container.artifact import CTRANSLATE2, TOKENIZER, read_manifest
from container.paths import Paths
from train.corpus.pairs import Pair
from train.corpus.split import Corpus
from train.corpus.tokenizer import load_tokenizer
from train.evaluation.decode import translate
from train.evaluation.scores import ReferenceSet, make_reference_set, score
from train.evaluation.statistics import Translations, interval_halves

TEST_SOURCES = 2000
BEAM = 5


@dataclass(frozen=True)
class Point:
    """The scores at a point in time; `bleu_margin` and `chrf_margin` are half of the 95 % bootstrap intervals."""

    trainer: str
    minutes: float
    updates: int
    bleu: float
    bleu_margin: float
    chrf: float
    chrf_margin: float
    signatures: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, help="a TSV of sentence pairs; the embedded sample when not given")
    parser.add_argument("--minutes", type=float, default=60.0, help="of training, for each trainer")
    parser.add_argument("--points", type=int, default=4, help="at which to score, evenly spaced")
    parser.add_argument("--trainers", nargs="+", choices=list(TRAINERS), default=list(TRAINERS))
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench-quality")
    given = parser.parse_args()
    work = given.work.resolve()
    parts = read_parts(given.corpus)
    task = lay_out(parts, work)
    sentences = make_reference_set(parts.test, TEST_SOURCES)
    points = read_points(work / "results.json")
    done = {(point.trainer, point.minutes) for point in points}
    for number in range(1, given.points + 1):
        minutes = given.minutes * number / given.points
        for name in given.trainers:
            if (name, minutes) in done:
                continue
            updates, hypotheses = TRAINERS[name](task, work / name, minutes, sentences)
            points.append(scored(name, minutes, updates, sentences, hypotheses))
            text = json.dumps([asdict(point) for point in points], indent=1)
            (work / "results.json").write_text(text, encoding="utf-8")
            print(table(points), flush=True)
    plot(points, work / "quality.png")
    print(f"\nThe plot stands in {work / 'quality.png'}.")


def lay_out(parts: Corpus, work: Path) -> Task:
    """Write the parts as files into a new folder, or check that an existing folder has the same corpus."""
    task_file = work / "task" / "task.json"
    fingerprint = work / "task" / "corpus.sha256"
    if fingerprint.exists():
        if fingerprint.read_text() != parts.fingerprint:
            raise SystemExit(f"{work} belongs to another corpus: name another folder with --work, or delete it.")
        return Task.from_json(task_file.read_text())
    shutil.rmtree(work, ignore_errors=True)
    task_file.parent.mkdir(parents=True)
    task = make_task(parts, task_file.parent)
    sentences = make_reference_set(parts.test, TEST_SOURCES)
    singles = [Pair(source, texts[0]) for source, texts in zip(sentences.sources, sentences.references, strict=True)]
    write_parallel(task.path("test"), singles)
    write_channels(Paths(work / "ours").data, parts)
    task_file.write_text(task.to_json())
    fingerprint.write_text(parts.fingerprint)
    return task


def read_points(path: Path) -> list[Point]:
    return [Point(**fields) for fields in json.loads(path.read_text())] if path.exists() else []


# ---- the trainers: train until `minutes` in total, then translate the test sources ----------------------


def ours(task: Task, folder: Path, minutes: float, sentences: ReferenceSet) -> tuple[int, list[str]]:
    """Run the training job as SageMaker would, with `preset=fast` and another time limit."""
    values = {"preset": "fast", "max_minutes": minutes, "beam_size": BEAM, "epochs": 1000, "checkpoint_seconds": 300}
    command = [sys.executable, "-m", "train"]
    for name, value in values.items():
        command += [f"--{name}", str(value)]
    _run(command, folder.parent / "ours.log", SAGEMAKER_BASE_DIR=str(folder))
    model = Paths(folder).model
    manifest = read_manifest(model)
    tokenizer = load_tokenizer(model / TOKENIZER)
    found = translate(model / CTRANSLATE2, tokenizer, sentences.sources, manifest.decoding)
    return int(manifest.training["updates"]), [each.text for each in found]


def joeynmt(task: Task, folder: Path, minutes: float, sentences: ReferenceSet) -> tuple[int, list[str]]:
    """Run JoeyNMT's trainer and beam search with the same recipe but for the moving average, which it lacks."""
    folder.mkdir(exist_ok=True)
    file = task.path("task.json")
    command = [str(ROOT / ".venv-bench" / "bin" / "python"), "-m", "benchmarks.training.joeynmt_trainer", str(file)]
    command += ["--model-dir", str(folder), "--until", str(minutes * 60)]
    _run(command, folder.parent / "joeynmt.log")
    updates = json.loads((folder / "progress.json").read_text())["updates"]
    return updates, (folder / "hypotheses.test").read_text(encoding="utf-8").splitlines()


TRAINERS: Mapping[str, Callable[[Task, Path, float, ReferenceSet], tuple[int, list[str]]]] = {
    "ours": ours,
    "joeynmt": joeynmt,
}


def _run(command: Sequence[str], log: Path, **environment: str) -> None:
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with log.open("ab") as output:
        code = subprocess.run(command, cwd=ROOT, env=settings, stdout=output, stderr=output, check=False).returncode
    if code:
        raise SystemExit(f"{' '.join(command)} ended with exit code {code}; {log} says why.")


# ---- scores ---------------------------------------------------------------------------------------------


def scored(name: str, minutes: float, updates: int, sentences: ReferenceSet, hypotheses: list[str]) -> Point:
    scores = score(hypotheses, sentences)
    margins = interval_halves(Translations(sentences, hypotheses, 0.0))
    return Point(
        name,
        minutes,
        updates,
        scores["bleu"].value,
        margins["bleu"],
        scores["chrf"].value,
        margins["chrf"],
        (scores["bleu"].signature, scores["chrf"].signature),
    )


def table(points: Iterable[Point]) -> str:
    """A row for each trainer at each time, then the signatures."""
    rows = ["", "| minutes | trainer | updates | BLEU (95 %) | chrF2 (95 %) |", "|---|---|---|---|---|"]
    ordered = sorted(points, key=lambda point: (point.minutes, point.trainer))
    for point in ordered:
        bleu, chrf = f"{point.bleu:.1f} ± {point.bleu_margin:.1f}", f"{point.chrf:.1f} ± {point.chrf_margin:.1f}"
        rows.append(f"| {point.minutes:g} | {point.trainer} | {point.updates} | {bleu} | {chrf} |")
    return "\n".join([*rows, "", *(f"`{signature}`" for signature in ordered[0].signatures)])


def plot(points: Sequence[Point], path: Path) -> None:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, name, title in zip(figure.subplots(1, 2), ("bleu", "chrf"), ("BLEU", "chrF2"), strict=True):
        for trainer in dict.fromkeys(point.trainer for point in points):
            of_it = sorted((point for point in points if point.trainer == trainer), key=lambda point: point.minutes)
            values, margins = ([getattr(p, key) for p in of_it] for key in (name, f"{name}_margin"))
            minutes = [point.minutes for point in of_it]
            axes.errorbar(minutes, values, margins, marker="o", capsize=3, label=trainer)
        axes.set(xlabel="minutes of training", title=f"{title} on the test part", ylim=(0, None), xlim=(0, None))
        axes.grid(alpha=0.2)
        axes.legend(frameon=False)
    FigureCanvasAgg(figure).print_png(str(path))


if __name__ == "__main__":
    main()
