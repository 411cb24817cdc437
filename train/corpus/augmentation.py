"""Training pairs made from others, to teach the model what the corpus alone does not."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from container.vocabulary import PLACEHOLDERS
from train.corpus.pairs import Pair

PLACEHOLDER_SHARE = 0.02  # of the training pairs get a copy in which a shared word is a placeholder


def placeholder_copies(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """Copies of a few of the pairs, in which a word that both sides share is a placeholder symbol.

    They teach the model to carry a placeholder over unchanged. Glossaries and masked spans (numbers, URLs, tags)
    need that when the model is served.
    """
    rng = random.Random(seed)
    copies: list[Pair] = []
    limit = math.ceil(PLACEHOLDER_SHARE * len(pairs))
    for pair in pairs:
        if len(copies) == limit:
            break
        if rng.random() >= PLACEHOLDER_SHARE * 4:  # about a quarter of real pairs share a word
            continue
        target_words = set(_words(pair.target))
        shared = [word for word in _words(pair.source) if word in target_words and len(word) > 1]
        if shared:
            word, symbol = rng.choice(shared), rng.choice(PLACEHOLDERS)
            if pair.source.count(word) == pair.target.count(word) == 1:
                copies.append(Pair(pair.source.replace(word, symbol), pair.target.replace(word, symbol)))
    return copies


def _words(text: str) -> list[str]:
    return [word.strip(".,;:!?¿¡\"'()«»") for word in text.split()]
