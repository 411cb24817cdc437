"""The parity gate: an exported model must give every token the log-probability that the trained model gives it.

Nothing is published before the float32 export and the trained model in float32 agree on up to 200 sentences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece

from container.errors import AlgorithmError
from train.backends.backend import Evaluator
from train.corpus.batches import collate
from train.corpus.directions import directions
from train.corpus.encoding import encode
from train.corpus.prepare import Prepared
from train.evaluation.decode import decoding_of, score_tokens
from train.job.hyperparameters import Hyperparameters
from train.model.trained import TrainedModel

PARITY_SENTENCES = 200
PARITY_TOLERANCE = 1e-4  # in log-probability of one token
SEARCHED_SENTENCES = 32  # a search takes longer than a score
BATCH = 32  # sentences


@dataclass(frozen=True)
class Reference:
    """Sentence pairs as ids, each with its end, and what the trained model in float32 says of them.

    log_probs: log p of each target token, the end among them.
    """

    source: list[list[int]]
    target: list[list[int]]
    log_probs: list[np.ndarray]


def make_reference(hp: Hyperparameters, prepared: Prepared, trained: TrainedModel, evaluator: Evaluator) -> Reference:
    """Held-out pairs where there are some; training pairs where there are none, or none of at most `max_len` tokens.

    With both directions half of them are read each way.
    """
    corpus, ways = prepared.corpus, directions(hp)
    count = PARITY_SENTENCES // len(ways)
    pairs = (corpus.test + corpus.validation or corpus.train)[:count]
    encoded, too_long = encode(pairs, prepared.tokenizer, hp.max_len, ways)
    if too_long == len(pairs):  # held-out pairs are not cut at max_len as the training pairs are
        encoded, _ = encode(corpus.train[:count], prepared.tokenizer, hp.max_len, ways)
    evaluator.load(trained.weights)
    reference = Reference([], [], [])
    for start in range(0, len(encoded), BATCH):
        batch = collate(encoded, np.arange(start, min(start + BATCH, len(encoded))))
        for nll, source, target in zip(evaluator.token_nll(batch), batch.source, batch.target, strict=True):
            reference.source.append(source[source != 0].tolist())
            reference.target.append(target[target != 0][1:].tolist())
            reference.log_probs.append(-nll[target[1:] != 0])
    return reference


def check_ctranslate2(reference: Reference, tokenizer: sentencepiece.SentencePieceProcessor, exported: Path) -> float:
    """The largest difference of a token's log-probability in the float32 export in the folder `exported`."""

    def pieces(sequences: Sequence[Sequence[int]]) -> list[list[str]]:
        return [[tokenizer.id_to_piece(index) for index in ids[:-1]] for ids in sequences]

    log_probs = score_tokens(exported, pieces(reference.source), pieces(reference.target))
    return check_parity(reference.log_probs, log_probs)


def check_saved_model(reference: Reference, hp: Hyperparameters, exported: Path) -> tuple[float, float]:
    """The same for the SavedModel in the folder `exported`; and the largest difference of a score in its search."""
    from train.export.saved_model import check_search, saved_model_log_probs  # TensorFlow, which PyTorch's image lacks

    tokens = check_parity(reference.log_probs, saved_model_log_probs(exported, reference.source, reference.target))
    decoding = decoding_of(hp)
    search = check_search(
        exported,
        reference.source[:SEARCHED_SENTENCES],
        beam_size=decoding.beam_size,
        length_penalty=decoding.length_penalty,
        max_length=decoding.max_target_length,
    )
    return tokens, search


def check_parity(ours: Sequence[np.ndarray], exported: Sequence[np.ndarray]) -> float:
    """The largest difference in log-probability of a token; `AlgorithmError` above `PARITY_TOLERANCE`."""
    worst, sentence = 0.0, 0
    for index, (a, b) in enumerate(zip(ours, exported, strict=True)):
        difference = float(np.max(np.abs(a - b))) if a.shape == b.shape else math.inf
        if math.isnan(difference):  # NaN is larger than nothing: a later sentence would hide it
            difference = math.inf
        if difference > worst:
            worst, sentence = difference, index
    if worst > PARITY_TOLERANCE:
        raise AlgorithmError(
            f"The exported model disagrees with the trained one: sentence {sentence} of the parity check differs by "
            f"{worst:.2e} in the log-probability of a token (allowed: {PARITY_TOLERANCE:.0e}), so nothing was "
            "published; please report this with the hyperparameters of the job."
        )
    return worst
