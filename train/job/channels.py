"""Input channels: where SageMaker puts the data, in each of the three input modes.

    File, FastFile   files below `/opt/ml/input/data/<channel>/` (FastFile is read-only, and streamed from S3)
    Pipe             a fifo `/opt/ml/input/data/<channel>_<epoch>`, to be read from start to end, once

`sources` gives the paths to read in every mode, `binary_lines` the lines of such a path, gzipped or not.
"""

from __future__ import annotations

import difflib
import gzip
import io
import json
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from container.errors import ChannelError
from container.paths import INPUT_MODES, Paths

Mode = Literal["File", "FastFile", "Pipe"]
PIPE_SECONDS = 300.0  # how long SageMaker may take to make the next fifo

# Files that SageMaker's uploader and downloader leave beside the data.
_MARKERS = (".sagemaker-uploading", ".sagemaker-uploaded", ".sagemaker-ignore", "-manifest")
# Folders beside the channels, which the SDK uses for its own scripts.
_NOT_CHANNELS = frozenset({"code", "sm_drivers"})
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Channel:
    """One input channel, as `inputdataconfig.json` describes it."""

    name: str
    directory: Path
    mode: Mode = "File"
    content_type: str | None = None
    sharded: bool = False
    """ShardedByS3Key: this host has a part of the objects, which may be none at all."""


def read_channels(paths: Paths) -> dict[str, Channel]:
    """All channels by name, from `inputdataconfig.json`.

    The data folder holds more than channels (training contract, "Channels/modes"), so its sub-folders are taken for
    the channels only where the file is missing or may not be read. `ChannelError` when the file is damaged or names
    an unknown mode.
    """
    file = paths.input_data_config
    try:
        content = file.read_bytes()
    except (FileNotFoundError, PermissionError):
        return _listed(paths.data)
    try:
        config = json.loads(content)
    except ValueError as error:
        raise ChannelError(f"{file} is not valid JSON ({error}): write one object, a key for each channel.") from None
    if not isinstance(config, dict) or not all(isinstance(entry, dict) for entry in config.values()):
        raise ChannelError(f'{file} must hold an object such as {{"training": {{"TrainingInputMode": "File"}}}}.')
    return {name: _configured(file, paths.data, name, entry) for name, entry in config.items()}


def _configured(file: Path, data: Path, name: str, entry: Mapping[str, str]) -> Channel:
    mode = entry.get("TrainingInputMode", "File")
    if mode not in INPUT_MODES:
        raise ChannelError(f"{file}: channel {name} has the mode {mode!r}: use one of {', '.join(INPUT_MODES)}.")
    if entry.get("RecordWrapperType", "None") != "None":
        raise ChannelError(f"{file}: channel {name} is wrapped as RecordIO: set its RecordWrapperType to None.")
    return Channel(
        name=name,
        directory=data / name,
        mode=cast(Mode, mode),
        content_type=entry.get("ContentType"),
        sharded=entry.get("S3DistributionType") == "ShardedByS3Key",
    )


def _listed(data: Path) -> dict[str, Channel]:
    if not data.is_dir():
        return {}
    names = [entry.name for entry in sorted(data.iterdir()) if entry.is_dir()]
    wanted = [name for name in names if _is_data(name) and name not in _NOT_CHANNELS]
    return {name: Channel(name, data / name) for name in wanted}


def _is_data(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_MARKERS)


def required(channels: Mapping[str, Channel], name: str) -> Channel:
    """The channel of that name, or a `ChannelError` that says which ones there are."""
    if name in channels:
        return channels[name]
    others = f"only {', '.join(channels)}" if channels else "no channel at all"
    raise ChannelError(f"There is no channel {name!r} ({others}): give the job an input channel called {name!r}.")


def files(channel: Channel) -> list[Path]:
    """The data files of a File or FastFile channel, sorted, those in sub-folders too.

    Hidden files, upload markers and manifests are skipped. An empty list means that this host got no part of a
    sharded channel. `ChannelError` when any other channel is empty or missing.
    """
    folder = channel.directory
    if not folder.is_dir() and not channel.sharded:
        raise ChannelError(f"Channel {channel.name!r} has no folder {folder}: mount it, or check the job's input.")
    found = [path for path in folder.rglob("*") if all(map(_is_data, path.relative_to(folder).parts))]
    found = sorted(path for path in found if path.is_file())
    if not found and not channel.sharded:
        raise ChannelError(f"Channel {channel.name!r} holds no file in {folder}: put at least one data file there.")
    return found


def find_file(channel: Channel, name: str) -> Path:
    """The file `name` (a path below the channel's folder), or a `ChannelError` with the nearest name."""
    by_name = {path.relative_to(channel.directory).as_posix(): path for path in files(channel)}
    if name in by_name:
        return by_name[name]
    close = difflib.get_close_matches(name, by_name, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(list(by_name)[:5]) or 'no file'}"
    raise ChannelError(f"Channel {channel.name!r} has no file {name!r} in {channel.directory} ({hint}).")


def sources(channel: Channel, epoch: int = 0, patience: float = PIPE_SECONDS) -> list[Path]:
    """What to read, for `binary_lines`: the files of the channel, or its fifo of this epoch (from 0)."""
    return [pipe(channel, epoch, patience)] if channel.mode == "Pipe" else files(channel)


def pipe(channel: Channel, epoch: int, patience: float = PIPE_SECONDS) -> Path:
    """The fifo of one epoch; waits up to `patience` seconds, because SageMaker makes it only when it is needed."""
    fifo = channel.directory.with_name(f"{channel.name}_{epoch}")
    deadline = time.monotonic() + patience
    while not fifo.exists():
        if time.monotonic() >= deadline:
            raise ChannelError(
                f"Channel {channel.name!r} is in Pipe mode, but there is no {fifo} after {patience:g} s."
            )
        time.sleep(0.05)
    return fifo


def binary_lines(path: Path) -> Iterator[bytes]:
    r"""The lines of a file or fifo with their ends, split at `\n` only; gzip is known by its first bytes.

    `path` is opened once and read once from start to end, because a fifo allows no more.
    """
    try:
        with open_binary(path) as stream:
            yield from stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ChannelError(f"{path} is damaged gzip data ({error}): compress and upload it again.") from None


@contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """A file or fifo open for reading bytes, decompressed where it begins with gzip's magic number."""
    with path.open("rb") as raw:
        head = raw.read(len(_GZIP))
        stream = io.BufferedReader(_Rejoined(head, raw), buffer_size=1 << 16)
        yield cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if head == _GZIP else stream


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were read already and are given again: a fifo cannot be rewound."""

    def __init__(self, head: bytes, rest: io.BufferedReader) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._head or self._rest.read1(len(buffer))
        self._head = b""
        buffer[: len(chunk)] = chunk
        return len(chunk)
