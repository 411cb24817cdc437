"""What makes two sentences the same for the split, and the hashes that stand for sentences in numpy arrays.

The odds that two of N different texts have equal 64-bit hashes are N²/2^65: one in 400,000 for ten million. Such an
accident drops one pair, or puts two into the same part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")  # the complement of str.isalnum, in one pass


def sentence_key(text: str) -> str:
    """What makes two sentences "the same" for the split: letters and digits, without case."""
    return _NO_LETTER_OR_DIGIT.sub("", text.casefold()) or text


def hash_texts(texts: Iterable[bytes]) -> np.ndarray:
    """The 64-bit hash of each text, uint64 [N]."""
    digests = b"".join(blake2b(text, digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)
