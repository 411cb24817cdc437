"""Channels as SageMaker lays them out: real folders, real fifos."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from container.errors import ChannelError
from container.paths import Paths
from train.job.channels import Channel, binary_lines, files, find_file, read_channels, required, sources


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path)
    found.config.mkdir(parents=True)
    found.data.mkdir()
    return found


def configure(paths: Paths, config: object) -> None:
    paths.input_data_config.write_text(json.dumps(config))


def put(path: Path, content: bytes = b"a\tb\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@contextmanager
def fed(fifo: Path, *contents: bytes) -> Iterator[None]:
    """A real fifo and a thread that writes to it, one piece after the other."""
    os.mkfifo(fifo)

    def write() -> None:
        with fifo.open("wb", buffering=0) as stream:
            for content in contents:
                stream.write(content)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    yield
    thread.join(timeout=20)
    assert not thread.is_alive(), "the fifo was not read to its end"


# inputdataconfig.json


def test_the_services_own_config_is_understood(paths: Paths) -> None:
    entry = {"S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    configure(
        paths,
        {
            "training": {**entry, "TrainingInputMode": "File", "ContentType": "text/csv"},
            "validation": {**entry, "TrainingInputMode": "FastFile"},
            "test": {"TrainingInputMode": "Pipe", "S3DistributionType": "ShardedByS3Key"},
            "model": {},
        },
    )
    assert read_channels(paths) == {
        "training": Channel("training", paths.data / "training", "File", "text/csv"),
        "validation": Channel("validation", paths.data / "validation", "FastFile"),
        "test": Channel("test", paths.data / "test", "Pipe", sharded=True),
        "model": Channel("model", paths.data / "model", "File"),
    }


def test_the_data_folder_is_not_listed_when_there_is_a_config(paths: Paths) -> None:
    configure(paths, {"training": {"TrainingInputMode": "File"}})
    put(paths.data / "other" / "a.tsv")
    assert list(read_channels(paths)) == ["training"]


def test_without_a_config_the_sub_folders_are_the_channels(paths: Paths) -> None:
    for name in ("training", "model", "training-manifest", "code", "sm_drivers", ".hidden"):
        put(paths.data / name / "a.tsv")
    put(paths.data / "stray.tsv")
    channels = read_channels(paths)
    assert list(channels) == ["model", "training"]
    assert channels["training"] == Channel("training", paths.data / "training", "File")


def test_without_config_and_data_there_is_no_channel(tmp_path: Path) -> None:
    assert read_channels(Paths(tmp_path)) == {}


def test_a_config_folder_that_may_not_be_entered_is_as_if_the_file_were_missing() -> None:
    """SageMaker was seen to mount it as `drw-r--r-- root`: any other user may list but not open."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    is_root = os.geteuid() == 0
    try:
        folder.chmod(0o755)
        found = Paths(folder)
        found.config.mkdir(parents=True)
        configure(found, {"training": {"TrainingInputMode": "Pipe"}})
        put(found.data / "training" / "a.tsv")
        found.config.chmod(0o644)
        if is_root:
            os.seteuid(65534)
        channels = read_channels(found)
    finally:
        if is_root:
            os.seteuid(0)
        found.config.chmod(0o755)
        shutil.rmtree(folder)
    assert channels["training"].mode == "File"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold an object"),
        ('{"training": "File"}', "must hold an object"),
        (
            '{"training": {"TrainingInputMode": "Tape"}}',
            "training has the mode 'Tape': use one of File, FastFile, Pipe",
        ),
        ('{"training": {"RecordWrapperType": "RecordIO"}}', "training is wrapped as RecordIO"),
    ],
)
def test_a_damaged_config_is_named(paths: Paths, content: str, sentence: str) -> None:
    paths.input_data_config.write_text(content)
    with pytest.raises(ChannelError, match=rf"inputdataconfig\.json.* {sentence}"):
        read_channels(paths)


def test_a_required_channel(paths: Paths) -> None:
    configure(paths, {"train": {}, "test": {}})
    assert required(read_channels(paths), "test").name == "test"
    with pytest.raises(ChannelError, match=r"no channel 'training' \(only train, test\)"):
        required(read_channels(paths), "training")
    with pytest.raises(ChannelError, match=r"no channel 'training' \(no channel at all\)"):
        required({}, "training")


# Files


@pytest.fixture
def channel(paths: Paths) -> Channel:
    return Channel("training", paths.data / "training")


def test_files_are_sorted_and_found_in_sub_folders(channel: Channel) -> None:
    wanted = [put(channel.directory / name) for name in ("a.tsv", "b/a.tsv", "b/c/d.tsv", "z.tsv")]
    assert files(channel) == wanted


@pytest.mark.parametrize(
    "name",
    [
        ".hidden",
        ".cache/a.tsv",
        "a.tsv.sagemaker-uploading",
        "a.tsv.sagemaker-uploaded",
        "b.sagemaker-ignore",
        "a.tsv-manifest",
        "training-manifest/part",
    ],
)
def test_what_is_no_data_is_passed_over(channel: Channel, name: str) -> None:
    data = put(channel.directory / "a.tsv")
    put(channel.directory / name)
    assert files(channel) == [data]


