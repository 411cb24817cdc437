"""What each part of the recipe gives: one change at a time, the same number of updates, the same test part.

python -m benchmarks.training.ablations [--corpus PAIRS.tsv] [--pairs N] [--updates 1100] [--rows NAME ...] [--list]

Each row is a training job. It is stopped after a number of updates as SageMaker would stop it (1,100 updates take four
to ten minutes on two quiet cores). A row with another batch size gets as many updates as make the same number of target
tokens. Rows that change only decoding use the model of the baseline. A paired bootstrap (Koehn 2004) tests the
differences. Finished rows are kept in the folder --work and are not trained again. The table is printed after each row.
Its minutes are processor time, so other programs on the machine do not change them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sacrebleu
from sacrebleu.significance import PairedTest

from benchmarks import ROOT
from benchmarks.training.inputs import read_parts, write_channels
from container.artifact import CTRANSLATE2, TOKENIZER
from container.paths import Paths
from train.corpus.split import Corpus, sample_rows
from train.corpus.tokenizer import load_tokenizer
from train.evaluation.decode import decoding_of, translate
from train.evaluation.scores import ReferenceSet, make_reference_set, score
from train.evaluation.statistics import Translations, interval_halves
from train.job import hyperparameters
from train.job.hyperparameters import Hyperparameters
from train.job.log import start_logging
from train.job.progress import Progress

TEST_SOURCES = 2000
RESAMPLES = 1000
BASELINE = "baseline"
DECODING = frozenset({"beam_size", "length_penalty"})


@dataclass(frozen=True)
class Row:
    """A change of the recipe: its name, and the hyperparameters that differ from `preset=fast`."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def decodes_only(self) -> bool:
        return bool(self.changes) and self.changes.keys() <= DECODING


ROWS = (
    Row(BASELINE),
    Row("seed 2", {"seed": 2}),
    Row("seed 3", {"seed": 3}),
    Row("vocabulary 4000", {"vocab_size": 4000}),
    Row("vocabulary 16000", {"vocab_size": 16_000}),
    Row("vocabulary by BPE", {"vocab_type": "bpe"}),
    Row("dropout 0", {"dropout_rate": 0.0}),
    Row("dropout 0.2", {"dropout_rate": 0.2}),
    Row("dropout 0.3", {"dropout_rate": 0.3}),
    Row("word dropout 0.1", {"word_dropout": 0.1}),
    Row("label smoothing 0", {"label_smoothing": 0.0}),
    Row("label smoothing 0.2", {"label_smoothing": 0.2}),
    Row("layers 4+2", {"encoder_layers": 4, "decoder_layers": 2}),
    Row("layers 6+2", {"encoder_layers": 6, "decoder_layers": 2}),
    Row("layers 4+4", {"encoder_layers": 4, "decoder_layers": 4}),
    Row("EMA off", {"ema_decay": 0.0}),
    Row("EMA 0.999", {"ema_decay": 0.999}),
    Row("batch 1024", {"batch_tokens": 1024}),
    Row("batch 4096", {"batch_tokens": 4096}),
    Row("peak rate 1e-3", {"learning_rate": 1e-3}),
    Row("peak rate 3e-3", {"learning_rate": 3e-3}),
    Row("beam 1", {"beam_size": 1}),
    Row("beam 8", {"beam_size": 8}),
    Row("length penalty 0.6", {"length_penalty": 0.6}),
    Row("length penalty 1.4", {"length_penalty": 1.4}),
)


@dataclass(frozen=True)
class Result:
    """A finished row. `settings` are those of its job: a row whose settings have changed is trained again."""

    settings: dict[str, Any]
    updates: int
    core_seconds: float  # processor time of the whole job, reading and export included
    hypotheses: list[str]

    @classmethod
    def read(cls, path: Path) -> Result | None:
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def main() -> None:
    if sys.argv[1:2] == ["job"]:
        run_bounded_job(int(sys.argv[2]), sys.argv[3:])
        return
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, help="a TSV of sentence pairs; the embedded sample when not given")
    parser.add_argument("--updates", type=int, default=1100, help="of each row, with the preset's batch size")
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="NAME", help="see --list")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "ablations")
    parser.add_argument("--pairs", type=int, default=0, help="train on this many pairs; 0 is all")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto", help="of all rows")
    parser.add_argument("--list", action="store_true", help="print the rows and end")
    given = parser.parse_args()
    if given.list:
        print("\n".join(f"{row.name}: {dict(row.changes)}" for row in ROWS))
        return
    parts = read_parts(given.corpus)
    chosen = sample_rows(len(parts.train), given.pairs, seed=1)
    parts = replace(parts, train=[parts.train[row] for row in chosen])
    sentences = make_reference_set(parts.test, TEST_SOURCES)
    results: dict[str, Result] = {}
    for row in ROWS:
        if row.name == BASELINE or row.name in given.rows:
            results[row.name] = result_of(row, parts, sentences, given.updates, given.work.resolve(), given.precision)
            print(table(results, sentences), flush=True)


