"""`docker run IMAGE doctor`: what this image is, and whether it fits the machine and the model it was given.

It prints a table of facts. The exit code is 1 when something keeps `train` or `serve` from working, else 0; each such
line begins with `!`. It imports nothing heavy: the versions come from the packages' metadata, so that the table is
printed in well under a second.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from container.artifact import open_artifact
from container.errors import NmtError
from container.paths import INPUT_MODES, Paths
from container.resources import CGROUP, available_memory, cpu_quota, machine_memory, memory_limit

PACKAGES = (
    "keras",
    "ctranslate2",
    "sentencepiece",
    "numpy",
    "safetensors",
    "sacrebleu",
    "pydantic",
    "flask",
    "gunicorn",
    "prometheus-client",
)
TENSORFLOWS = ("tensorflow-cpu", "tensorflow")  # without and with the kernels for a GPU
FRAMEWORKS = (*TENSORFLOWS, "torch")  # an image has one of them
# Features that make training and translation fast, with Linux's names; TensorFlow's wheels do not start without AVX.
CPU_FEATURES = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
MEMORY_WANTED = 1 << 30  # bytes; TensorFlow and a very small model already take 0.8 GB
SAGEMAKER_MODES = (
    ("training", f"input modes {', '.join(INPUT_MODES)}; managed spot by checkpoints; many hosts; network isolation"),
    ("inference", "real-time, streaming, asynchronous, serverless and multi-model endpoints; batch transform"),
    ("", "in a pipeline on a port of SageMaker's choice; as any user on a read-only root, without network"),
)


@dataclass(frozen=True)
class Fact:
    """One line of the table; `problem` says that it keeps `train` or `serve` from working."""

    area: str
    name: str
    value: str
    problem: bool = False


def main() -> int:
    """Print the table; returns the exit code."""
    facts = list(examine())
    print(table(facts))
    problems = sum(fact.problem for fact in facts)
    if problems:
        print(f"\n{problems} {'problem' if problems == 1 else 'problems'}: see the lines with !")
    return 1 if problems else 0


def examine(paths: Paths | None = None, proc: Path = Path("/proc"), cgroup: Path = CGROUP) -> Iterator[Fact]:
    """Every fact, in the order of the table."""
    yield from versions()
    yield from processor((proc / "cpuinfo").read_text())
    yield from limits(cgroup, proc / "meminfo")
    yield from accelerator(proc / "driver" / "nvidia" / "version")
    yield from user()
    yield model((paths or Paths.from_environment()).model)
    yield from (Fact("SageMaker", name, value) for name, value in SAGEMAKER_MODES)


def table(facts: list[Fact]) -> str:
    """The facts in aligned columns; each area is named once."""
    widths = [max(len(getattr(fact, column)) for fact in facts) for column in ("area", "name")]
    lines, last = [], ""
    for fact in facts:
        area = "" if fact.area == last else fact.area
        mark = "!" if fact.problem else " "
        lines.append(f"{mark} {area:{widths[0]}}  {fact.name:{widths[1]}}  {fact.value}")
        last = fact.area
    return "\n".join(lines)


# ---- the image -----------------------------------------------------------------------------------------


def versions(environment: Mapping[str, str] = os.environ) -> Iterator[Fact]:
    """What is installed; a missing package is a problem."""
    yield Fact("image", "revision", environment.get("NMT_REVISION") or "unknown")
    yield Fact("image", "python", platform.python_version())
    found = [(name, version) for name in FRAMEWORKS if (version := installed(name))]
    yield from (Fact("image", name, version) for name, version in found)
    if not found:
        yield Fact("image", "framework", "neither TensorFlow nor PyTorch is installed", problem=True)
    for name in PACKAGES:
        version = installed(name)
        yield Fact("image", name, version or "not installed", problem=not version)
    path = os.pathsep.join((environment.get("PATH", os.defpath), "/usr/sbin"))
    nginx = shutil.which("nginx", path=path)
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=False).stderr if nginx else ""
    yield Fact("image", "nginx", said.strip().rpartition("/")[2] or "not installed", problem=not nginx)


def installed(package: str) -> str | None:
    """The version of a package from its metadata; None when it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