def test_a_channel_without_its_folder(channel: Channel) -> None:
    with pytest.raises(ChannelError, match=r"Channel 'training' has no folder .*data/training"):
        files(channel)


def test_a_channel_without_a_file(channel: Channel) -> None:
    put(channel.directory / ".hidden")
    with pytest.raises(ChannelError, match=r"Channel 'training' holds no file in .*data/training"):
        files(channel)


@pytest.mark.parametrize("has_folder", [True, False])
def test_a_host_that_got_no_part_of_a_sharded_channel(channel: Channel, has_folder: bool) -> None:
    if has_folder:
        channel.directory.mkdir()
    assert files(Channel(channel.name, channel.directory, sharded=True)) == []


def test_find_file(channel: Channel) -> None:
    wanted = put(channel.directory / "sub" / "spa-eng.tsv")
    put(channel.directory / "other.csv")
    assert find_file(channel, "sub/spa-eng.tsv") == wanted
    with pytest.raises(ChannelError, match=r"no file 'sub/spa_eng\.tsv' .*\(did you mean sub/spa-eng\.tsv\?\)"):
        find_file(channel, "sub/spa_eng.tsv")
    with pytest.raises(ChannelError, match=r"\(there is other\.csv, sub/spa-eng\.tsv\)"):
        find_file(channel, "12345")
    with pytest.raises(ChannelError, match="no file"):
        find_file(channel, "../training/other.csv")


# Lines


def test_lines_end_at_newlines_only(tmp_path: Path) -> None:
    path = put(tmp_path / "a", "one\u2028still one\x85\x0c\r\ntwo\rstill two\n\nlast".encode())
    assert [line.decode() for line in binary_lines(path)] == [
        "one\u2028still one\x85\x0c\r\n", "two\rstill two\n", "\n", "last"
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"\n", b"x", b"\x1f", b"xy\nz" * 100_000])
def test_any_beginning_is_read_whole(tmp_path: Path, content: bytes) -> None:
    assert b"".join(binary_lines(put(tmp_path / "a", content))) == content


def test_gzip_is_known_by_its_content_and_may_have_several_members(tmp_path: Path) -> None:
    path = put(tmp_path / "named.tsv", gzip.compress(b"one\ntw") + gzip.compress(b"o\n"))
    assert list(binary_lines(path)) == [b"one\n", b"two\n"]


@pytest.mark.parametrize("damage", [slice(0, -9), slice(0, 4)])
def test_damaged_gzip_is_named(tmp_path: Path, damage: slice) -> None:
    path = put(tmp_path / "a.gz", gzip.compress(os.urandom(5000))[damage])
    with pytest.raises(ChannelError, match=r"a\.gz is damaged gzip data"):
        list(binary_lines(path))


@pytest.mark.parametrize("position", [-6, 10], ids=["checksum", "compressed data"])
def test_gzip_with_flipped_bits_is_named(tmp_path: Path, position: int) -> None:
    content = bytearray(gzip.compress(b"one\ntwo\n" * 100))
    content[position] ^= 0xFF
    with pytest.raises(ChannelError, match="damaged gzip data"):
        list(binary_lines(put(tmp_path / "a.gz", bytes(content))))


# Pipe mode


@pytest.fixture
def piped(paths: Paths) -> Channel:
    return Channel("training", paths.data / "training", "Pipe")


def test_each_epoch_has_its_fifo(piped: Channel) -> None:
    for epoch in (0, 1):
        fifo = piped.directory.with_name(f"training_{epoch}")
        with fed(fifo, b"epoch %d\n" % epoch, b"end"):
            assert sources(piped, epoch) == [fifo]
            assert list(binary_lines(fifo)) == [b"epoch %d\n" % epoch, b"end"]


@pytest.mark.parametrize("cut", [1, 2, 12])
def test_gzip_through_a_fifo_written_in_pieces(piped: Channel, cut: int) -> None:
    content = gzip.compress(b"one\ntwo\n")
    with fed(piped.directory.with_name("training_0"), content[:cut], content[cut:]):
        (path,) = sources(piped)
        assert list(binary_lines(path)) == [b"one\n", b"two\n"]


def test_a_line_can_be_read_before_the_fifo_ends(piped: Channel) -> None:
    """Else the whole channel would have to arrive before the first pair is seen."""
    fifo = piped.directory.with_name("training_0")
    os.mkfifo(fifo)
    first_was_read = threading.Event()

    def write() -> None:
        with fifo.open("wb", buffering=0) as stream:
            stream.write(b"first\n")
            if first_was_read.wait(timeout=20):
                stream.write(b"second\n")

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    lines = binary_lines(sources(piped)[0])
    assert next(lines) == b"first\n"
    first_was_read.set()
    assert list(lines) == [b"second\n"]
    thread.join(timeout=20)


def test_a_fifo_that_does_not_exist_yet_is_waited_for(piped: Channel) -> None:
    fifo = piped.directory.with_name("training_0")
    timer = threading.Timer(0.2, os.mkfifo, [fifo])
    timer.start()
    assert sources(piped, patience=20) == [fifo]
    timer.join()


def test_a_fifo_that_never_comes(piped: Channel) -> None:
    with pytest.raises(ChannelError, match=r"'training' is in Pipe mode, but there is no .*training_3 after 0\.1 s"):
        sources(piped, 3, patience=0.1)
