"""Train, serve and translate on this machine, without Docker or AWS: what `make demo` runs.

python -m local_test.demo [--data sample|tatoeba|PATH.tsv] [--minutes N] [--work DIR]

It does the same as SageMaker: it makes the folders of a training job, starts `train`, starts `serve` with the model
directory that `train` wrote, waits for /ping, and sends sentences to /invocations.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import requests
from rich.console import Console
from rich.table import Table

from container.artifact import Manifest, read_manifest
from container.paths import Paths

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = (
    "Good morning!",
    "I am very tired today.",
    "Where is the station?",
    "My sister has a small dog.",
    "We want to eat fish.",
    "She doesn't speak Spanish.",
    "The red car is in front of the house.",
    "I bought three books yesterday.",
    "Can you help me?",
    "Tomorrow we are going to visit our grandparents.",
)
# Real corpora get the recipe for an hour. The sample has 9,000 short pairs: a small model learns them in minutes.
# `epochs` is an upper bound that decides the length of the warm-up; `max_minutes` ends training earlier.
DEFAULTS = {"preset": "fast", "log_every": "100"}
SAMPLE = {
    "d_model": "128",
    "ffn_dim": "512",
    "n_layers": "2",
    "vocab_size": "4000",
    "dropout_rate": "0.2",
    "batch_tokens": "1024",
    "epochs": "40",
    "log_every": "200",
}
MINUTES = {"sample": 3.5, "tatoeba": 36.0}  # of training steps; reading, evaluation and export take more
READY_SECONDS = 60.0
STOP_SECONDS = 130.0  # SageMaker gives training 120 seconds after SIGTERM

console = Console()


class DemoError(Exception):
    """A step failed; the message says which and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local_test.demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="sample", help="sample, tatoeba, or a TSV file of sentence pairs")
    parser.add_argument("--minutes", type=float, help="of training steps at most (3.5 for the sample, else 36)")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "demo", help="folder for everything written")
    given = parser.parse_args(arguments)
    minutes = given.minutes or MINUTES.get(given.data, MINUTES["tatoeba"])
    base = given.work.resolve() / "opt-ml"
    try:
        lay_out(base, given.data, minutes)
        train(base)
        manifest = read_manifest(Paths(base).model)
        show_scores(manifest)
        with serve(base) as url:
            show_translations(translate(url, SENTENCES), manifest, sentences_of(Paths(base).data / "training"))
    except DemoError as error:
        console.print(f"[bold red]demo:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("demo: stopped.")
        return 130
    console.print(f"The model directory is {base / 'model'}; `train` and `serve` have ended.", highlight=False)
    console.print(f"To translate in a browser: make serve FROM={shlex.quote(os.path.relpath(base))}", highlight=False)
    return 0


# ---- training ------------------------------------------------------------------------------------------


def lay_out(base: Path, data: str, minutes: float) -> None:
    """Make the folders and files that SageMaker prepares for a training job, in `base` instead of /opt/ml."""
    shutil.rmtree(base, ignore_errors=True)
    paths = Paths(base)
    paths.config.mkdir(parents=True)
    put_data(paths.data, data)
    hyperparameters = {**(SAMPLE if data == "sample" else DEFAULTS), "max_minutes": str(minutes)}
    channels = {
        folder.name: {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
        for folder in sorted(paths.data.iterdir())
    }
    host = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
    write_json(paths.hyperparameters, hyperparameters)
    write_json(paths.input_data_config, channels)
    write_json(paths.resource_config, host)


def put_data(folder: Path, data: str) -> None:
    """Fill the channels: the sample has one for training and one for testing; `train` splits other corpora."""
    if data == "sample":
        step("Writing the sample", [sys.executable, "-m", "data.sample", str(folder)])
        return
    training = folder / "training"
    if data == "tatoeba":
        step("Fetching the Tatoeba corpus", [str(ROOT / "data" / "download.sh"), str(training)])
        return
    file = Path(data)
    if not file.is_file():
        raise DemoError(f"There is no file {data}: give sample, tatoeba or a TSV file to --data.")
    training.mkdir(parents=True)
    shutil.copy(file, training)


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def train(base: Path) -> None:
    """Run the training job to its end; its progress bar is on this terminal."""
    step("Training", [str(ROOT / "container" / "bin" / "train")], base)
    if not (Paths(base).model / "manifest.json").is_file():
        raise DemoError("`train` ended well but left no model directory; its lines above say why.")


def show_scores(manifest: Manifest) -> None:
    for name, title in (("bleu", "BLEU"), ("chrf", "chrF")):
        if score := manifest.scores.get(name):
            console.print(f"{title} on held-out sentences: [bold]{score.value:.1f}[/] [dim]{score.signature}[/]")


# ---- serving -------------------------------------------------------------------------------------------


@contextmanager
def serve(base: Path) -> Iterator[str]:
    """Start an endpoint on a free port, yield its address once /ping answers 200, and stop it by SIGTERM afterwards."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = base.parent / "serve.log"
    console.rule(f"Serving at {url}", align="left")
    command = [str(ROOT / "container" / "bin" / "serve")]
    with log.open("wb") as output, child(command, base, output, SAGEMAKER_BIND_TO_PORT=str(port)) as process:
        wait_for_ping(url, process, log)
        yield url
    if process.returncode:
        raise DemoError(f"`serve` ended with exit code {process.returncode} after SIGTERM instead of 0.")


def wait_for_ping(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when /ping answers 200. Raises DemoError when the server ends or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoError(f"`serve` ended with exit code {process.returncode}; {log} says why.")
        try:
            if requests.get(f"{url}/ping", timeout=2).status_code == 200:
                return
        except requests.RequestException:
            pass  # nginx has not started yet
        time.sleep(0.05)
    raise DemoError(f"/ping did not answer 200 within {READY_SECONDS:.0f} seconds.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def translate(url: str, sentences: Sequence[str]) -> list[dict[str, Any]]:
    """The predictions for the sentences, from one request such as any client sends."""
    body: Any = {"instances": list(sentences), "parameters": {"return_scores": True}}
    answer = requests.post(f"{url}/invocations", json=body, timeout=60)
    if answer.status_code != 200:
        raise DemoError(f"/invocations answered {answer.status_code}: {answer.text}")
    return list(answer.json()["predictions"])


def show_translations(predictions: Sequence[dict[str, Any]], manifest: Manifest, known: set[str]) -> None:
    table = Table(title="POST /invocations", title_justify="left")
    table.add_column(manifest.source_lang)
    table.add_column(manifest.target_lang)
    table.add_column("score", justify="right")
    table.add_column("seen")
    for sentence, prediction in zip(SENTENCES, predictions, strict=True):
        seen = "yes" if sentence in known else "no"
        table.add_row(sentence, prediction["translation"], f"{prediction['score']:.2f}", seen)
    console.print(table)
    console.print("[dim]score: mean log-probability of a token, 0 is certain; seen: it is in the training data[/]")


def sentences_of(channel: Path) -> set[str]:
    """The source sentences of a channel's TSV files."""
    return {
        line.partition("\t")[0]
        for file in channel.rglob("*.tsv")
        for line in file.read_text(encoding="utf-8-sig").splitlines()
    }


# ---- child processes -----------------------------------------------------------------------------------


def step(title: str, command: Sequence[str], base: Path | None = None) -> None:
    """Print a heading and run a command to its end. Raises DemoError when it fails."""
    console.rule(title, align="left")
    with child(command, base) as process:
        process.wait()
    if process.returncode:
        raise DemoError(f"{title} failed (exit code {process.returncode}); its lines above say why.")


@contextmanager
def child(
    command: Sequence[str], base: Path | None, output: BinaryIO | None = None, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child process and end it by SIGTERM when the block ends, also after an exception.

    It writes to `output`, or to this terminal. It runs in its own session, so that Ctrl-C does not reach it: it ends by
    SIGTERM, as in SageMaker.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    python_path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    settings = {**os.environ, "PATH": path, "PYTHONPATH": python_path, **environment}
    if base is not None:
        settings["SAGEMAKER_BASE_DIR"] = str(base)
    process = subprocess.Popen(command, env=settings, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
