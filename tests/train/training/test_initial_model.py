"""The channel `model`: training that begins with the weights and the tokenizer of an earlier job's model."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import threading
from itertools import islice
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from container.artifact import MANIFEST, WEIGHTS, open_artifact
from container.errors import ArtifactError, ChannelError
from data.sample import read_part
from tests.conftest import TOY, Job
from train.__main__ import run_job
from train.job.channels import Channel
from train.job.hyperparameters import parse, read
from train.training.checkpoints import compute_digest
from train.training.initial_model import read_initial_model

HYPERPARAMETERS = {
    **TOY,
    **{"epochs": "30", "batch_size": "16", "log_every": "1", "learning_rate": "0.01", "warmup_steps": "1"},
    **{"vocab_size": "400", "max_len": "40", "validation_fraction": "0", "checkpoint_seconds": "0"},
}
AGAIN = {**HYPERPARAMETERS, "epochs": "1"}


def train(job: Job, **hyperparameters: str) -> None:
    """Run the job in this process."""
    job.configure({**AGAIN, **hyperparameters})
    run_job(read(job.paths.hyperparameters), job.paths, threading.Event())


def new_job(base: Path) -> Job:
    job = Job(base)
    job.channel("training", pairs__tsv=tsv(0, 200))
    return job


def tsv(start: int, stop: int) -> str:
    return "".join(f"{source}\t{target}\n" for source, target in islice(read_part("train"), start, stop))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of a job of 30 epochs. Read it, do not change it."""
    job = new_job(tmp_path_factory.mktemp("earlier") / "ml")
    train(job, **HYPERPARAMETERS)
    return job.paths.model


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job of one epoch on the same corpus, with no channel `model` yet."""
    return new_job(tmp_path / "ml")


@pytest.fixture
def channel(job: Job) -> Path:
    return job.channel("model")


def archive(model: Path, path: Path) -> Path:
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tar:
        for entry in sorted(model.iterdir()):
            tar.add(entry, arcname=entry.name)
    return path


def change_manifest(model: Path, **values: object) -> None:
    manifest = json.loads((model / MANIFEST).read_text())
    (model / MANIFEST).write_text(json.dumps({**manifest, **values}))


def losses(printed: str) -> list[float]:
    return [float(loss) for loss in re.findall(r"train_loss=([0-9.]+);", printed)]


@pytest.mark.parametrize("form", ["directory", "archive"])
def test_training_begins_with_the_weights_and_the_tokenizer(
    earlier: Path, job: Job, channel: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a rate of nearly nothing the weights stay what they were, and the tokenizer is the earlier one though
    the corpus is another, and another tokenizer would be made of it."""
    if form == "directory":
        shutil.copytree(earlier, channel, dirs_exist_ok=True)
    else:
        archive(earlier, channel / "model.tar.gz")
    job.channel("training", pairs__tsv=tsv(200, 400))
    train(job, clip_norm="1e-30", learning_rate="1e-30")
    printed = capsys.readouterr().out
    assert "train: starting from the weights of the model in channel 'model' (" in printed
    assert "train: vocabulary" not in printed
    model, before = (open_artifact(path, with_weights=True) for path in (job.paths.model, earlier))
    assert model.tokenizer.read_bytes() == before.tokenizer.read_bytes()
    assert compute_digest(load_file(model.weights)) == compute_digest(load_file(before.weights))
    assert f"weights_sha256={compute_digest(load_file(before.weights))};" in printed


@pytest.mark.parametrize("form", ["nested", "model.tar.gz", "model.tgz", "model.tar", "archive with a top folder"])
def test_other_forms_of_the_same_model(earlier: Path, channel: Path, tmp_path: Path, form: str) -> None:
    if form == "nested":
        shutil.copytree(earlier, channel / "model")
    elif form == "archive with a top folder":
        with tarfile.open(channel / "model.tar.gz", "w:gz") as tar:
            tar.add(earlier, arcname="model")
    else:
        archive(earlier, channel / form)
    (tmp_path / "scratch").mkdir()
    initial = read_initial_model(Channel("model", channel), parse(AGAIN), tmp_path / "scratch")
    assert compute_digest(initial.weights) == compute_digest(load_file(earlier / WEIGHTS))
    assert initial.tokenizer.read_bytes() == (earlier / "tokenizer.model").read_bytes()


