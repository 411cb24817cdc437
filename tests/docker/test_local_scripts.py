"""local_test/*.sh that start containers: two hosts, a batch transform, the check of SageMaker's contract."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from container.artifact import open_artifact
from tests.docker.job import TOY, Job
from tests.engine import docker

pytestmark = pytest.mark.docker


def run(script: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(script), *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=900, check=False
    )


@pytest.fixture
def test_dir(repo: Path, tmp_path: Path) -> Path:
    """The job of local_test/test_dir with toy hyperparameters, in a folder with a space in its name."""
    folder = tmp_path / "my job"
    shutil.copytree(repo / "local_test" / "test_dir" / "input", folder / "input")
    hyperparameters = {**TOY, "source_lang": "en", "clean_dots": "False"}
    (folder / "input" / "config" / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    return folder


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """Of what a script starts, no container and no network is left when it ends."""

    def there() -> tuple[str, str]:
        containers = docker("ps", "--all", "--quiet", "--filter=label=local_test").stdout
        return containers, docker("network", "ls", "--quiet", "--filter=name=nmt-two-hosts").stdout

    before = there()
    yield
    assert there() == before


def test_two_hosts_train_one_model(repo: Path, image: str, test_dir: Path) -> None:
    done = run(repo / "local_test" / "two_hosts.sh", image, test_dir)
    assert done.returncode == 0, done.stdout + done.stderr
    for host in ("algo-1", "algo-2"):
        assert f"{host} ended with exit code 0" in done.stderr
        assert f"\n{host}: " in done.stdout
    open_artifact(test_dir / "model")
    for path in test_dir.rglob("*"):
        assert path.stat().st_uid == os.getuid(), f"{path} was not handed back"


def test_two_hosts_show_why_the_job_failed(repo: Path, image: str, test_dir: Path) -> None:
    (test_dir / "input" / "config" / "hyperparameters.json").write_text('{"epochs": "many"}')
    done = run(repo / "local_test" / "two_hosts.sh", image, test_dir)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "epochs must be a whole number" in done.stderr.split("FailureReason:")[1]


def test_transform_answers_line_by_line_in_order(repo: Path, image: str, trained: Job, tmp_path: Path) -> None:
    """The batches' borders must not show: the same answers from one request, several, and one for each line."""
    script = repo / "local_test" / "transform_local.sh"
    lines = ["Good morning.", "", "Where is the station?", "I see.", "¿Qué?", "Thank you very much."]
    text = tmp_path / "some lines.txt"
    text.write_text("\n".join(lines))  # the last line has no end, as in many a file
    answers = []
    for requests, options, environment in (
        (1, [], {}),
        (4, [], {"MAX_PAYLOAD_BYTES": "24"}),
        (6, ["--single-record"], {}),
    ):
        done = run(script, *options, image, text, trained.model, **environment)
        assert done.returncode == 0, done.stderr
        assert f"{requests} requests; the answers are in {text}.out" in done.stderr
        answers.append(Path(f"{text}.out").read_text())
    assert answers[0].count("\n") == len(lines)
    assert answers[0].split("\n")[1] == "", "a blank line stays blank"
    assert len(set(answers)) == 1


def test_transform_of_json_lines(repo: Path, image: str, trained: Job, tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    records.write_text('{"text": "Good morning."}\n"Where is the station?"\n')
    done = run(repo / "local_test" / "transform_local.sh", image, records, trained.model)
    assert done.returncode == 0, done.stderr
    answers = Path(f"{records}.out").read_text().splitlines()
    assert [type(json.loads(line)["translation"]) for line in answers] == [str, str]


def test_transform_fails_as_a_whole(repo: Path, image: str, trained: Job, tmp_path: Path) -> None:
    script = repo / "local_test" / "transform_local.sh"
    records = tmp_path / "records.jsonl"
    records.write_text('{"text": "Good morning."}\nno JSON\n')
    done = run(script, "--single-record", image, records, trained.model)
    assert (done.returncode, "request 2 was answered with status 400" in done.stderr) == (1, True), done.stderr
    done = run(script, image, records, trained.model, MAX_PAYLOAD_BYTES="10")
    assert (done.returncode, "line 1 of" in done.stderr) == (1, True), done.stderr
    assert not Path(f"{records}.out").exists()
