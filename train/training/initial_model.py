"""Incremental training: a run that begins with the weights and the tokenizer of the model in the channel `model`.

SageMaker hands this channel over as the model.tar.gz of the earlier job, not unpacked. A model directory is taken as
well, also one that is nested one level too deep. The channel is only read.
"""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from container.artifact import Artifact, open_artifact
from container.errors import ChannelError
from train.job.channels import Channel, files
from train.job.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class InitialModel:
    """What training begins with: float32 weights by name, and the tokenizer that they belong to."""

    path: Path
    weights: dict[str, np.ndarray]
    tokenizer: Path


def read_initial_model(channel: Channel, hp: Hyperparameters, scratch: Path) -> InitialModel:
    """The model in `channel`; an archive is unpacked into `scratch`.

    `ChannelError` when its languages, its direction or its attention heads are not this job's, or it has no weights.
    """
    artifact = _open(channel, scratch)
    manifest = artifact.manifest
    wanted, found = (hp.source_lang, hp.target_lang), (manifest.source_lang, manifest.target_lang)
    if wanted != found:
        raise ChannelError(
            f"The model in channel {channel.name!r} translates from {found[0]} to {found[1]}, this job from "
            f"{wanted[0]} to {wanted[1]}: set source_lang and target_lang, or drop the channel."
        )
    direction = "both" if manifest.reverse else "forward"
    if hp.direction != direction:
        raise ChannelError(
            f"The model in channel {channel.name!r} was trained with direction={direction}, this job has "
            f"direction={hp.direction}: set direction={direction}, or drop the channel."
        )
    if "weights.safetensors" not in manifest.files:
        raise ChannelError(
            f"The model in channel {channel.name!r} has no weights.safetensors to start from: "
            "use the whole model directory that `train` wrote."
        )
    heads = manifest.hyperparameters.get("n_heads", hp.n_heads)
    if heads != hp.n_heads:  # no weight has another shape then
        raise ChannelError(
            f"The model in channel {channel.name!r} has {heads} attention heads, this job's has {hp.n_heads}: "
            f"set n_heads={heads}."
        )
    return InitialModel(artifact.path, load_file(artifact.weights), artifact.tokenizer)


def _open(channel: Channel, scratch: Path) -> Artifact:
    archives = [path for path in files(channel) if path.name.endswith((".tar.gz", ".tgz", ".tar"))]
    if not archives:
        return open_artifact(channel.directory, with_weights=True)
    try:
        with tarfile.open(archives[0]) as archive:
            archive.extractall(scratch, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ChannelError(f"{archives[0]} cannot be unpacked ({error}): give the model.tar.gz of a job.") from None
    return open_artifact(scratch, with_weights=True)


def refuse_other_shape(initial: InitialModel, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """`ChannelError` that names the first weight that is missing on one side or has another shape than in `shapes`."""
    for name in sorted(shapes.keys() | initial.weights.keys(), key=lambda name: (name != "embedding", name)):
        before = initial.weights[name].shape if name in initial.weights else None
        if before != shapes.get(name):
            what = "vocabulary or width" if name == "embedding" else "shape"
            raise ChannelError(
                f"The model in channel 'model' has another {what}: its weight {name} is {before}, this job's is "
                f"{shapes.get(name)}; give d_model, ffn_dim, n_heads and the layers as that model was trained with."
            )
