"""Nothing is lost when a job is interrupted: killed at any moment, told to stop in any phase, started again."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from container.artifact import open_artifact
from container.errors import HyperparameterError
from data.sample import read_part
from tests.conftest import REPOSITORY, TOY, Job
from train.__main__ import run_job
from train.corpus.tokenizer import train_tokenizer
from train.job.hyperparameters import read

HYPERPARAMETERS = {
    **TOY,
    **{"epochs": "12", "batch_size": "16", "log_every": "1", "dropout_rate": "0.2", "vocab_size": "400"},
    **{"max_len": "30", "test_fraction": "0.05", "validation_fraction": "0.05", "checkpoint_seconds": "0.2"},
}
SIGTERM_SECONDS = 100  # SageMaker kills a job 120 s after it told it to stop
MOMENTS = random.Random(1)
INSIDE = Path(__file__).parents[1] / "inside"  # changes the job, which imports what is in there


def new_job(base: Path, python: str = sys.executable, **hyperparameters: str) -> Job:
    job = Job(base, python)
    job.configure({**HYPERPARAMETERS, **hyperparameters})
    job.channel("training", pairs__tsv=tsv(200))
    return job


def tsv(count: int) -> str:
    return "".join(f"{source}\t{target}\n" for source, target in islice(read_part("train"), count))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job of 12 epochs of a few updates each, with dropout."""
    return new_job(tmp_path / "ml")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """The same job after a run that nobody disturbed, and what it printed. Copy it, do not change it."""
    job = new_job(tmp_path_factory.mktemp("undisturbed") / "ml")
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert len(steps(done.stdout)) > 100, "too short to be interrupted ten times"
    return job, done.stdout


@pytest.fixture
def finished(undisturbed: tuple[Job, str], tmp_path: Path) -> Job:
    """A copy of the undisturbed job, with its model and its checkpoints."""
    shutil.copytree(undisturbed[0].base, tmp_path / "ml")
    return Job(tmp_path / "ml")


def again(job: Job, **hyperparameters: str) -> None:
    """Start the job once more, in this process (which saves the import of TensorFlow)."""
    job.configure({**HYPERPARAMETERS, **hyperparameters})
    run_job(read(job.paths.hyperparameters), job.paths, threading.Event())


def steps(printed: str) -> list[int]:
    """The numbers of the updates that a run printed a metrics line for."""
    return [int(number) for number in re.findall(r"^step=(\d+); train_loss=", printed, re.MULTILINE)]


def resumed_from(printed: str) -> int | None:
    found = re.search(r"^train: resumed from \S+: (\d+) updates were done$", printed, re.MULTILINE)
    return int(found[1]) if found else None


def weights(printed: str) -> str:
    (digest,) = re.findall(r"^train: weights_sha256=([0-9a-f]{64});$", printed, re.MULTILINE)
    return digest


def exported(job: Job) -> bytes:
    return (open_artifact(job.paths.model).ctranslate2 / "model.bin").read_bytes()


def checkpoints(job: Job) -> list[Path]:
    return sorted(job.paths.checkpoints.glob("checkpoint-*.safetensors"))


# Moments: each takes the running job, waits for an event and returns what was printed up to then.

Moment = Callable[[Job, "subprocess.Popen[str]"], str]


def read_until(running: subprocess.Popen[str], wanted: str, count: int = 1) -> str:
    """Read what the job prints up to the `count`-th line with `wanted` in it."""
    assert running.stdout is not None
    read = ""
    for line in running.stdout:
        read += line
        count -= wanted in line
        if not count:
            return read
    raise AssertionError(f"the job ended before that moment:\n{read}{running.communicate()[1]}")


def after_lines(count: int, wanted: str = "train_loss=") -> Moment:
    """About then: the job goes on while we read."""
    return lambda job, running: read_until(running, wanted, count)


def unfinished(job: Job) -> list[str]:
    """Files in the checkpoint folder that `write_atomically` has not renamed yet."""
    return [name for name in os.listdir(job.paths.checkpoints) if name.endswith(".tmp")]


def kill(job: Job, moment: Moment) -> str:
    """Start the job, wait for the moment, SIGKILL; returns all that was printed."""
    running = job.start()
    printed = moment(job, running)
    assert running.poll() is None
    running.kill()
    rest, _ = running.communicate()
    assert running.returncode == -signal.SIGKILL
    return printed + rest


