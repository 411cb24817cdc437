"""A SageMaker training job under `docker run`: its folders, its mounts, its model."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.engine import Containers, bind

TOY = {
    "epochs": "1",
    "d_model": "16",
    "ffn_dim": "32",
    "n_heads": "2",
    "n_layers": "1",
    "vocab_size": "500",
    "batch_tokens": "512",
    "test_fraction": "0.1",
    "validation_fraction": "0.1",
}


@dataclass(frozen=True)
class Job:
    """The folders of one training job, mounted as SageMaker mounts them."""

    base: Path

    @classmethod
    def create(cls, base: Path, pairs: Path, hyperparameters: Mapping[str, str]) -> Job:
        config = base / "input" / "config"
        channel = base / "input" / "data" / "training"
        folders = (base / "model", base / "output", base / "checkpoints")
        for folder in (config, channel, *folders):
            folder.mkdir(parents=True)
        for folder in folders:
            folder.chmod(0o777)  # for a job that runs as another user than this test
        channel.joinpath("pairs.tsv").write_bytes(pairs.read_bytes())
        files: dict[str, object] = {
            "hyperparameters.json": hyperparameters,
            "inputdataconfig.json": {"training": {"TrainingInputMode": "File"}},
            "resourceconfig.json": {
                "current_host": "algo-1",
                "hosts": ["algo-1"],
                "network_interface_name": "eth0",
            },
        }
        for name, content in files.items():
            (config / name).write_text(json.dumps(content))
        return cls(base)

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def failure(self) -> Path:
        return self.base / "output" / "failure"

    def mounts(self) -> list[str]:
        return [
            bind(self.base / "input" / "config", "/opt/ml/input/config", readonly=True),
            bind(self.base / "input" / "data", "/opt/ml/input/data", readonly=True),
            *(bind(self.base / name, f"/opt/ml/{name}") for name in ("model", "output", "checkpoints")),
        ]

    def run(self, containers: Containers, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the job to its end; afterwards its files belong to the user who runs the test."""
        done = containers.run("train", options=[*self.mounts(), *options])
        owner = f"{os.getuid()}:{os.getgid()}"
        containers.run("chown", "-R", owner, "/job", options=[bind(self.base, "/job")])
        return done

    def run_well(self, image: str, *options: str) -> str:
        """Run the job without network, in a container of its own, to a good end; returns what it printed."""
        containers = Containers(image)
        try:
            done = self.run(containers, *options, "--network=none")
        finally:
            containers.remove_all()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
