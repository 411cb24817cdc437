"""The doctor: facts from the real machine, and the sentence for each thing that is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from container import doctor
from container.artifact import CTRANSLATE2, MANIFEST, TOKENIZER, Manifest, publish, staging
from container.paths import INPUT_MODES, Paths

MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000 kB\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model directory that is whole by its manifest; nothing here translates."""
    destination = tmp_path / "ml" / "model"
    with staging(destination) as folder:
        (folder / TOKENIZER).write_text("tokenizer")
        (folder / CTRANSLATE2).mkdir()
        (folder / CTRANSLATE2 / "model.bin").write_text("weights")
        publish(folder, destination, Manifest(source_lang="en", target_lang="es"))
    return destination


def test_a_model_of_both_directions_is_called_so(model: Path) -> None:
    manifest = json.loads((model / "manifest.json").read_text())
    back = {"source_tokens_prefix": ["<2en>"], "clean_up": {}}
    (model / "manifest.json").write_text(json.dumps({**manifest, "reverse": back}))
    assert "en to es and back, ctranslate2" in doctor.model(model).value


def run(repo: Path, base: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), "NMT_REVISION": "abc123"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(repo / "container" / "bin" / "doctor")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_prints_what_is_here_and_ends_with_0(repo: Path, model: Path) -> None:
    done = run(repo, model.parent)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    rows = {line[2:].strip().split("  ")[0]: line for line in done.stdout.splitlines()}
    assert "abc123" in rows["image"]
    assert metadata.version("keras") in rows["keras"]
    assert metadata.version("ctranslate2") in rows["ctranslate2"]
    assert f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}" in rows["threads"]
    assert "en to es, ctranslate2, format 1, 2 files, checksums right" in rows["model"]
    assert ", ".join(INPUT_MODES) in rows["SageMaker"]
    assert not any(line.startswith("!") for line in done.stdout.splitlines())


def test_a_damaged_model_is_a_problem_and_ends_with_1(repo: Path, model: Path) -> None:
    (model / TOKENIZER).write_text("another")
    done = run(repo, model.parent)
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("!"))
    assert "tokenizer.model is damaged" in line
    assert done.stdout.endswith("\n1 problem: see the lines with !\n")


def test_no_model_is_no_problem_and_half_a_model_is(tmp_path: Path, model: Path) -> None:
    assert not doctor.model(tmp_path / "none").problem
    (tmp_path / "empty").mkdir()
    assert not doctor.model(tmp_path / "empty").problem
    (model / MANIFEST).unlink()
    assert doctor.model(model).problem


def test_imports_no_tensorflow(repo: Path) -> None:
    script = "import sys; from container import doctor; doctor.main(); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], cwd=repo, capture_output=True, text=True, check=False)
    assert "'container.doctor'" in done.stderr
    for heavy in ("tensorflow", "keras", "ctranslate2", "numpy"):
        assert f"'{heavy}'" not in done.stderr


def test_the_limits_of_the_container_are_shown(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    cpu, memory = doctor.limits(tmp_path, tmp_path / "meminfo")
    assert (cpu.value, memory.value, memory.problem) == ("none", "none, the machine has 15.3 GiB", False)
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text(f"{2 << 30}\n")
    cpu, memory = doctor.limits(tmp_path, tmp_path / "meminfo")
    assert (cpu.value, memory.value, memory.problem) == ("1.5 CPUs", "2.0 GiB, the machine has 15.3 GiB", False)


def test_too_little_memory_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "memory.max").write_text(f"{512 << 20}\n")
    _, memory = doctor.limits(tmp_path, tmp_path / "meminfo")
    assert (memory.problem, memory.value.startswith("0.5 GiB")) == (True, True)


def test_a_cpu_without_avx_is_a_problem_on_x86_alone() -> None:
    old = "model name\t: Old\nflags\t\t: fpu sse sse2\n"
    assert [fact.problem for fact in doctor.processor(old, "x86_64")] == [False, True, False]
    assert not any(fact.problem for fact in doctor.processor("Features\t: fp asimd bf16\n", "aarch64"))
    features = [fact.value for fact in doctor.processor("flags : avx avx2 fma sse\n", "x86_64")][1]
    assert features == "avx avx2 fma"


def nvidia_smi(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-smi").chmod(0o755)


def test_gpus_are_those_that_nvidia_smi_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(tmp_path / "bin", "echo 'Tesla T4, 15360 MiB, 550.54'; echo 'Tesla T4, 15360 MiB, 550.54'")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    _, *devices = doctor.accelerator(tmp_path / "no driver")
    assert [device.value for device in devices] == ["Tesla T4, 15360 MiB, driver 550.54"] * 2


def test_an_nvidia_smi_that_fails_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(tmp_path / "bin", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    _, device = doctor.accelerator(tmp_path / "no driver")
    assert device.problem
    assert "version mismatch" in device.value


def test_without_nvidia_smi_the_kernel_module_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [fact.value for fact in doctor.accelerator(tmp_path / "version")][1:] == ["none"]
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54\nGCC version: 12\n")
    (_, driver) = doctor.accelerator(tmp_path / "version")
    assert driver.value.startswith("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54 (")


def test_a_missing_package_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("keras", "no-such-package"))
    facts = {fact.name: fact for fact in doctor.versions({"PATH": "/nonexistent"})}
    assert (facts["no-such-package"].value, facts["no-such-package"].problem) == ("not installed", True)
    assert not facts["keras"].problem


@pytest.mark.parametrize(
    ("package", "built"), [("tensorflow-cpu", "TensorFlow for CPU"), ("torch", "PyTorch for CPU"), ("neither", "")]
)
def test_an_image_has_one_of_two_frameworks(package: str, built: str, monkeypatch: pytest.MonkeyPatch) -> None:
    have = {*doctor.PACKAGES, package}
    monkeypatch.setattr(doctor, "installed", lambda name: "1.0" if name in have else None)
    facts = {fact.name: fact for fact in doctor.versions({"PATH": os.environ["PATH"]})}
    assert facts.keys() & {*doctor.FRAMEWORKS, "framework"} == {package if built else "framework"}
    assert any(fact.problem for fact in facts.values() if fact.name != "nginx") == (not built)
    if built:
        assert next(doctor.accelerator(Path("/nonexistent"))).value == built


def test_every_mode_of_the_table_is_there(repo: Path) -> None:
    """What the table promises of inference: routes of `serve`, its settings, and the image's labels."""
    promised = dict(doctor.SAGEMAKER_MODES)
    assert "real-time" in promised["inference"]
    assert '"/invocations"' in (repo / "serve" / "web" / "routes.py").read_text()
    assert "_streamed(" in (repo / "serve" / "web" / "routes.py").read_text()
    assert '"/models/<opaque:name>/invoke"' in (repo / "serve" / "web" / "routes.py").read_text()
    assert "multi-models=true" in (repo / "Dockerfile").read_text()
    assert "SAGEMAKER_BIND_TO_PORT" in (repo / "serve" / "settings.py").read_text()
    assert "accept-bind-to-port=true" in (repo / "Dockerfile").read_text()


def test_the_base_folder_is_that_of_the_job(model: Path) -> None:
    facts = list(doctor.examine(Paths(model.parent)))
    assert str(model) in [fact.name for fact in facts if fact.area == "model"]
