"""Models that change under the server: files damaged while it runs, and a thousand loads and unloads."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.faults.load import Crowd, ask
from tests.serve.server import DEADLINE, Server

Start = Callable[..., Server]
MIB = 2**20


def truncate(model: Path) -> None:
    for file in model.rglob("*"):
        if file.is_file():
            os.truncate(file, 0)


def overwrite(model: Path) -> None:
    for file in model.rglob("*"):
        if file.is_file():
            file.write_bytes(os.urandom(file.stat().st_size))


@pytest.mark.parametrize("damage", [truncate, overwrite, shutil.rmtree])
def test_a_model_damaged_while_running_is_served_on(
    start: Start, base: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """What is loaded is in memory. Only a process that starts anew refuses, and so ends the container."""
    shutil.copytree(base / "model", tmp_path / "ml" / "model")
    server = start(tmp_path / "ml")
    server.wait_until_ready()
    plain = ask(server).body
    crowd = Crowd(server, clients=4)
    crowd.wait_for(10)
    damage(tmp_path / "ml" / "model")
    crowd.wait_for(50)
    assert {outcome.status for outcome in crowd.stop()} == {200}
    assert ask(server).body == plain
    assert server.ping() == 200
    os.kill(server.children()["gunicorn worker"], signal.SIGKILL)
    assert server.process.wait(DEADLINE) == 4
    assert "gunicorn ended by itself" in server.output()


def memory(pid: int) -> int:
    """Bytes that a process takes, what it shares counted in part (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) * 1024


def test_a_thousand_loads_and_unloads_leave_memory_flat(start: Start, base: Path, tmp_path: Path) -> None:
    shutil.copytree(base / "model", tmp_path / "ml" / "models" / "one" / "model")
    server = start(tmp_path / "ml", SAGEMAKER_MULTI_MODEL="true", NMT_MAX_REQUESTS="8")
    server.wait_until_ready()
    worker = server.children()["gunicorn worker"]
    url = str(tmp_path / "ml" / "models" / "one" / "model")
    after: list[int] = []
    with requests.Session() as session:
        for number in range(1, 1001):
            loaded = session.post(f"{server.url}/models", json={"model_name": "one", "url": url}, timeout=DEADLINE)
            assert loaded.status_code == 200, loaded.text
            answer = session.post(f"{server.url}/models/one/invoke", json=["Hello!"], timeout=DEADLINE)
            assert answer.status_code == 200, answer.text
            assert session.delete(f"{server.url}/models/one", timeout=DEADLINE).status_code == 200
            if number in (200, 1000):
                after.append(memory(worker))
    assert server.children()["gunicorn worker"] == worker
    assert after[1] - after[0] < 8 * MIB, f"{after[0] / MIB:.1f} MiB after 200 loads, {after[1] / MIB:.1f} after 1,000"
    assert len(list(Path(f"/proc/{worker}/task").iterdir())) < 40, "threads are left behind"
    assert len(list(Path(f"/proc/{worker}/fd").iterdir())) < 100, "files are left open"


def test_a_load_that_fails_leaves_the_others_as_they_were(start: Start, base: Path, tmp_path: Path) -> None:
    models = tmp_path / "ml" / "models"
    for name in ("good", "bad"):
        shutil.copytree(base / "model", models / name / "model")
    truncate(models / "bad" / "model" / "ctranslate2")
    server = start(tmp_path / "ml", SAGEMAKER_MULTI_MODEL="true")
    server.wait_until_ready()
    body = {"model_name": "good", "url": str(models / "good" / "model")}
    requests.post(f"{server.url}/models", json=body, timeout=DEADLINE).raise_for_status()
    for _ in range(20):
        body = {"model_name": "bad", "url": str(models / "bad" / "model")}
        refused = requests.post(f"{server.url}/models", json=body, timeout=DEADLINE)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_unavailable")
        assert "is damaged" in refused.json()["error"]["message"]
    assert requests.post(f"{server.url}/models/good/invoke", json=["Hello!"], timeout=DEADLINE).status_code == 200
    assert server.ping() == 200