# ---- the machine ---------------------------------------------------------------------------------------


def processor(cpuinfo: str, machine: str = platform.machine()) -> Iterator[Fact]:
    """Model, features and threads of the CPU; `cpuinfo` is the text of /proc/cpuinfo."""
    entries = dict(line.split(":", 1) for line in cpuinfo.splitlines() if ":" in line)
    entries = {name.strip(): value.strip() for name, value in entries.items()}
    flags = set((entries.get("flags") or entries.get("Features") or "").split())
    yield Fact("CPU", "model", f"{entries.get('model name', 'unnamed')} ({machine})")
    known = " ".join(feature for feature in CPU_FEATURES if feature in flags)
    if machine == "x86_64" and "avx" not in flags:
        yield Fact("CPU", "features", "no AVX, which TensorFlow needs: take a newer instance type", problem=True)
    else:
        yield Fact("CPU", "features", known or "none of those looked for")
    yield Fact("CPU", "threads", f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}")


def limits(cgroup: Path, meminfo: Path) -> Iterator[Fact]:
    """What the container may use of the machine."""
    quota, allowed = cpu_quota(cgroup), memory_limit(cgroup)
    yield Fact("limits", "CPU", "none" if quota is None else f"{quota:g} CPUs")
    usable = available_memory(cgroup, meminfo)
    value = f"{'none' if allowed is None else gib(allowed)}, the machine has {gib(machine_memory(meminfo))}"
    if usable < MEMORY_WANTED:
        value += f": training wants {gib(MEMORY_WANTED)} or more"
    yield Fact("limits", "memory", value, problem=usable < MEMORY_WANTED)


def gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def accelerator(driver: Path) -> Iterator[Fact]:
    """The GPU that NVIDIA's tools show, and whether this image could use it."""
    title = "TensorFlow" if any(map(installed, TENSORFLOWS)) else "PyTorch"
    yield Fact("GPU", "image", f"{title} with CUDA" if installed("nvidia-cublas-cu12") else f"{title} for CPU")
    tool = shutil.which("nvidia-smi")
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    if tool:
        asked = subprocess.run([tool, *query], capture_output=True, text=True, check=False)
        for line in asked.stdout.splitlines() if asked.returncode == 0 else ():
            name, memory, version = (part.strip() for part in line.split(","))
            yield Fact("GPU", "device", f"{name}, {memory}, driver {version}")
        if asked.returncode:
            said = (asked.stdout + asked.stderr).strip().partition("\n")[0]
            yield Fact("GPU", "device", f"nvidia-smi failed: {said}", problem=True)
    elif driver.is_file():
        yield Fact("GPU", "driver", driver.read_text().partition("\n")[0] + " (without nvidia-smi in the container)")
    else:
        yield Fact("GPU", "device", "none")


def user() -> Iterator[Fact]:
    """Which user runs this, and whether it can write to /tmp, the only folder that must be writable."""
    yield Fact("user", "uid:gid", f"{os.getuid()}:{os.getgid()}")
    writable = os.access("/tmp", os.W_OK)
    value = "writable" if writable else "not writable: give a --tmpfs /tmp to a container with a read-only root"
    yield Fact("user", "/tmp", value, problem=not writable)


# ---- the model -----------------------------------------------------------------------------------------


def model(path: Path) -> Fact:
    """The model directory: whole, absent (`train` makes one), or damaged, which is a problem."""
    if not path.is_dir() or not any(path.iterdir()):
        return Fact("model", str(path), "none: mount one to serve, or train")
    try:
        manifest = open_artifact(path).manifest
    except NmtError as error:
        return Fact("model", str(path), str(error), problem=True)
    languages = f"{manifest.source_lang} to {manifest.target_lang}{' and back' if manifest.reverse else ''}"
    whole = f"format {manifest.format_version}, {len(manifest.files)} files, checksums right"
    return Fact("model", str(path), f"{languages}, {manifest.engine}, {whole}")


if __name__ == "__main__":
    sys.exit(main())
