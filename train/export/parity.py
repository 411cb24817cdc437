"""The gate of the export: each exported model must give every token the log-probability that the trained one gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece

from train.corpus.batches import collate
from train.corpus.directions import directions
from train.corpus.encoding import encode
from train.corpus.prepare import Prepared
from train.export.ctranslate2 import PARITY_SENTENCES, check_parity, ctranslate2_log_probs
from train.job.hyperparameters import Hyperparameters
from train.training.trainer import Fitted

SEARCHED_SENTENCES = 32  # a search takes longer than a score


@dataclass(frozen=True)
class Reference:
    """Up to 200 sentence pairs as ids, each with its end, and what the trained model in float32 says of them.

    log_probs: log p of each target token, the end among them.
    """

    source: list[list[int]]
    target: list[list[int]]
    log_probs: list[np.ndarray]


def make_reference(prepared: Prepared, fitted: Fitted, hp: Hyperparameters) -> Reference:
    """Held-out pairs where there are some; training pairs where there are none, or none of `max_len`.

    Of a model of both directions half of them are read each way.
    """
    corpus, ways = prepared.corpus, directions(hp)
    count = PARITY_SENTENCES // len(ways)
    pairs = (corpus.test + corpus.validation or corpus.train)[:count]
    encoded, too_long = encode(pairs, prepared.tokenizer, hp.max_len, ways)
    if too_long == len(pairs):  # held-out pairs are not cut at max_len as the training pairs are
        encoded, _ = encode(corpus.train[:count], prepared.tokenizer, hp.max_len, ways)
    fitted.evaluator.load(fitted.weights)
    reference = Reference([], [], [])
    for start in range(0, len(encoded), 32):
        batch = collate(encoded, np.arange(start, min(start + 32, len(encoded))))
        for nll, source, target in zip(fitted.evaluator.token_nll(batch), batch.source, batch.target, strict=True):
            reference.source.append(source[source != 0].tolist())
            reference.target.append(target[target != 0][1:].tolist())
            reference.log_probs.append(-nll[target[1:] != 0])
    return reference


def ctranslate2_parity(reference: Reference, tokenizer: sentencepiece.SentencePieceProcessor, exported: Path) -> float:
    """Largest difference of a token's log-probability in the float32 export in the folder `exported`."""

    def pieces(sequences: Sequence[Sequence[int]]) -> list[list[str]]:
        return [[tokenizer.id_to_piece(index) for index in ids[:-1]] for ids in sequences]

    log_probs = ctranslate2_log_probs(exported, pieces(reference.source), pieces(reference.target))
    return check_parity(reference.log_probs, log_probs)


def saved_model_parity(reference: Reference, hp: Hyperparameters, exported: Path) -> tuple[float, float]:
    """The same of the SavedModel in the folder `exported`; and the largest difference of a score in its search."""
    from train.export.saved_model import check_search, saved_model_log_probs  # for those who ask for it

    tokens = check_parity(reference.log_probs, saved_model_log_probs(exported, reference.source, reference.target))
    search = check_search(
        exported,
        reference.source[:SEARCHED_SENTENCES],
        beam_size=hp.beam_size,
        length_penalty=hp.length_penalty,
        max_length=hp.max_len + 1,
    )
    return tokens, search