def frozen(job: Job, **moment: str) -> subprocess.Popen[str]:
    """Start the job, which stops itself (SIGSTOP) at the moment that `inside/sitecustomize.py` reads of `moment`."""
    running = job.start(PYTHONPATH=f"{INSIDE}{os.pathsep}{REPOSITORY}", **moment)
    found = os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert found is not None and found.si_code == os.CLD_STOPPED, running.communicate()
    return running


def kill_in_write(job: Job, number: int) -> str:
    """Start the job, SIGKILL inside its `number`-th write of a checkpoint; returns all that was printed."""
    running = frozen(job, TEST_FREEZE_IN_WRITE=str(number))
    running.kill()
    printed, _ = running.communicate()
    assert unfinished(job), "it was not killed inside a write"
    return printed


def stop(job: Job, number: int, wanted: str = "train_loss=") -> str:
    """Start the job, SIGTERM right after its `number`-th line with `wanted`; returns all that was printed."""
    running = frozen(job, TEST_FREEZE_AFTER_LINE=f"{number}:{wanted}")
    running.terminate()
    running.send_signal(signal.SIGCONT)
    return ends_well(job, running)


def ends_well(job: Job, running: subprocess.Popen[str]) -> str:
    """A job that was told to stop does so in time, with a model; returns what it printed."""
    told = time.monotonic()
    printed, errors = running.communicate(timeout=SIGTERM_SECONDS)
    assert running.returncode == 0, errors
    assert time.monotonic() - told < SIGTERM_SECONDS
    assert not job.paths.failure.exists()
    return printed


def test_a_job_killed_at_ten_moments_ends_with_the_weights_of_one_that_was_not(
    undisturbed: tuple[Job, str], job: Job
) -> None:
    kill(job, after_lines(1, "pairs to train on"))
    kills = [
        *(partial(kill, moment=after_lines(MOMENTS.randint(1, 12))) for _ in range(6)),
        *(partial(kill_in_write, number=number) for number in (1, 1, 2, 3)),
    ]
    MOMENTS.shuffle(kills)
    done_before: list[int] = []
    for killed in kills:
        printed = killed(job)
        done_before.append(resumed_from(printed) or 0)
        assert steps(printed)[0] == done_before[-1] + 1
    last = job.run()
    assert last.returncode == 0, last.stderr
    done_before.append(resumed_from(last.stdout) or 0)
    assert done_before == sorted(done_before), "a finished checkpoint was lost"
    assert done_before[-1] > 10
    assert steps(last.stdout)[-1] == steps(undisturbed[1])[-1]
    assert weights(last.stdout) == weights(undisturbed[1])
    assert exported(job) == exported(undisturbed[0])


def test_sigterm_in_the_middle_leaves_a_model_and_loses_nothing(undisturbed: tuple[Job, str], job: Job) -> None:
    printed = stop(job, 20)
    manifest = open_artifact(job.paths.model).manifest
    updates = manifest.training["updates"]
    assert manifest.training["stopped_early"]
    assert updates == 21 < steps(undisturbed[1])[-1]
    assert f"train: asked to stop: {updates} updates were done" in printed
    assert weights(printed) != weights(undisturbed[1])

    done = job.run()
    assert done.returncode == 0, done.stderr
    assert resumed_from(done.stdout) == updates
    assert weights(done.stdout) == weights(undisturbed[1])
    assert exported(job) == exported(undisturbed[0])
    assert not open_artifact(job.paths.model).manifest.training["stopped_early"]


def test_pytorch_loses_nothing_either(torch_python: str, tmp_path: Path) -> None:
    """Killed inside the write of a checkpoint, told to stop, and started a third time; with dropout."""
    whole, job = (
        new_job(tmp_path / name, torch_python, framework="pytorch", epochs="6") for name in ("whole", "disturbed")
    )
    undisturbed = whole.run()
    assert undisturbed.returncode == 0, undisturbed.stderr

    kill_in_write(job, 3)
    stopped = stop(job, 4)
    done_before = resumed_from(stopped) or 0
    assert steps(stopped)[0] == done_before + 1
    manifest = open_artifact(job.paths.model, with_weights=True).manifest
    assert manifest.training["stopped_early"]
    assert manifest.training["updates"] == done_before + 5 < steps(undisturbed.stdout)[-1]

    last = job.run()
    assert last.returncode == 0, last.stderr
    assert resumed_from(last.stdout) == manifest.training["updates"]
    assert weights(last.stdout) == weights(undisturbed.stdout)
    assert exported(job) == exported(whole)


