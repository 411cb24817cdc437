"""Clean-up, non-breaking prefixes and sentence splitting."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.errors import ChannelError
from container.text import clean, default_prefixes, drop_dots, load_prefixes, normalise, split_sentences
from container.vocabulary import PLACEHOLDERS, language_tag

ENGLISH = default_prefixes("en")
SPANISH = default_prefixes("es")


def test_sixteen_placeholders_are_the_first_private_use_characters() -> None:
    assert len(PLACEHOLDERS) == 16
    assert (PLACEHOLDERS[0], PLACEHOLDERS[15]) == ("\ue000", "\ue00f")


def test_language_tag() -> None:
    assert language_tag("es") == "<2es>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two\t words \n", "two words"),
        ("one\r\nline\u2028only\u2029here\x85now", "one line only here now"),
        ("no\u00a0break\u202fspace\u3000wide", "no break space wide"),
        ("cafe\u0301", "café"),
        ("bell\x07 null\x00 escape\x1b[0m", "bell null escape[0m"),
        ("zero\u200bwidth \ufeffmark soft\u00adhyphen", "zerowidth mark softhyphen"),
        ("\u202eright to left", "right to left"),
        (f"forged {PLACEHOLDERS[3]} placeholder", "forged placeholder"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d👧 ¿sí?", "👩\u200d👧 ¿sí?"),
        ("", ""),
        (" \u200b ", ""),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected
    assert normalise(expected) == expected


def test_composition_happens_after_removal_so_that_twice_is_as_once() -> None:
    assert normalise("e\u200b\u0301") == "é"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 3.5 dollars.", "It costs 35 dollars."),
        ("Mr. Hill met Dr. A. Jones.", "Mr Hill met Dr A Jones."),
        ("I left. He stayed.", "I left. He stayed."),
        ("Ask for approx. ten of them.", "Ask for approx ten of them."),
        ("Write to a.b@c.org today.", "Write to ab@corg today."),
        ("Well... maybe.", "Well maybe."),
        ("Well... Maybe.", "Well... Maybe."),
        ("He lives in the U.S. Today.", "He lives in the US Today."),
        ("He lives in the U.S.", "He lives in the US."),
        ("He asked\nMr. Hill.", "He asked Mr Hill."),
        ('He said "No." Then he left.', 'He said "No." Then he left.'),
        ("So do I. He does, too.", "So do I. He does, too."),
        ("It is on p. 5. Look. 6 men came.", "It is on p 5. Look. 6 men came."),
        ("No. Never.", "No. Never."),
        ("No. 5 is alive.", "No 5 is alive."),
        ("Is it 5.30? Yes!", "Is it 530? Yes!"),
        ("What?. .No", "What? No"),
        ("two  spaces .  between", "two spaces between"),
        ("Ask Mr.", "Ask Mr"),
    ],
)
def test_drop_dots_english(text: str, expected: str) -> None:
    assert drop_dots(text, ENGLISH) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("El Sr. García pagó 3.500 euros.", "El Sr García pagó 3500 euros."),
        ("Vino. ¿Y tú? Me fui. ¡Adiós!", "Vino. ¿Y tú? Me fui. ¡Adiós!"),
        ("La Dra. Núñez vive en EE. UU. desde ayer.", "La Dra Núñez vive en EE UU desde ayer."),
        ("Dijo que no. Ángel calló.", "Dijo que no. Ángel calló."),
        ("Véase la pág. 7. Ñandúes.", "Véase la pág 7. Ñandúes."),
    ],
)
def test_drop_dots_spanish(text: str, expected: str) -> None:
    assert drop_dots(text, SPANISH) == expected


def test_drop_dots_without_prefixes_keeps_a_dot_before_a_capital() -> None:
    assert drop_dots("Mr. Hill") == "Mr. Hill"


def test_clean_leaves_dots_alone_unless_asked() -> None:
    assert clean(" Mr.  Hill paid 3.5. ", prefixes=ENGLISH) == "Mr. Hill paid 3.5."
    assert clean(" Mr.  Hill paid 3.5. ", clean_dots=True, prefixes=ENGLISH) == "Mr Hill paid 35."


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Mr. Hill met Mrs. Gray. They spoke.", ["Mr. Hill met Mrs. Gray.", "They spoke."]),
        ("It cost 3.5 dollars. I paid.", ["It cost 3.5 dollars.", "I paid."]),
        ("He met (Mr. Hill). She left.", ["He met (Mr. Hill).", "She left."]),
        ("Is it vitamin A? Yes.", ["Is it vitamin A?", "Yes."]),
        ("1990. Today we know.", ["1990.", "Today we know."]),
        ("See No. 5. It is here.", ["See No. 5.", "It is here."]),
        ("Did he go? No. Never.", ["Did he go?", "No.", "Never."]),
        ("He was born in 1990. 20 years later he left.", ["He was born in 1990.", "20 years later he left."]),
        ("1. Open it. 2. Close it.", ["1. Open it.", "2. Close it."]),
        ("Wait... What? Well... maybe.", ["Wait...", "What?", "Well... maybe."]),
        ("He left… She stayed.", ["He left…", "She stayed."]),
        ('"Go." He went. “Why?” she asked.', ['"Go."', "He went.", "“Why?” she asked."]),
        ("(He knew.) [So did I.] We left.", ["(He knew.)", "[So did I.]", "We left."]),
        ("They came at 5 p.m. We left.", ["They came at 5 p.m.", "We left."]),
        ("The U.S. Army came. It left.", ["The U.S. Army came.", "It left."]),
        ("J. R. R. Tolkien wrote. We read.", ["J. R. R. Tolkien wrote.", "We read."]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ("Visit www.example.org now. Go.", ["Visit www.example.org now.", "Go."]),
        ("no capital. but a dot.", ["no capital. but a dot."]),
        ("  ", []),
        ("", []),
    ],
)
def test_split_english(text: str, sentences: list[str]) -> None:
    assert split_sentences(text, ENGLISH) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hola. ¿Qué tal? ¡Bien! Adiós.", ["Hola.", "¿Qué tal?", "¡Bien!", "Adiós."]),
        ("¿Vienes?¡Sí!", ["¿Vienes?", "¡Sí!"]),
        ("El Sr. Ruiz y la Sra. Gil. Él vino.", ["El Sr. Ruiz y la Sra. Gil.", "Él vino."]),
        ("Vive en EE. UU. desde 1990. Trabaja.", ["Vive en EE. UU. desde 1990.", "Trabaja."]),
        ("Dijo: «Ven.» Y se fue.", ["Dijo: «Ven.»", "Y se fue."]),
        ("No. —¿Por qué? —Porque no.", ["No.", "—¿Por qué?", "—Porque no."]),
        ("Mide 3.500 m. ¿Es mucho?", ["Mide 3.500 m.", "¿Es mucho?"]),
    ],
)
def test_split_spanish(text: str, sentences: list[str]) -> None:
    assert split_sentences(text, SPANISH) == sentences


def test_split_without_prefixes_and_for_letters_without_case() -> None:
    assert split_sentences("Mr. Hill") == ["Mr.", "Hill"]
    assert split_sentences("مرحبا! كيف حالك؟") == ["مرحبا!", "كيف حالك؟"]


def test_split_takes_linear_time() -> None:
    """400,000 words took 1 s; cutting the rest of the text off at each dot took hours."""
    assert len(split_sentences("Mr. Hill paid. " * 50_000, ENGLISH)) == 50_000


def test_our_prefix_files_hold_what_their_languages_need() -> None:
    assert {"Mr", "Mrs", "Dr", "A", "No #NUMERIC_ONLY#"} <= set(ENGLISH)
    assert {"Sr", "Sra", "Dra", "Ud", "EE", "pág #NUMERIC_ONLY#"} <= set(SPANISH)
    assert "I" not in ENGLISH, "the pronoun ends sentences"
    assert "no #NUMERIC_ONLY#" not in SPANISH, "the word no ends sentences"
    for prefixes in (ENGLISH, SPANISH):
        assert len(prefixes) == len(set(prefixes)) > 80
        assert not any(prefix.removesuffix("#NUMERIC_ONLY#").strip().endswith(".") for prefix in prefixes)


@pytest.mark.parametrize("lang", ["xx", "../prefixes/en", ""])
def test_a_language_without_a_list_has_no_prefixes(lang: str) -> None:
    assert default_prefixes(lang) == ()


def test_load_prefixes_reads_the_moses_format(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes("\ufeff# comment\r\nMr\r\n\r\nSra.\nNo   #NUMERIC_ONLY#\nMr\n  n\u0303 \n".encode())
    assert load_prefixes(path) == ("Mr", "Sra", "No #NUMERIC_ONLY#", "ñ")


def test_load_prefixes_names_the_line_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes(b"Mr\nSe\xf1or\n")
    with pytest.raises(ChannelError, match=r"own\.txt, line 2, is not UTF-8"):
        load_prefixes(path)


def test_load_prefixes_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match=r"absent\.txt cannot be read \(No such file"):
        load_prefixes(tmp_path / "absent.txt")
