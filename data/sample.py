"""Write the embedded corpus as SageMaker channels: DIR/training/sample.tsv and DIR/test/sample.tsv.

python -m data.sample DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

SAMPLE = Path(__file__).with_name("sample.tsv")
CHANNELS = {"train": "training", "test": "test"}  # part of a row -> channel name


def read_part(part: str, path: Path = SAMPLE) -> Iterator[tuple[str, str]]:
    """(english, spanish) of every row of one part, "train" or "test"."""
    for line in path.read_text(encoding="utf-8").splitlines():
        english, spanish, _template, row_part = line.split("\t")
        if row_part == part:
            yield english, spanish


def write_channels(directory: Path) -> dict[Path, int]:
    """Write a file for each channel, one `english<TAB>spanish` in a line; returns the number of pairs of each file."""
    written = {}
    for part, channel in CHANNELS.items():
        path = directory / channel / "sample.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pairs = list(read_part(part))
        path.write_text("".join(f"{en}\t{es}\n" for en, es in pairs), encoding="utf-8", newline="\n")
        written[path] = len(pairs)
    return written


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the embedded corpus as the channels training and test.")
    parser.add_argument("directory", type=Path, help="folder for the two channels, such as /opt/ml/input/data in a job")
    for path, pairs in write_channels(parser.parse_args(arguments).directory).items():
        print(f"{path}: {pairs} pairs")


if __name__ == "__main__":
    main()