def test_sigterm_while_the_corpus_is_read(job: Job) -> None:
    """The corpus comes through a fifo here, so the job is surely reading: it waits for us to write."""
    shutil.rmtree(job.paths.data / "training")
    fifo = job.paths.data / "training_0"
    os.mkfifo(fifo)
    job.paths.input_data_config.write_text(json.dumps({"training": {"TrainingInputMode": "Pipe"}}))

    running = job.start()
    with fifo.open("w") as corpus:  # returns when the job has opened the other end
        corpus.write(tsv(100))
        corpus.flush()
        running.terminate()
        corpus.write(tsv(200).removeprefix(tsv(100)))
    assert len(steps(ends_well(job, running))) == 1
    assert open_artifact(job.paths.model).manifest.training["updates"] == 1


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("pairs to train on", id="tokenizer"),
        pytest.param("source and", id="import of TensorFlow"),
        pytest.param("warm-up of", id="before compilation"),
        pytest.param("weights_sha256=", id="export and scores"),
    ],
)
def test_sigterm_in_other_phases(job: Job, line: str) -> None:
    job.configure({**HYPERPARAMETERS, "epochs": "1"})
    printed = stop(job, 1, line)
    manifest = open_artifact(job.paths.model).manifest
    assert manifest.training["updates"] == len(steps(printed))
    assert (manifest.training["updates"] == 1) == (line != "weights_sha256=")
    assert manifest.scores


def test_a_damaged_newest_checkpoint_is_passed_over(
    undisturbed: tuple[Job, str], finished: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    before, newest = checkpoints(finished)
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    again(finished)
    printed = capsys.readouterr().out
    assert f"train: {newest} is damaged" in printed
    assert f"resumed from {before.name}" in printed
    assert steps(printed)
    assert weights(printed) == weights(undisturbed[1])


def test_a_finished_job_trains_nothing_and_writes_its_model_again(
    undisturbed: tuple[Job, str], finished: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(finished.paths.model)
    again(finished)
    printed = capsys.readouterr().out
    assert steps(printed) == []
    assert resumed_from(printed) == steps(undisturbed[1])[-1]
    assert weights(printed) == weights(undisturbed[1])
    assert exported(finished) == exported(undisturbed[0])


def test_more_epochs_continue(undisturbed: tuple[Job, str], finished: Job, capsys: pytest.CaptureFixture[str]) -> None:
    again(finished, epochs="13", log_every="2")
    done, printed = steps(undisturbed[1])[-1], capsys.readouterr().out
    assert resumed_from(printed) == done
    assert steps(printed)[-1] // 2 == round(done * 13 / 12) // 2
    assert open_artifact(finished.paths.model).manifest.training["epochs"] == 13


def test_resume_false_starts_afresh_and_says_so(
    undisturbed: tuple[Job, str], finished: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    again(finished, resume="false")
    printed = capsys.readouterr().out
    assert "train: resume=false, so the job starts afresh; 2 old checkpoints were removed" in printed
    assert resumed_from(printed) is None
    assert steps(printed) == steps(undisturbed[1])
    assert weights(printed) == weights(undisturbed[1])


def test_another_hyperparameter_is_refused_by_name(finished: Job) -> None:
    with pytest.raises(HyperparameterError) as refused:
        again(finished, learning_rate="0.001", dropout_rate="0.3", beam_size="2")
    assert "(dropout_rate was 0.2 and is 0.3; learning_rate was 0.002 and is 0.001)" in str(refused.value)
    assert str(checkpoints(finished)[-1]) in str(refused.value)


def test_another_corpus_is_refused(finished: Job) -> None:
    finished.channel("training", pairs__tsv=tsv(200).replace("\t", " Really.\t", 1))
    with pytest.raises(HyperparameterError, match=r"\(the corpus has changed\): put these back"):
        again(finished)


def test_another_tokenizer_is_refused(finished: Job, tmp_path: Path) -> None:
    """Whoever copies checkpoints by hand may mix those of two jobs."""
    texts = [text for pair in islice(read_part("train"), 100) for text in pair]
    train_tokenizer(texts, finished.paths.checkpoints / "tokenizer.model", vocab_size=400, languages=("en", "es"))
    with pytest.raises(HyperparameterError, match=r"\(the tokenizer has changed\): put these back"):
        again(finished)
