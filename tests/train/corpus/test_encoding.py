"""Token ids of pairs: their marks, their limit, the copies behind them, and where they lie."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import sentencepiece

from container.vocabulary import BOS, EOS
from train.corpus.directions import FORWARD, Direction
from train.corpus.encoding import encode
from train.corpus.pairs import Pair

Tokenizer = sentencepiece.SentencePieceProcessor


def test_encode_puts_the_marks_where_the_model_wants_them(tokenizer: Tokenizer) -> None:
    encoded, dropped = encode([Pair("Hi.", "Hola."), Pair("Come in.", "Pasa.")], tokenizer, max_len=100)
    hi, hola = tokenizer.encode("Hi."), tokenizer.encode("Hola.")
    come, pasa = tokenizer.encode("Come in."), tokenizer.encode("Pasa.")
    assert encoded.source.tolist() == [*hi, EOS, *come, EOS]
    assert encoded.target.tolist() == [BOS, *hola, EOS, BOS, *pasa, EOS]
    assert encoded.source_lengths.tolist() == [len(hi) + 1, len(come) + 1]
    assert encoded.target_lengths.tolist() == [len(hola) + 1, len(pasa) + 1]
    assert (len(encoded), dropped) == (2, 0)


def test_encode_drops_pairs_with_a_side_longer_than_max_len(tokenizer: Tokenizer) -> None:
    short, longest = "Hi.", "Hi. " * 4
    limit = len(tokenizer.encode(longest))
    pairs = [Pair(longest, short), Pair(short, longest), Pair(longest + "Hi.", short), Pair(short, longest + "Hi.")]
    encoded, dropped = encode(pairs, tokenizer, max_len=limit)
    assert (len(encoded), dropped) == (2, 2)
    assert len(encode([], tokenizer, max_len=limit)[0]) == 0


def test_copies_stand_behind_the_pairs_in_each_direction(tokenizer: Tokenizer) -> None:
    back = Direction(("<2en>",), backwards=True)
    pairs, copies = [Pair("Hi.", "Hola."), Pair("Come in.", "Pasa.")], [Pair("Go!", "¡Ve!")]
    together, dropped = encode(pairs, tokenizer, 100, (FORWARD, back), copies=copies)
    expected = [encode([*pairs, *copies], tokenizer, 100, (way,))[0] for way in (FORWARD, back)]
    assert together.source.tolist() == [*expected[0].source, *expected[1].source]
    assert together.target.tolist() == [*expected[0].target, *expected[1].target]
    assert (len(together), dropped) == (6, 0)


def test_ids_lie_in_a_file_without_a_name_that_goes_with_them(tokenizer: Tokenizer, tmp_path: Path) -> None:
    encoded, _ = encode([Pair("Hi.", "Hola.")] * 1000, tokenizer, 100, folder=tmp_path)
    assert encoded.source.dtype == np.uint16
    assert not list(tmp_path.iterdir())
    assert Path("/proc/self/maps").read_text().count(os.fspath(tmp_path)) == 2
    del encoded
    gc.collect()
    assert os.fspath(tmp_path) not in Path("/proc/self/maps").read_text()
