"""The whole job: what it prints and writes, how it fails, and how it stops."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from container.artifact import open_artifact
from container.errors import FAILURE_LIMIT
from data.sample import read_part
from tests.conftest import TOY, Job
from train import __main__ as program
from train.job.describe import METRICS, describe

SMALL = {**TOY, "nsamples": "0", "vocab_size": "500", "batch_size": "32", "log_every": "1", "precision": "float32"}
GOOD = "".join(f"{source}\t{target}\n" for source, target in islice(read_part("train"), 100))
HELD_OUT = "".join(f"{source}\t{target}\n" for source, target in islice(read_part("test"), 20))


@dataclass(frozen=True)
class Ended:
    """A job that ran in this process: its exit code and what it printed."""

    code: int
    out: str
    err: str


Train = Callable[..., Ended]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Train]:
    """Runs a job in this process, where TensorFlow is imported already."""
    before = signal.getsignal(signal.SIGTERM)

    def run(job: Job, *arguments: str) -> Ended:
        monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(job.base))
        capsys.readouterr()
        code = program.main(arguments)
        return Ended(code, *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)


def tree(folder: Path) -> Mapping[str, bytes]:
    """All files below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# A job that ends well


def test_every_metric_is_found_by_its_regular_expression(toy_job: tuple[Job, str], stopped: tuple[Job, str]) -> None:
    log = toy_job[1] + stopped[1]
    found = {metric.name: re.findall(metric.regex, log) for metric in METRICS}
    # A toy model is bad at every sentence, which gives no calibration: test_calibration.py prints that metric.
    assert found.pop("test:calibration_error") == []
    # A model of one direction has no way back: test_languages.py trains one of both.
    assert [found.pop(name) for name in sorted(found) if name.endswith("_reverse")] == [[]] * 5
    assert all(found.values()), found
    assert all(float(value) >= 0 for values in found.values() for value in values)


def test_the_model_directory_is_whole(toy_job: tuple[Job, str]) -> None:
    job, log = toy_job
    model = job.paths.model
    artifact = open_artifact(model, with_weights=True)  # every digest is checked
    assert set(tree(model)) == {*artifact.manifest.files, "manifest.json"}
    assert artifact.manifest.hyperparameters["d_model"] == 16
    assert artifact.manifest.training["parity"] < 1e-4
    assert log.splitlines()[-1] == f"train: the model stands in {model}"
    assert not job.paths.failure.exists()


def test_the_history_and_the_scores_are_output_data(toy_job: tuple[Job, str]) -> None:
    job, log = toy_job
    report = json.loads((job.paths.output_data / "metrics.json").read_text())
    printed = [name for line in log.splitlines() for name in re.findall(r"(\w+)=[-\d.]+;", line)]
    assert [name for line in report["history"] for name in line] == printed
    assert report["scores"].keys() == open_artifact(job.paths.model).manifest.scores.keys()


