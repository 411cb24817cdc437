"""The image itself: how it starts, what is on PATH, what is not in it, how little a code change rebuilds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docker.endpoint import HARDENED
from tests.docker.job import Job
from tests.engine import IMAGE_NAME, Containers, bind, copy_sources, docker, require_engine

pytestmark = pytest.mark.docker

SIZE_LIMIT = 1.5e9  # bytes, unpacked


def inspect(image: str) -> dict[str, Any]:
    answer: list[dict[str, Any]] = json.loads(docker("image", "inspect", image).stdout)
    return answer[0]


def test_command_is_train_and_there_is_no_entrypoint(image: str) -> None:
    """SageMaker passes `train` or `serve` as the command; SDK v3 passes none for training."""
    config = inspect(image)["Config"]
    assert not config["Entrypoint"]
    assert config["Cmd"] == ["train"]


def test_size(image: str) -> None:
    assert inspect(image)["Size"] <= SIZE_LIMIT


def test_names_that_sagemaker_and_its_sdk_start_are_on_path(containers: Containers) -> None:
    for name in ("train", "serve", "doctor", "python3", "pip", "bash", "nginx"):
        done = containers.run("bash", "-c", f"test -x $(command -v {name})", options=["--user=1000:1000"])
        assert done.returncode == 0, f"{name} is not on PATH, or not executable"


def test_pip_installs_where_python3_looks(containers: Containers) -> None:
    """SDK v3 installs a user's requirements.txt with pip and then starts python3."""
    script = "pip --version && python3 -c 'import pip, tensorflow; print(pip.__file__)'"
    lines = containers.run("bash", "-c", script).stdout.splitlines()
    assert lines[0].split(" from ")[1].startswith(str(Path(lines[1]).parent))


def test_doctor_finds_nothing_wrong(containers: Containers, trained: Job) -> None:
    """Under the same hardening as an endpoint, with a model mounted."""
    mount = bind(trained.model, "/opt/ml/model", readonly=True)
    done = containers.run("doctor", options=[mount, *HARDENED, "--network=none", "--memory=2g"])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "checksums right" in done.stdout
    assert "2.0 GiB, the machine has" in done.stdout


def test_nothing_lies_under_opt_ml(containers: Containers) -> None:
    done = containers.run("bash", "-c", "find /opt/ml -mindepth 1 2>/dev/null")
    assert done.stdout == ""


def test_only_what_runs_is_in_the_program_folder(containers: Containers) -> None:
    done = containers.run("ls", "/opt/program")
    assert done.stdout.split() == ["container", "serve", "train"]


def test_program_is_compiled_because_a_read_only_root_keeps_no_bytecode(containers: Containers) -> None:
    script = "ls /opt/program/*/__pycache__/*.pyc /opt/venv/lib/python3*/site-packages/keras/__pycache__/*.pyc"
    assert containers.run("bash", "-c", script).returncode == 0


def hashes(containers: Containers) -> dict[str, str]:
    """sha256 of every file of ours in the image, by path."""
    listed = containers.run("bash", "-c", "find /opt -type f -print0 | sort -z | xargs -0 sha256sum").stdout
    return {path: digest for digest, path in (line.split("  ", 1) for line in listed.splitlines())}


def test_two_builds_hold_the_same_files(clone: Path) -> None:
    """Packages, program and bill of materials: nothing of a build's time, order or machine gets in."""
    images = [build(clone, "first"), build(clone, "second", "--no-cache")]
    containers = [Containers(image) for image in images]
    try:
        first, second = (hashes(built) for built in containers)
        assert len(first) > 5000
        differ = sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))
        assert differ == [], f"{len(differ)} files differ"
    finally:
        for built in containers:
            built.remove_all()
        docker("image", "rm", "--force", *images)


