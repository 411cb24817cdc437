"""Random bytes by a hash of their number: no generator has a state that a checkpoint would have to hold.

Steele et al. 2014, "Fast splittable pseudorandom number generators". Every device makes the same bytes.
"""

from __future__ import annotations

import numpy as np
import torch

from train.backends.noise import ByteNoise


class StepNoise(ByteNoise):
    """See `ByteNoise`. The n-th eight bytes are the hash of a key plus n."""

    def __init__(self, seed: int, step: int) -> None:
        super().__init__()
        self._key = int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])

    def random_bytes(self, x: torch.Tensor, *, per_vector: bool) -> torch.Tensor:
        shape = torch.Size((*x.shape[:-1], 1)) if per_vector else x.shape
        words = (shape.numel() + 7) // 8
        start = (self._key + (self.calls << 40)) % 2**63
        return splitmix64(torch.arange(words, device=x.device) + start).view(torch.uint8)[: shape.numel()].view(shape)


def splitmix64(n: torch.Tensor) -> torch.Tensor:
    """The hash of each n, int64 numbers that wrap as unsigned ones do (Vigna 2015, splitmix64.c)."""
    z = n * -0x61C8864680B583EB  # 2**64 divided by the golden ratio
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        z = (z ^ _shift_right(z, shift)) * factor
    return z ^ _shift_right(z, 31)


def _shift_right(z: torch.Tensor, bits: int) -> torch.Tensor:
    """With zeros from the left."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