# SIGTERM, and what can be done afterwards


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A job of many epochs that got SIGTERM after its first line of metrics, and what it printed."""
    job = Job(tmp_path_factory.mktemp("stopped job") / "ml")
    job.configure({**SMALL, "epochs": "10000"})
    job.channel("training", a__tsv=GOOD)
    job.channel("test", a__tsv=HELD_OUT)
    process = job.start()
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "train_loss=" in line:
            process.send_signal(signal.SIGTERM)
            break
    rest, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return job, "".join(lines) + rest


@pytest.fixture
def resumable(stopped: tuple[Job, str], tmp_path: Path) -> Job:
    """A copy of the stopped job, told to end after the epochs that are done."""
    job = Job(tmp_path / "ml")
    shutil.copytree(stopped[0].base, job.base)
    done = open_artifact(job.paths.model).manifest.training["epochs"]
    job.configure({**SMALL, "epochs": str(max(1, done))})
    return job


def test_sigterm_ends_training_and_writes_the_model(stopped: tuple[Job, str]) -> None:
    job, log = stopped
    training = open_artifact(job.paths.model, with_weights=True).manifest.training
    assert training["stopped_early"] is True
    assert training["updates"] >= 1
    assert f"asked to stop: {training['updates']} updates were done" in log
    assert list(job.paths.checkpoints.glob(f"checkpoint-{training['updates']:09d}.safetensors"))
    assert not job.paths.failure.exists()


def test_a_job_goes_on_where_it_was_stopped_and_a_finished_one_only_publishes_again(
    resumable: Job, train: Train
) -> None:
    before = open_artifact(resumable.paths.model).manifest.training
    assert train(resumable).code == 0
    finished = open_artifact(resumable.paths.model, with_weights=True)
    assert finished.manifest.training["updates"] >= before["updates"]
    assert finished.manifest.training["stopped_early"] is False
    weights = finished.weights.read_bytes()

    shutil.rmtree(resumable.paths.model)
    assert train(resumable, "--beam-size", "2").code == 0
    again = open_artifact(resumable.paths.model, with_weights=True)
    assert again.manifest.training["updates"] == finished.manifest.training["updates"]
    assert again.manifest.decoding.beam_size == 2
    assert again.weights.read_bytes() == weights


def test_another_shape_is_refused_and_the_model_stays(resumable: Job, train: Train) -> None:
    kept = (resumable.paths.model, resumable.paths.checkpoints)
    before = [tree(folder) for folder in kept]
    ended = train(resumable, "--d_model", "32", "--seed", "7")
    assert ended.code == 2
    assert "d_model was 16 and is 32; seed was 1 and is 7" in ended.err
    assert "d_model" in resumable.paths.failure.read_text()
    assert [tree(folder) for folder in kept] == before


def test_resume_false_starts_afresh_and_says_so(resumable: Job, train: Train) -> None:
    ended = train(resumable, "--resume", "false", "--d_model", "32", "--epochs", "1")
    assert ended.code == 0
    assert "resume=false, so the job starts afresh; " in ended.out
    manifest = open_artifact(resumable.paths.model).manifest
    assert manifest.hyperparameters["d_model"] == 32
    assert manifest.training["epochs"] == 1
    assert len(list(resumable.paths.checkpoints.glob("checkpoint-*"))) == 1


# Bad input: one sentence, an exit code, and nothing written


class Bad(NamedTuple):
    """Input that must be refused; `channel` None is no channel, `sentence` what the refusal must say."""

    sentence: str
    channel: str | bytes | None = GOOD
    hyperparameters: Mapping[str, str] | str = TOY


BAD = {
    "no channel": Bad("There is no channel 'training' (no channel at all)", channel=None),
    "empty file": Bad("{data}/training/a.tsv is empty", channel=b""),
    "only blank lines": Bad("{data}/training/a.tsv is empty", channel="\n \n\r\n"),
    "one column": Bad("{data}/training/a.tsv, line 3, has one column", channel="a\tb\nc\td\nonly one\n"),
    "not UTF-8": Bad("{data}/training/a.tsv, line 2, is not UTF-8", channel="a\tb\nñ\tc\n".encode("latin-1")),
    "too few pairs": Bad("has 1 usable pairs, too few", channel="Hi.\tHola.\n"),
    "unknown hyperparameter": Bad(
        "'drop_rate' is no hyperparameter (did you mean dropout_rate?)", hyperparameters={**TOY, "drop_rate": "0.1"}
    ),
    "out of range": Bad("dropout_rate must be at most 0.9, got 1.5", hyperparameters={**TOY, "dropout_rate": "1.5"}),
    "no number": Bad("epochs must be a whole number, got 'ten'", hyperparameters={**TOY, "epochs": "ten"}),
    "invalid JSON": Bad("{config}/hyperparameters.json is not valid JSON at line 1", hyperparameters='{"epochs": '),
    "too small a vocabulary": Bad(
        "vocab_size=64 is too small for this corpus", hyperparameters={**TOY, "vocab_size": "64"}
    ),
    "missing train_file": Bad("has no file 'b.tsv'", hyperparameters={**TOY, "train_file": "b.tsv"}),
}


def set_up(job: Job, bad: Bad) -> None:
    if isinstance(bad.hyperparameters, str):
        job.paths.hyperparameters.write_text(bad.hyperparameters)
    else:
        job.configure(bad.hyperparameters)
    if bad.channel is not None:
        job.channel("training", a__tsv=bad.channel)


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_the_older_model_stays(
    name: str, job: Job, toy_model: Path, train: Train
) -> None:
    bad = BAD[name]
    set_up(job, bad)
    shutil.copytree(toy_model, job.paths.model)
    before = tree(job.paths.model)
    ended = train(job)
    assert ended.code == 2
    assert re.fullmatch(r"train: [^\n]+\.\n", ended.err), ended.err
    assert bad.sentence.format(data=job.paths.data, config=job.paths.config) in ended.err
    failure = job.paths.failure.read_bytes()
    assert len(failure) <= FAILURE_LIMIT
    assert failure.decode().partition(": ")[2] == ended.err.removeprefix("train: ").removesuffix("\n")
    assert tree(job.paths.model) == before
    assert not (job.paths.model / ".staging").exists()


def test_bad_input_ends_the_process_before_tensorflow_is_imported(job: Job) -> None:
    set_up(job, BAD["one column"])
    code = (
        "import sys; from train.__main__ import main; code = main([]);"
        "print('tensorflow' in sys.modules); raise SystemExit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=job.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "False\n")
    assert ended.stderr.count("\n") == 1
    assert not job.paths.model.exists()


# How a failure is told


@pytest.mark.parametrize(
    ("error", "code"), [(ZeroDivisionError("It broke."), 3), (OSError(28, "No space left on device"), 4)]
)
def test_a_failure_of_ours_or_of_the_machine_has_its_traceback(
    error: Exception, code: int, job: Job, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(program, "run_job", fail)
    ended = train(job)
    assert ended.code == code
    assert "Traceback" in ended.err
    first, *rest = job.paths.failure.read_text().splitlines()
    assert first == f"{type(error).__name__}: {error}"
    assert rest[0].startswith("Traceback")


def test_a_failure_of_an_earlier_run_is_not_this_jobs(job: Job, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    job.paths.output.mkdir()
    job.paths.failure.write_text("of an earlier run")
    monkeypatch.setattr(program, "run_job", lambda *_: None)
    assert train(job).code == 0
    assert not job.paths.failure.exists()


# Words other than hyperparameters


def test_describe_prints_the_algorithm_as_json(job: Job, train: Train) -> None:
    ended = train(job, "describe")
    assert ended.code == 0
    assert json.loads(ended.out) == describe()


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("--seed", "1", "--help")])
def test_help_lists_every_hyperparameter(arguments: tuple[str, ...], job: Job, train: Train) -> None:
    ended = train(job, *arguments)
    assert ended.code == 0
    assert "| `batch_tokens` | integer | 2048 |" in ended.out and "`dropout_rate`" in ended.out
