"""The vocabulary: its size, its reserved symbols, and that no text is unknown to it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from container.errors import HyperparameterError
from container.text import normalise
from container.vocabulary import BOS, EOS, PAD, PLACEHOLDERS, UNK
from train.corpus.pairs import Pair
from train.corpus.tokenizer import load_tokenizer, pieces, train_tokenizer

Tokenizer = sentencepiece.SentencePieceProcessor


def train(pairs: list[Pair], path: Path, vocab_size: int) -> int:
    texts = (text for pair in pairs for text in pair)
    return train_tokenizer(texts, path, vocab_size=vocab_size, languages=("en", "es"))


def test_vocab_size_is_reached_where_the_corpus_supports_it(tokenizer: Tokenizer) -> None:
    assert tokenizer.get_piece_size() == len(pieces(tokenizer)) == len(set(pieces(tokenizer))) == 500


def test_vocab_size_is_an_upper_bound(pairs: list[Pair], tmp_path: Path) -> None:
    size = train(pairs[:30], tmp_path / "tokenizer.model", 8000)
    assert 300 < size < 1000
    assert load_tokenizer(tmp_path / "tokenizer.model").get_piece_size() == size


def test_a_vocabulary_of_merges(pairs: list[Pair], tokenizer: Tokenizer, tmp_path: Path) -> None:
    path, texts = tmp_path / "tokenizer.model", (text for pair in pairs for text in pair)
    assert train_tokenizer(texts, path, vocab_size=500, languages=("en", "es"), vocab_type="bpe") == 500
    merges = load_tokenizer(path)
    assert set(pieces(merges)) != set(pieces(tokenizer))
    assert pieces(merges)[:4] == pieces(tokenizer)[:4]
    assert {"<2en>", "<2es>", *PLACEHOLDERS} <= set(pieces(merges))
    first = 1 + max(index for index in range(500) if merges.is_byte(index))
    ranks = [-merges.get_score(index) for index in range(first, 500)]
    assert ranks == list(range(500 - first))  # in the order of the merges, then the characters


def test_too_small_a_vocabulary_is_refused_and_nothing_is_written(pairs: list[Pair], tmp_path: Path) -> None:
    with pytest.raises(HyperparameterError, match=r"vocab_size=64 is too small .* give 1000 or more\.") as caught:
        train(pairs, tmp_path / "tokenizer.model", 64)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_ids_that_the_model_and_the_batches_rely_on(tokenizer: Tokenizer) -> None:
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    ids = tokenizer.pad_id(), tokenizer.unk_id(), tokenizer.bos_id(), tokenizer.eos_id()
    assert ids == (PAD, UNK, BOS, EOS)
    assert tokenizer.encode("Hi.", add_bos=True, add_eos=True) == [BOS, *tokenizer.encode("Hi."), EOS]


@pytest.mark.parametrize("tag", ["<2en>", "<2es>"])
def test_no_text_makes_a_language_tag(tokenizer: Tokenizer, tag: str) -> None:
    assert tokenizer.is_control(tokenizer.piece_to_id(tag))
    for text in (tag, f"Hi {tag}", f"{tag}Hi."):
        assert tag not in tokenizer.encode(text, out_type=str)
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_each_placeholder_is_one_piece_wherever_it_stands(tokenizer: Tokenizer) -> None:
    for symbol in PLACEHOLDERS:
        for text in (symbol, f"Call {symbol} now.", f"({symbol}{symbol})", f"x{symbol}y"):
            assert tokenizer.encode(text, out_type=str).count(symbol) == text.count(symbol)
            assert tokenizer.decode(tokenizer.encode(text)) == text


def test_what_the_corpus_has_not_falls_back_to_bytes_and_comes_back(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode("Hi 🦔!", out_type=str)
    assert [piece for piece in encoded if piece.startswith("<0x")] == ["<0xF0>", "<0x9F>", "<0xA6>", "<0x94>"]
    assert tokenizer.decode(encoded) == "Hi 🦔!"


@given(st.text(max_size=30).map(normalise))
def test_no_text_is_unknown(tokenizer: Tokenizer, text: str) -> None:
    assert UNK not in tokenizer.encode(text)


def test_the_same_texts_give_the_same_bytes(pairs: list[Pair], tokenizer_path: Path, tmp_path: Path) -> None:
    train(pairs, tmp_path / "again.model", 500)
    assert (tmp_path / "again.model").read_bytes() == tokenizer_path.read_bytes()
