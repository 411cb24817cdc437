"""Sentence pairs from every format, and the file and line of whatever is malformed."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from container.errors import ChannelError
from train.corpus.formats import read_pairs
from train.corpus.pairs import Pair
from train.job.channels import Channel

HELLO = [Pair("Hi.", "Hola."), Pair("Bye.", "Adiós.")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "training"
    path.mkdir()
    return path


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pairs(folder: Path, content_type: str | None = None, **options: Any) -> list[Pair]:
    return list(read_pairs(Channel("training", folder, content_type=content_type), "en", "es", **options))


def refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(ChannelError) as caught:
        pairs(folder, **options)
    return str(caught.value)


# Formats


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "Hi.\tHola.\nBye.\tAdiós.\n"),
        ("a.tsv", "Hi.\tHola.\tCC-BY 2.0 (France) #1\tmore\nBye.\tAdiós."),
        ("a.tsv", "\ufeffHi.\tHola.\r\nBye.\tAdiós.\r\n"),
        ("a.tsv", "\n\nHi.\tHola.\n   \n\nBye.\tAdiós.\n\n"),
        ("a.tsv", "source\ttarget\nHi.\tHola.\nBye.\tAdiós.\n"),
        ("a.tsv", "id\tES\tEN\n1\tHola.\tHi.\n2\tAdiós.\tBye.\n"),
        ("a.txt", "Hi.\tHola.\nBye.\tAdiós.\n"),
        ("pairs", "Hi.\tHola.\nBye.\tAdiós.\n"),
        ("a.csv", "Hi.,Hola.\nBye.,Adiós.\n"),
        ("a.csv", '\ufeffen,es\r\n"Hi.","Hola."\r\n\r\n"Bye.","Adiós."\r\n'),
        ("a.csv", "target,x,source\nHola.,1,Hi.\nAdiós.,2,Bye.\n"),
        ("A.CSV", "Hi.,Hola.,more\nBye.,Adiós.,more\n"),
        ("a.jsonl", '{"source": "Hi.", "target": "Hola."}\n\n{"source": "Bye.", "target": "Adi\\u00f3s.", "id": 2}'),
        ("a.jsonl", '{"en": "Hi.", "es": "Hola."}\n{"translation": {"en": "Bye.", "es": "Adiós."}}\n'),
        ("a.json", '\ufeff{"translation": {"source": "Hi.", "target": "Hola."}}\r\n{"en": "Bye.", "es": "Adiós."}\r\n'),
        ("a.ndjson", '{"en": "Hi.", "es": "Hola."}\n{"en": "Bye.", "es": "Adiós."}\n'),
        ("unnamed", '{"en": "Hi.", "es": "Hola."}\n{"en": "Bye.", "es": "Adiós."}\n'),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_formats(folder: Path, name: str, content: str, compressed: bool) -> None:
    raw = content.encode()
    put(folder, f"{name}.gz" if compressed else name, gzip.compress(raw) if compressed else raw)
    assert pairs(folder) == HELLO


def test_csv_quoting(folder: Path) -> None:
    put(folder, "a.csv", '"Yes, ""you"".","Sí, ""tú""."\n"two\nlines",dos líneas\n')
    assert pairs(folder) == [Pair('Yes, "you".', 'Sí, "tú".'), Pair("two\nlines", "dos líneas")]


def test_quotes_mean_nothing_in_tsv(folder: Path) -> None:
    put(folder, "a.tsv", '"Hi.\t"Hola.\n')
    assert pairs(folder) == [Pair('"Hi.', '"Hola.')]


@pytest.mark.parametrize(("name", "separator"), [("a.tsv", "\t"), ("a.csv", ",")])
def test_a_header_in_a_later_line_is_a_pair(folder: Path, name: str, separator: str) -> None:
    put(folder, name, f"Hi.{separator}Hola.\nen{separator}es\n")
    assert pairs(folder)[1] == Pair("en", "es")


def test_unicode_line_ends_belong_to_the_sentence(folder: Path) -> None:
    put(folder, "a.tsv", "a\u2028b\x85c\x0cd\te\u2029f\n")
    assert pairs(folder) == [Pair("a\u2028b\x85c\x0cd", "e\u2029f")]


def test_an_empty_side_is_handed_on(folder: Path) -> None:
    put(folder, "a.tsv", "Hi.\t\n")
    assert pairs(folder) == [Pair("Hi.", "")]


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/csv; charset=utf-8", "Hi.,Hola.\nBye.,Adiós.\n"),
        ("text/tab-separated-values", "Hi.\tHola.\nBye.\tAdiós.\n"),
        ("application/jsonlines", '  {"en": "Hi.", "es": "Hola."}\n{ "en": "Bye.", "es": "Adiós."}\n'),
    ],
)
def test_the_content_type_decides_where_the_name_does_not(folder: Path, content_type: str, content: str) -> None:
    put(folder, "part-0000", content)
    assert pairs(folder, content_type) == HELLO


def test_the_name_outweighs_the_content_type(folder: Path) -> None:
    put(folder, "a.tsv", "Hi.\tHola.\nBye.\tAdiós.\n")
    assert pairs(folder, "text/csv") == HELLO


def test_many_files_in_order(folder: Path) -> None:
    put(folder, "2.csv", "Bye.,Adiós.\n")
    put(folder, "1/b.tsv", "Hi.\tHola.\n")
    put(folder, "list.txt", "Mr\n")
    assert pairs(folder, exclude=("list.txt",)) == HELLO


def test_reading_is_lazy(folder: Path) -> None:
    put(folder, "a.tsv", "Hi.\tHola.\nno tab\n")
    assert next(read_pairs(Channel("training", folder), "en", "es")) == Pair("Hi.", "Hola.")


# Parallel files


@pytest.mark.parametrize(("source", "target"), [("c.en", "c.es"), ("c.EN.gz", "c.es"), ("x/c.en", "x/c.es.gz")])
def test_parallel_files(folder: Path, source: str, target: str) -> None:
    for name, content in ((source, b"\xef\xbb\xbfHi.\r\n\nBye.\n"), (target, "Hola.\n\nAdiós.".encode())):
        put(folder, name, gzip.compress(content) if name.endswith(".gz") else content)
    assert pairs(folder) == HELLO


def test_parallel_lines_stay_together_over_a_line_blank_on_one_side(folder: Path) -> None:
    put(folder, "c.en", "Hi.\n\nBye.\n")
    put(folder, "c.es", "Hola.\n¿Qué?\nAdiós.\n")
    assert pairs(folder) == [HELLO[0], Pair("", "¿Qué?"), HELLO[1]]


def test_the_languages_name_the_files(folder: Path) -> None:
    put(folder, "c.en", "Hi.\n")
    put(folder, "c.es", "Hola.\n")
    assert list(read_pairs(Channel("training", folder), "es", "en")) == [Pair("Hola.", "Hi.")]


@pytest.mark.parametrize(("lines", "counts"), [(3, (2, 3)), (1, (2, 1)), (0, (2, 0))])
def test_parallel_files_of_different_length(folder: Path, lines: int, counts: tuple[int, int]) -> None:
    source = put(folder, "c.en", "Hi.\nBye.\n")
    target = put(folder, "c.es", "Hola.\n" * lines)
    assert refusal(folder).startswith(f"{source} has {counts[0]} lines and {target} has {counts[1]}:")


@pytest.mark.parametrize(("present", "missing"), [("c.en", "c.es"), ("c.es.gz", "c.en")])
def test_half_a_parallel_corpus(folder: Path, present: str, missing: str) -> None:
    path = put(folder, present, "Hi.\n")
    assert refusal(folder) == f"{path} is one half of a parallel corpus: put {missing} beside it."


# One file of the channel


def test_train_file_chooses_one(folder: Path) -> None:
    put(folder, "a.tsv", "Hi.\tHola.\nBye.\tAdiós.\n")
    put(folder, "_about.txt", "This file is no corpus.\n")
    assert pairs(folder, train_file="a.tsv") == HELLO
    assert "no file 'b.tsv'" in refusal(folder, train_file="b.tsv")


@pytest.mark.parametrize("half", ["c.en", "c.es.gz"])
def test_train_file_may_be_either_half(folder: Path, half: str) -> None:
    put(folder, "c.en", "Hi.\nBye.\n")
    put(folder, "c.es.gz", gzip.compress("Hola.\nAdiós.\n".encode()))
    put(folder, "d.tsv", "more\tmás\n")
    assert pairs(folder, train_file=half) == HELLO


# Malformed input


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.tsv", b"Hi.\tHola.\n\nno tab\n", ", line 3, has one column: expected source and target with a tab"),
        ("a.csv", b"Hi.,Hola.\n\nno comma\n", ", line 3, has one column: expected source and target with a comma"),
        ("a.csv", b"id,es,en\n1,Hola.\n", ", line 2, has 2 columns: expected"),
        ("a.csv", b'Hi.,Hola.\n"a" b,c\n', ", line 2, is not valid CSV"),
        ("a.csv", b'Hi.,Hola.\n"open,c\nd,e\n', ", line 3, is not valid CSV (unexpected end of data)"),
        ("a.tsv", b"Hi.\tHola.\nBye.\tAdi\xf3s.\n", ", line 2, is not UTF-8 (byte 0xf3 at position 9)"),
        ("a.tsv", "Hi.\tHola.\n".encode("utf-16"), ", line 1, is not UTF-8 (byte 0xff at position 1)"),
        ("a.csv", b"Hi.,Hola.\nBye.,Adi\xf3s.\n", ", line 2, is not UTF-8"),
        ("a.jsonl", b'{"en": "Hi.", "es": "Hola."}\n{"en": "Bye.}\n', ", line 2, is not valid JSON"),
        ("a.jsonl", b"[" * 100_000, ", line 1, is not valid JSON"),
        ("a.jsonl", b'{"en": "Hi.", "fr": "Salut."}\n', ', line 1, is no sentence pair: expected an object with'),
        ("a.jsonl", b'{"en": "Hi.", "es": 5}\n', ', line 1, is no sentence pair'),
        ("a.jsonl", b'["Hi.", "Hola."]\n', ', line 1, is no sentence pair'),
        ("a.jsonl", b'{"translation": "Hola."}\n', ', line 1, is no sentence pair'),
        ("a.tsv", b"", " is empty, it holds no sentence pair"),
        ("a.tsv", b"\n \n\n", " is empty, it holds no sentence pair"),
        ("a.tsv", b"en\tes\n", " is empty, it holds no sentence pair"),
        ("a.csv", b"", " is empty, it holds no sentence pair"),
        ("a.jsonl.gz", gzip.compress(b""), " is empty, it holds no sentence pair"),
        ("a.tsv.gz", gzip.compress(b"Hi.\tHola.\n")[:-8], " is damaged gzip data"),
    ],
)  # fmt: skip
def test_malformed_files(folder: Path, name: str, content: bytes, sentence: str) -> None:
    path = put(folder, name, content)
    assert refusal(folder).startswith(f"{path}{sentence}")


def test_one_empty_file_among_others_is_named(folder: Path) -> None:
    put(folder, "a.tsv", "Hi.\tHola.\n")
    path = put(folder, "b.tsv", "")
    assert refusal(folder).startswith(f"{path} is empty")


def test_two_empty_parallel_files(folder: Path) -> None:
    path = put(folder, "c.en", "")
    put(folder, "c.es", "")
    assert refusal(folder).startswith(f"{path} is empty")


# Other modes


def test_a_host_without_a_part_of_a_sharded_channel_gets_no_pair(folder: Path) -> None:
    assert list(read_pairs(Channel("training", folder, sharded=True), "en", "es")) == []


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("content_type", [None, "text/csv"])
def test_pipe_mode(folder: Path, content_type: str | None, compressed: bool) -> None:
    channel = Channel("training", folder, "Pipe", content_type)
    content = "Hi.,Hola.\nBye.,Adiós.\n" if content_type else "Hi.\tHola.\nBye.\tAdiós.\n"
    fifo = folder.with_name("training_0")
    os.mkfifo(fifo)
    raw = gzip.compress(content.encode()) if compressed else content.encode()
    thread = threading.Thread(target=fifo.write_bytes, args=[raw], daemon=True)
    thread.start()
    assert list(read_pairs(channel, "en", "es", patience=20)) == HELLO
    thread.join(timeout=20)


def test_a_malformed_line_in_a_fifo_is_named(folder: Path) -> None:
    fifo = folder.with_name("training_0")
    os.mkfifo(fifo)
    threading.Thread(target=fifo.write_bytes, args=[b"Hi.\tHola.\nno tab\n"], daemon=True).start()
    with pytest.raises(ChannelError, match=r"training_0, line 2, has one column"):
        list(read_pairs(Channel("training", folder, "Pipe"), "en", "es"))


def test_pipe_mode_has_no_train_file(folder: Path) -> None:
    with pytest.raises(ChannelError, match="train_file names a file, but the channel is in Pipe mode"):
        list(read_pairs(Channel("training", folder, "Pipe"), "en", "es", train_file="a.tsv"))


def test_the_patience_for_a_fifo_is_passed_on(folder: Path) -> None:
    with pytest.raises(ChannelError, match=r"no .*training_0 after 0 s"):
        list(read_pairs(Channel("training", folder, "Pipe"), "en", "es", patience=0))