def test_the_loss_goes_on_from_where_it_was(
    earlier: Path, job: Job, channel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(new_job(tmp_path / "from scratch"))
    scratch = losses(capsys.readouterr().out)
    shutil.copytree(earlier, channel, dirs_exist_ok=True)
    train(job)
    assert losses(capsys.readouterr().out)[0] < scratch[0] - 1.0


def test_a_restarted_job_goes_on_from_its_checkpoint_not_from_the_channel(
    earlier: Path, job: Job, channel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(earlier, channel, dirs_exist_ok=True)
    train(job)
    done = len(losses(capsys.readouterr().out))
    train(job, epochs="2")
    printed = capsys.readouterr().out
    assert f"{done} updates were done" in printed
    assert "starting from the weights" not in printed
    assert f"step={done + 1}; " in printed


def test_the_channel_is_only_read(earlier: Path, job: Job, channel: Path) -> None:
    archive(earlier, channel / "model.tar.gz")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [channel, *channel.rglob("*")]}
    train(job)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [channel, *channel.rglob("*")]} == before


def test_another_language_pair_is_refused_by_name(earlier: Path, job: Job, channel: Path) -> None:
    shutil.copytree(earlier, channel, dirs_exist_ok=True)
    with pytest.raises(ChannelError, match="translates from en to es, this job from en to fr: set source_lang and"):
        train(job, target_lang="fr")
    assert not job.paths.model.exists()


def test_another_direction_is_refused_by_name(earlier: Path, job: Job, channel: Path) -> None:
    shutil.copytree(earlier, channel, dirs_exist_ok=True)
    with pytest.raises(
        ChannelError, match="with direction=forward, this job has direction=both: set direction=forward"
    ):
        train(job, direction="both")
    change_manifest(channel, reverse={"source_tokens_prefix": ["<2en>"], "clean_up": {}})
    with pytest.raises(ChannelError, match="with direction=both, this job has direction=forward: set direction=both"):
        train(job)
    assert not job.paths.model.exists()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (
            {"d_model": "32"},
            r"another vocabulary or width: its weight embedding is \(\d+, 16\), .* is \(\d+, 32\);",
        ),
        ({"n_heads": "4"}, r"has 2 attention heads, this job's has 4: set n_heads=2\."),
        ({"ffn_dim": "64"}, r"another shape: its weight \S*ffn\S* is \(.*32.*\), this job's is \(.*64.*\)"),
        ({"n_layers": "2"}, r"another shape: its weight \S+ is None, this job's is \(\d+"),
    ],
)
def test_another_shape_is_refused_by_name(
    earlier: Path, job: Job, channel: Path, changed: dict[str, str], named: str
) -> None:
    shutil.copytree(earlier, channel, dirs_exist_ok=True)
    with pytest.raises(ChannelError, match=named):
        train(job, **changed)


@pytest.mark.parametrize("damage", ["cut short", "flipped", "no archive"])
def test_a_damaged_archive_is_refused_by_name(earlier: Path, job: Job, channel: Path, damage: str) -> None:
    path = archive(earlier, channel / "model.tar.gz")
    content = bytearray(path.read_bytes())
    if damage == "cut short":
        del content[len(content) // 2 :]
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    else:
        content = bytearray(b"not an archive")
    path.write_bytes(content)
    with pytest.raises((ChannelError, ArtifactError), match=r"cannot be unpacked|is damaged") as refused:
        train(job)
    assert str(path) in str(refused.value) or "sha256" in str(refused.value)


def test_an_archive_that_reaches_outside_is_refused(earlier: Path, job: Job, channel: Path, tmp_path: Path) -> None:
    with tarfile.open(channel / "model.tar.gz", "w:gz") as tar:
        tar.add(earlier / MANIFEST, arcname="../../outside.json")
    with pytest.raises(ChannelError, match=r"model\.tar\.gz cannot be unpacked \("):
        train(job)
    assert not list(tmp_path.rglob("outside.json"))


def test_a_damaged_weight_file_is_refused_by_name(earlier: Path, job: Job, channel: Path) -> None:
    shutil.copytree(earlier, channel, dirs_exist_ok=True)
    content = bytearray((channel / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (channel / WEIGHTS).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"weights\.safetensors is damaged"):
        train(job)


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_a_model_without_its_weights_is_refused_by_name(earlier: Path, job: Job, channel: Path, listed: bool) -> None:
    """A small published model leaves weights.safetensors out."""
    shutil.copytree(earlier, channel, dirs_exist_ok=True)
    (channel / WEIGHTS).unlink()
    if not listed:
        files = json.loads((channel / MANIFEST).read_text())["files"]
        change_manifest(channel, files={name: digest for name, digest in files.items() if name != WEIGHTS})
    with pytest.raises((ChannelError, ArtifactError), match=r"weights\.safetensors"):
        train(job)


def test_an_empty_channel_is_refused_by_name(job: Job, channel: Path) -> None:
    with pytest.raises(ChannelError, match="Channel 'model' holds no file"):
        train(job)
