"""One SentencePiece vocabulary for both languages, trained on the training part only."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece

from container.artifact import write_atomically
from container.errors import HyperparameterError
from container.vocabulary import BOS, EOS, PAD, PLACEHOLDERS, UNK, language_tag

TRAINING_SENTENCES = 1_100_000  # a sample of a large corpus, which bounds time and memory
THREADS = 4  # fixed, not the machine's: the sums of the EM algorithm depend on it, and so does the vocabulary


def train_tokenizer(
    texts: Iterable[str], path: Path, *, vocab_size: int, languages: tuple[str, str], vocab_type: str = "unigram"
) -> int:
    """Train a vocabulary of at most `vocab_size` pieces, write it to `path`, return its size V.

    unigram: Kudo 2018 (arXiv:1804.10959); bpe: Sennrich et al. 2016 (arXiv:1508.07909). Byte fallback makes every text
    known. Ids 0 to 3 are pad, unk, bos, eos. The language tags are control symbols (text never becomes one), the
    placeholders are user-defined symbols (each is always one piece). A corpus too small for `vocab_size` gets fewer
    pieces. `HyperparameterError` when `vocab_size` is too small for the characters of the corpus.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type=vocab_type,
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            character_coverage=0.9999,
            byte_fallback=True,
            normalization_rule_name="nfkc",
            input_sentence_size=TRAINING_SENTENCES,
            shuffle_input_sentence=True,
            num_threads=THREADS,
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            control_symbols=[language_tag(language) for language in languages],
            user_defined_symbols=list(PLACEHOLDERS),
            minloglevel=2,
        )
    except RuntimeError as error:
        raise HyperparameterError(
            f"vocab_size={vocab_size} is too small for this corpus (SentencePiece: {_reason(error)}): "
            "256 byte pieces, the reserved symbols and every frequent character need a place; give 1000 or more."
        ) from error
    write_atomically(path, model.getvalue())
    return load_tokenizer(path).get_piece_size()


def _reason(error: RuntimeError) -> str:
    return str(error).split("] ")[-1].strip().rstrip(".")


def load_tokenizer(path: Path) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def pieces(tokenizer: sentencepiece.SentencePieceProcessor) -> list[str]:
    """The V pieces in id order, as CTranslate2 wants its vocabulary."""
    return [tokenizer.id_to_piece(index) for index in range(tokenizer.get_piece_size())]
