"""How large an image is, unpacked and over the wire, layer by layer: a Markdown table.

    python -m benchmarks.image_size sagemaker-nmt

A push sends each layer as gzip; this command packs each layer in the same way, at the same level. The last layer is
what has to be pushed after a change of the code. It takes about a minute for each gigabyte.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import tarfile
import zlib
from dataclasses import dataclass
from typing import IO

LEVEL = 6  # gzip's default, which Docker uses
CHUNK = 1 << 20


@dataclass(frozen=True)
class Layer:
    """One layer: the instruction that made it, its bytes as a tar archive and as gzip."""

    made_by: str
    unpacked: int
    packed: int


def packed_size(file: IO[bytes]) -> int:
    """Bytes of `file` as gzip."""
    packer = zlib.compressobj(LEVEL, wbits=31)
    size = 0
    while chunk := file.read(CHUNK):
        size += len(packer.compress(chunk))
    return size + len(packer.flush())


def layers(image: str) -> list[Layer]:
    """The layers of a local image from the base upwards."""
    sizes: dict[str, tuple[int, int]] = {}
    documents: dict[str, bytes] = {}
    save = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
    assert save.stdout is not None
    with tarfile.open(fileobj=save.stdout, mode="r|") as archive:
        for member in archive:
            file: IO[bytes] | None = archive.extractfile(member)
            if file is None:
                continue
            if member.size < CHUNK:  # the two documents are among them; their names differ between versions of Docker
                documents[member.name] = file.read()
                file = io.BytesIO(documents[member.name])
            sizes[member.name] = (member.size, packed_size(file))
    if save.wait():
        raise SystemExit(f"docker save {image} failed: build the image first.")
    (manifest,) = json.loads(documents["manifest.json"])
    history = json.loads(documents[manifest["Config"]])["history"]
    instructions = [entry.get("created_by", "base") for entry in history if not entry.get("empty_layer")]
    return [Layer(made, *sizes[name]) for made, name in zip(instructions, manifest["Layers"], strict=True)]


def short(instruction: str) -> str:
    """The instruction as the Dockerfile has it, at most 60 characters."""
    text = instruction.removeprefix("/bin/sh -c ").removeprefix("#(nop) ").replace("|", "/")
    return " ".join(text.split())[:60]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    found = layers(parser.parse_args().image)
    print("| layer | unpacked, MB | over the wire, MB |\n|---|---|---|")
    for layer in found:
        print(f"| `{short(layer.made_by)}` | {layer.unpacked / 1e6:.1f} | {layer.packed / 1e6:.1f} |")
    unpacked, packed = sum(layer.unpacked for layer in found), sum(layer.packed for layer in found)
    print(f"| all | {unpacked / 1e6:.0f} | {packed / 1e6:.0f} |")


if __name__ == "__main__":
    main()