def result_of(
    row: Row, parts: Corpus, sentences: ReferenceSet, updates: int, work: Path, precision: str = "auto"
) -> Result:
    """The kept result, if its settings are the same; otherwise train, translate and keep the result."""
    folder = work / row.name.replace(" ", "-")
    batch_tokens = row.changes.get("batch_tokens", Hyperparameters(preset="fast").batch_tokens)
    updates = round(updates * Hyperparameters(preset="fast").batch_tokens / batch_tokens)
    recipe = {"preset": "fast", "precision": precision, **row.changes}
    settings = {**recipe, "updates": updates, "corpus": parts.fingerprint}
    kept = Result.read(folder / "result.json")
    if kept is not None and kept.settings == settings:
        return kept
    began = _core_seconds()
    if row.decodes_only:
        base = work / BASELINE
    else:
        base = folder
        shutil.rmtree(folder, ignore_errors=True)
        write_channels(Paths(folder).data, parts)
        train_job(row, recipe, updates, folder)
    hypotheses = decode(row, base, sentences)
    result = Result(settings, updates, _core_seconds() - began, hypotheses)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(vars(result), indent=1, ensure_ascii=False), encoding="utf-8")
    shutil.rmtree(Paths(folder).checkpoints, ignore_errors=True)
    return result


def _core_seconds() -> float:
    """Processor time of this process and of the child processes that have ended."""
    return sum(os.times()[:4])


def train_job(row: Row, recipe: Mapping[str, Any], updates: int, folder: Path) -> None:
    """Run the training job in another process; its log goes to the row's folder."""
    values = {"max_minutes": 0, "epochs": 1000, "checkpoint_seconds": 0, **recipe}
    command = [sys.executable, "-m", "benchmarks.training.ablations", "job", str(updates)]
    for name, value in values.items():
        command += [f"--{name}", str(value)]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "SAGEMAKER_BASE_DIR": str(folder)}
    with (folder / "train.log").open("wb") as log:
        code = subprocess.run(command, cwd=ROOT, env=settings, stdout=log, stderr=log, check=False).returncode
    if code:
        raise SystemExit(f"The row {row.name!r} ended with exit code {code}; {folder / 'train.log'} says why.")


def run_bounded_job(updates: int, argv: Sequence[str]) -> None:
    """Run `python -m train` and stop it, as SIGTERM does, so that its last update has the number `updates`."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    from train import __main__ as job

    stop = threading.Event()

    class Bounded(Progress):
        def step(self, number: int, **measured: float) -> None:
            super().step(number, **measured)  # type: ignore[arg-type]
            if number >= updates - 1:
                stop.set()

    job.Progress = Bounded  # type: ignore[misc]
    start_logging()
    job.run_job(hyperparameters.parse({}, hyperparameters.from_arguments(argv)), Paths.from_environment(), stop)


def decode(row: Row, folder: Path, sentences: ReferenceSet) -> list[str]:
    decoding = decoding_of(Hyperparameters(preset="fast", **row.changes))
    model = Paths(folder).model
    found = translate(model / CTRANSLATE2, load_tokenizer(model / TOKENIZER), sentences.sources, decoding)
    return [each.text for each in found]


def table(results: Mapping[str, Result], sentences: ReferenceSet) -> str:
    """A line for each row, with its difference to the baseline and, for BLEU, the p-value of the paired bootstrap."""
    base = results[BASELINE]
    base_scores = score(base.hypotheses, sentences)
    header = "| change | updates | core minutes | BLEU (95 %) | difference | p | chrF2 (95 %) | difference |"
    rows = ["", header, "|---|---|---|---|---|---|---|---|"]
    for name, result in results.items():
        scores, margins = score(result.hypotheses, sentences), _margins(result, sentences)
        cells = [name, str(result.updates), f"{result.core_seconds / 60:.1f}"]
        for metric in ("bleu", "chrf"):
            value = scores[metric].value
            cells.append(f"{value:.1f} ± {margins[metric]:.1f}")
            cells.append("" if name == BASELINE else f"{value - base_scores[metric].value:+.1f}")
            if metric == "bleu":
                cells.append("" if name == BASELINE else f"{_p_value(base, result, sentences):.3f}")
        rows.append(f"| {' | '.join(cells)} |")
    signatures = (f"`{base_scores[metric].signature}`" for metric in ("bleu", "chrf"))
    return "\n".join([*rows, "", f"{len(sentences.sources)} test sources. {', '.join(signatures)}"])


def _margins(result: Result, sentences: ReferenceSet) -> dict[str, float]:
    return interval_halves(Translations(sentences, result.hypotheses, 0.0))


def _p_value(base: Result, other: Result, sentences: ReferenceSet) -> float:
    """The probability that two equal systems differ as much in BLEU (paired bootstrap)."""
    if base.hypotheses == other.hypotheses:
        return 1.0
    metric = sacrebleu.BLEU(references=[[references[0] for references in sentences.references]])
    systems: list[tuple[str, Sequence[str]]] = [("baseline", base.hypotheses), ("other", other.hypotheses)]
    _, found = PairedTest(systems, {"BLEU": metric}, references=None, test_type="bs", n_samples=RESAMPLES)()
    return float(getattr(found["BLEU"][1], "p_value"))  # noqa: B009 - a union with str in its annotations


if __name__ == "__main__":
    main()