def test_bill_of_materials_lists_what_is_installed(containers: Containers) -> None:
    document = json.loads(containers.run("cat", "/opt/sbom.cdx.json").stdout)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    parts = {part["purl"]: part for part in document["components"]}
    assert len(parts) == len(document["components"])
    listed = json.loads(containers.run("pip", "list", "--format=json").stdout)
    for package in listed:
        name = re.sub("[-_.]+", "-", package["name"]).lower()
        assert f"pkg:pypi/{name}@{package['version']}" in parts
    assert any(purl.startswith("pkg:deb/debian/nginx@") for purl in parts)
    licences = {part["name"]: part.get("licenses") for part in document["components"] if ":pypi/" in part["purl"]}
    assert licences["ctranslate2"] == [{"license": {"name": "MIT"}}]
    assert [name for name, found in licences.items() if not found] == ["namex"], "its wheel names none"


def test_make_sbom_writes_the_bill_and_the_licences(repo: Path, image: str, tmp_path: Path) -> None:
    shutil.copy(repo / "Makefile", tmp_path)
    shutil.copytree(repo / "requirements", tmp_path / "requirements")
    subprocess.run(["make", "--silent", "sbom", f"IMAGE={image}"], cwd=tmp_path, check=True, timeout=60)
    assert json.loads((tmp_path / "build" / "sbom.cdx.json").read_text())["bomFormat"] == "CycloneDX"
    rows = (tmp_path / "build" / "licences.md").read_text().splitlines()
    python, debian = rows[: rows.index("## Debian packages")], rows[rows.index("## Debian packages") :]
    assert any(row.startswith("| MIT |") and "ctranslate2 " in row for row in python)
    assert any("nginx " in row for row in debian)


def test_labels_tell_licence_revision_and_date(image: str) -> None:
    labels = inspect(image)["Config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "GPL-3.0-only"
    assert {"org.opencontainers.image.revision", "org.opencontainers.image.created"} <= labels.keys()


@pytest.fixture
def clone(repo: Path, tmp_path: Path) -> Path:
    """A copy of what the image is built from."""
    require_engine()
    return copy_sources(repo, tmp_path / "clone")


def build(folder: Path, tag: str, *options: str) -> str:
    name = f"{IMAGE_NAME}:{tag}"
    docker("build", "--tag", name, *options, str(folder), timeout=1200)
    return name


def test_a_code_change_rebuilds_only_one_small_layer(clone: Path) -> None:
    unchanged = build(clone, "unchanged")  # not the image under test, whose layers may have left the cache
    with (clone / "train" / "__init__.py").open("a") as file:
        file.write("# changed\n")
    changed = build(clone, "changed")
    try:
        before, after = (inspect(name)["RootFS"]["Layers"] for name in (unchanged, changed))
        assert before[:-1] == after[:-1]
        assert before[-1] != after[-1]
        sizes = docker("history", "--human=false", "--format={{.Size}}", changed).stdout.split()
        # Unpacked; that less than a megabyte of it is pushed, tests/sdk/test_v2_pull.py measures.
        assert next(int(size) for size in sizes if size != "0") < 3_000_000, "the last layer is large"
    finally:
        docker("image", "rm", "--force", changed, unchanged)


def test_a_checkout_with_crlf_builds_scripts_that_run(image: str, clone: Path) -> None:
    for script in (clone / "container" / "bin").iterdir():
        script.write_bytes(script.read_bytes().replace(b"\n", b"\r\n"))
        script.chmod(0o644)
    windows = build(clone, "crlf")
    containers = Containers(windows)
    try:
        done = containers.run("bash", "-c", "grep -c $'\\r' $(command -v train serve doctor)")
        assert done.stdout.splitlines() == [
            f"/opt/program/container/bin/{name}:0" for name in ("train", "serve", "doctor")
        ]
        assert containers.run("bash", "-c", "test -x $(command -v train)").returncode == 0
    finally:
        containers.remove_all()
        docker("image", "rm", "--force", windows)
