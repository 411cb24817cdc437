"""A file of pairs that reads like a list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from train.corpus.pairs import Pair, PairFile, edges_of

PAIRS = [Pair(f"Sentence {n}\u2028.", "¡" * n + "Frase.") for n in range(10)]


@pytest.fixture
def file(tmp_path: Path) -> PairFile:
    lines = [pair.line for pair in PAIRS]
    (tmp_path / "pairs").write_bytes(b"".join(lines))
    return PairFile(tmp_path / "pairs", edges_of(np.array([len(line) for line in lines])))


def test_it_reads_like_a_list(file: PairFile) -> None:
    assert list(file) == PAIRS
    assert (len(file), file[3], file[-1]) == (10, PAIRS[3], PAIRS[-1])
    assert PAIRS[4] in file
    with pytest.raises(IndexError):
        file[10]


@pytest.mark.parametrize("part", [slice(2, 5), slice(None, 3), slice(-2, None), slice(5, 2), slice(20, 30), slice(10)])
def test_a_slice_is_a_part_of_the_file_and_can_be_sliced_again(file: PairFile, part: slice) -> None:
    assert list(file[part]) == PAIRS[part]
    assert list(file[part][1:]) == PAIRS[part][1:]


def test_a_slice_in_steps_is_refused(file: PairFile) -> None:
    with pytest.raises(ValueError, match="no slice in steps of 2"):
        file[::2]


@pytest.mark.parametrize("kept", ["1111111111", "0000000000", "0110000011", "1000000000"])
def test_chosen_pairs_go_to_another_file(file: PairFile, tmp_path: Path, kept: str) -> None:
    mask = np.array([character == "1" for character in kept])
    chosen = file.select(mask, tmp_path / "chosen")
    assert list(chosen) == [pair for pair, is_kept in zip(PAIRS, mask, strict=True) if is_kept]
    assert list(file) == PAIRS
