"""Whole texts: order, layout, protected spans, second passes. A stand-in engine shows what the model is given."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from container.artifact import Decoding
from container.vocabulary import PLACEHOLDERS
from serve.engine.batching import Batcher, Decoder, Work
from serve.engine.interface import Hypothesis, Options, Source, TextRules, Translation, default_options
from serve.text import pipeline
from serve.text.masking import mask_spans
from serve.text.parameters import Parameters
from serve.text.pipeline import segment, translate_sentences
from serve.text.records import Record
from serve.text.warnings import NOTHING_LEFT, REPEATS
from tests.serve.server import Server

PRETRAINED = Path(__file__).parents[3] / "data" / "pretrained" / "model"
TOKENIZER = sentencepiece.SentencePieceProcessor(model_file=str(PRETRAINED / "tokenizer.model"))


class Upper:
    """Writes in capitals, after the prefix; `lose` says which symbols hypothesis n loses."""

    rules = (TextRules(("Mr",), PLACEHOLDERS, max_tokens=6, decoding=Decoding(beam_size=2)),)

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.lose: Callable[[int], str] = lambda rank: ""

    def prepare(self, texts: Sequence[str], target_lang: str | None = None) -> list[Source]:
        return [Source(tuple(text.split())) for text in texts]

    def decode(self, sources: Sequence[Source], options: Options) -> list[Translation]:
        return [self._translation(" ".join(source.tokens), options) for source in sources]

    def _translation(self, text: str, options: Options) -> Translation:
        self.seen.append(text)
        written = f"{options.prefix} {text.upper()}".strip()
        texts = ["".join(c for c in written if c not in self.lose(n)) for n in range(options.num_hypotheses)]
        if options.alternatives:  # another word behind the prefix, then the text without its first words
            rest = text.upper().split()[len(options.prefix.split()) + 1 :]
            texts = [" ".join([options.prefix, f"W{n}", *rest]).strip() for n in range(options.num_hypotheses)]
        length = len(written.split())
        straight = tuple((word, word) for word in range(length))
        return Translation(tuple(Hypothesis(text, -1.0 - n, length, straight) for n, text in enumerate(texts)))

    def translate(self, texts: Sequence[str]) -> list[Translation]:
        return self.decode(self.prepare(texts), default_options(self.rules[0].decoding))


@pytest.fixture
def engine() -> Upper:
    return Upper()


@pytest.fixture
def ask(engine: Upper) -> Iterator[Callable[..., Translation]]:
    batcher = Batcher(engine, 1, 64, 1000)

    def translate(text: str, **parameters: Any) -> Translation:
        return pipeline.translate([Record(text, Parameters(**parameters))], engine.rules, Decoder(batcher))[0]

    yield translate
    batcher.close()


Ask = Callable[..., Translation]


def best(translation: Translation) -> str:
    return translation.hypotheses[0].text


def test_a_document_of_200_paragraphs_keeps_its_layout(ask: Ask, engine: Upper) -> None:
    text = "\n\n".join(f"  - He saw Mr. Hill {number}. It is fine!\t" for number in range(200))
    assert best(ask(text)) == text.upper()
    assert "It is fine!" in engine.seen


def test_a_document_keeps_its_layout_over_http(server: Server) -> None:
    text = "\n\n".join(f"  - I see the dog {number}.\n\tHello!  " for number in range(200)) + "\n"
    answer = server.invoke({"inputs": text}).json()[0]["translation_text"]
    around = re.compile(r"^(\s*(?:- )?)(.*?)(\s*)$")

    def layout(document: str) -> list[tuple[str, str, bool]]:
        found = [around.match(line) for line in document.split("\n")]
        return [(each[1], each[3], bool(each[2])) for each in found if each]

    assert layout(answer) == layout(text)


def test_a_sentence_that_surely_fits_is_not_counted() -> None:
    def never(texts: Sequence[str]) -> list[int]:
        raise AssertionError(texts)

    rules = TextRules(max_tokens=13, count_tokens=never)
    document = segment(Record("I see a dog.", Parameters()), rules)
    assert [each.mask.text for each in document.sentences] == ["I see a dog."]
    for counted in ("I see a dogs.", "Él ve."):
        with pytest.raises(AssertionError, match=counted):
            segment(Record(counted, Parameters()), rules)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_an_ascii_character_is_one_token_at_most(text: str) -> None:
    assert len(TOKENIZER.encode(text)) <= len(text) + 1


def test_a_long_sentence_is_translated_in_parts(ask: Ask, engine: Upper) -> None:
    assert best(ask("A b c d, e f g h i j")) == "A B C D, E F G H I J"
    assert sorted(engine.seen) == ["A b c d,", "e f g h i j"]


def test_spans_and_terms_pass_through(ask: Ask, engine: Upper) -> None:
    text = "See the dog at http://a.example/b with 25 <b>cats</b>"
    translation = ask(text, glossary={"dog": "can Grande"})
    assert best(translation) == "SEE THE can Grande AT http://a.example/b WITH 25 <b>CATS</b>"
    assert translation.warning is None
    assert not any("http" in seen or "dog" in seen or "<b>" in seen for seen in engine.seen)


def test_the_hypothesis_that_keeps_the_symbols_is_taken(ask: Ask, engine: Upper) -> None:
    engine.lose = lambda rank: "" if rank else PLACEHOLDERS[0]
    translation = ask("I am a@b.org")
    assert (best(translation), translation.warning) == ("I AM a@b.org", None)
    assert len(translation.hypotheses) == 1
    assert "I am a@b.org" not in engine.seen


def test_a_hypothesis_without_symbols_that_has_everything_is_taken(ask: Ask, engine: Upper) -> None:
    engine.lose = lambda rank: "".join(PLACEHOLDERS)
    translation = ask("I see {X}")
    assert (best(translation), translation.warning) == ("I SEE {X}", None)
    assert "I see {X}" in engine.seen


def test_a_plain_number_is_shown_at_first(ask: Ask, engine: Upper) -> None:
    assert (best(ask("I am 25 at 10:30")), ask("I am 25").warning) == ("I AM 25 AT 10:30", None)
    assert engine.seen == [f"I am 25 at {PLACEHOLDERS[1]}"] * len(engine.seen[:-1]) + ["I am 25"]


def test_a_number_that_is_not_kept_becomes_a_symbol_then(ask: Ask, engine: Upper) -> None:
    engine.lose = lambda rank: "5"
    translation = ask("I am 25")
    assert (best(translation), translation.warning) == ("I AM 25", None)
    assert engine.seen[-1] == f"I am {PLACEHOLDERS[0]}"


def test_a_lost_term_is_forced_at_its_place(ask: Ask, engine: Upper) -> None:
    engine.lose = lambda rank: PLACEHOLDERS[0]
    translation = ask("see the dog now", glossary={"dog": "can"})
    assert best(translation) == "SEE THE can NOW"
    assert "'can' had to be put in by force" in str(translation.warning)


def test_spans_beyond_the_symbols_are_kept_too(ask: Ask) -> None:
    word = " ".join(f"http://a.example/{number}" for number in range(3 * len(PLACEHOLDERS) + 1))
    assert best(ask(word)) == word


def test_symbols_that_the_model_makes_up_are_dropped() -> None:
    ((mask, _),) = mask_spans("I am 25", PLACEHOLDERS, {})
    assert mask.write_targets(f"{PLACEHOLDERS[3]} {mask.text}") == "I am 25"


def test_a_prefix_opens_the_first_sentence_only(ask: Ask) -> None:
    assert best(ask("One. Two.", prefix="el ")) == "el ONE. TWO."


def test_alternatives_keep_what_stands_before_them_and_all_around(ask: Ask) -> None:
    translation = ask("- A b.\n\nC 25 dog e. F", glossary={"dog": "can grande"}, alternatives_at=7, num_alternatives=2)
    assert best(translation) == "- A B.\n\nC 25 can grande E. F"
    assert [(each.word, each.text) for each in translation.alternatives] == [
        ("W0", "- A B.\n\nC 25 can grande W0 F"),
        ("W1", "- A B.\n\nC 25 can grande W1 F"),
    ]
    inside = ask("- A b.\n\nC 25 dog e. F", glossary={"dog": "can grande"}, alternatives_at=6)
    assert inside.alternatives == ()  # none that keeps the term


def test_alternatives_of_a_text_in_capitals_are_in_capitals(ask: Ask, engine: Upper) -> None:
    translation = ask("AA BB CC", alternatives_at=1, num_alternatives=1)
    assert [each.text for each in translation.alternatives] == ["AA W0 CC"]
    assert engine.seen == ["Aa bb cc", "Aa bb cc"]


def test_alternatives_behind_a_prefix(ask: Ask) -> None:
    translation = ask("a b c", prefix="x y", alternatives_at=2, num_alternatives=1)
    assert best(translation) == "x y A B C"
    assert [each.text for each in translation.alternatives] == ["x y W0"]


def test_alignment_counts_words_of_the_whole_text(ask: Ask) -> None:
    translation = ask("- A b.\n\nC 25 dog", glossary={"dog": "can grande"})
    assert best(translation) == "- A B.\n\nC 25 can grande"
    assert translation.hypotheses[0].alignment == ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (5, 6))


def test_scores_of_sentences_are_weighted_by_their_tokens(ask: Ask) -> None:
    translation = ask("A b c. D", num_hypotheses=2)
    assert [each.text for each in translation.hypotheses] == ["A B C. D", "A B C. D"]
    assert [each.score for each in translation.hypotheses] == [-1.0, -2.0]
    assert translation.hypotheses[0].tokens == 4


def test_nothing_left_after_clean_up_is_told(ask: Ask) -> None:
    assert (best(ask("\u200b\x00")), ask("\u200b\x00").warning) == ("", NOTHING_LEFT)
    assert ask(" \n ") == ask("")
    assert ask("").warning is None


def test_nothing_left_by_the_tokenizer_is_told(server: Server) -> None:
    first, second = server.invoke(["\u200c", "\u200c\n<b>"]).json()["predictions"]
    assert first == {"translation": "", "warning": NOTHING_LEFT}
    assert second["translation"] == "\n<b>"


def test_a_repetition_is_told(ask: Ask) -> None:
    assert ask("a", prefix="the dog the dog the dog the dog ").warning == REPEATS


def test_a_text_in_other_letters_is_told(server: Server) -> None:
    entry = server.invoke(["日本語の文です"]).json()["predictions"][0]
    assert "has not learnt" in entry["warning"]


def test_everything_that_can_be_asked_for(server: Server) -> None:
    asked = {"return_alignment": True, "return_token_scores": True, "return_scores": True, "prefix": "the dog"}
    entry = server.invoke({"instances": ["I see the dog. Hello!"], "parameters": asked}).json()["predictions"][0]
    assert entry["translation"].startswith("the dog")
    count = len(entry["translation"].split())
    assert all(0 <= source < 5 and 0 <= target < count for source, target in entry["alignment"])
    assert {target for _, target in entry["alignment"]} == set(range(count))
    assert all(set(each) == {"token", "score"} and each["score"] <= 0 for each in entry["token_scores"])
    assert "".join(each["token"] for each in entry["token_scores"]).startswith("▁the▁dog")


def test_a_text_without_end_is_not_cut_off(server: Server) -> None:
    entry = server.invoke({"instances": ["dog " * 500]}).json()["predictions"][0]
    assert "translated" not in entry.get("warning", "")
    first = server.invoke({"instances": [" ".join(["dog"] * 48)]}).json()["predictions"][0]["translation"]
    assert entry["translation"].startswith(first)
    assert len(entry["translation"]) > 5 * len(first)


def test_a_word_without_end_is_cut_and_ping_still_answers(server: Server) -> None:
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(server.invoke, b"a" * 2_000_000, "text/plain", Accept="application/jsonlines")
        waits = []
        while not answer.done():
            started = time.monotonic()
            assert server.ping() == 200
            waits.append(time.monotonic() - started)
    assert "only the first 62 were translated" in answer.result().json()["warning"]
    assert max(waits, default=0) < 2


def test_one_line_in_plain_text_stays_one(server: Server) -> None:
    answer = server.invoke(["Hello!\n\nthe dog"], Accept="text/plain").text
    assert answer.count("\n") == 1


@pytest.mark.parametrize("prefix", ["a" * 1000, "\u200b", "the dog " * 100])
def test_no_prefix_breaks_the_engine(server: Server, prefix: str) -> None:
    answer = server.invoke({"inputs": "Hello!", "parameters": {"prefix": prefix, "return_alignment": True}})
    assert answer.status_code == 200, answer.text


# ---- sentences whose spans get lost go again, before those that have not been there yet ----


class Recorder:
    """In the place of the decoder: an engine that keeps the symbols of the first `kept` passes only."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.passes: list[tuple[int, bool]] = []  # sentences, and whether they went before the others

    def decode(self, works: Sequence[Work], again: bool = False) -> list[Translation]:
        if not works:
            return []
        self.passes.append((len(works), again))
        keeps = len(self.passes) <= self.kept
        return [Translation((Hypothesis(work.text if keeps else "Nada.", -1.0, 2),)) for work in works]


def passes(decoder: Recorder) -> list[str]:
    texts = ["Call the station now.", "He is here."]
    parameters = Parameters(glossary={"station": "estación"})
    rules = TextRules(placeholders=PLACEHOLDERS)
    sentences = [sentence for text in texts for sentence in segment(Record(text, parameters), rules).sentences]
    answers = translate_sentences(sentences, decoder)  # type: ignore[arg-type]
    return [answer.hypotheses[0].text for answer in answers]


def test_what_kept_its_spans_goes_once() -> None:
    decoder = Recorder(kept=1)
    assert passes(decoder) == ["Call the estación now.", "He is here."]
    assert decoder.passes == [(2, False)]


def test_what_lost_a_span_goes_again_before_the_others() -> None:
    decoder = Recorder(kept=0)
    first, second = passes(decoder)
    assert "estación" in first  # put in by force
    assert second == "Nada."
    (whole, *rest) = decoder.passes
    assert whole == (2, False)
    assert len(rest) >= 2  # without symbols, and forced
    assert set(rest) == {(1, True)}
