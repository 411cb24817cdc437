"""What only the PyTorch backend has: its own random bytes. Run by test_pytorch.py, as the rest of its tests."""

from __future__ import annotations

import torch

from train.backends.pytorch.noise import splitmix64


def test_the_noise_is_splitmix64_as_published() -> None:
    """The first numbers of the reference implementation (Vigna 2015, splitmix64.c) for the seed 0."""
    numbers = [number % 2**64 for number in splitmix64(torch.arange(1, 4)).tolist()]
    assert numbers == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
