"""Sentences through the engine, their protected spans kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from container.artifact import mean_log_probability
from serve import layout
from serve.alignment import widen
from serve.batching import Batcher, Item
from serve.predictor import EMPTY, Hypothesis, TextRules, Translation
from serve.spans import Masked

SHOWN_SPANS = 3
LOOPS = "The translation repeats itself: do not trust it."


@dataclass(frozen=True)
class Sentence:
    """One sentence of a text, normalised, with its parameters; and as it is translated, spans masked."""

    item: Item
    masked: Masked


def translate_sentences(sentences: Sequence[Sentence], batcher: Batcher, until: float) -> list[Translation]:
    """Translate sentences, in order; one whose protected spans get lost, again without protection."""
    first = batcher.translate([_protected(sentence, batcher.rules) for sentence in sentences], until)
    answers = [_filled(sentence, translation) for sentence, translation in zip(sentences, first, strict=True)]
    lost = [index for index, answer in enumerate(answers) if answer is None]
    second = batcher.translate([sentences[index].item for index in lost], until) if lost else []
    for index, translation in zip(lost, second, strict=True):
        answers[index] = _told(sentences[index], translation)
    together = zip(sentences, answers, strict=True)
    return [_sure(sentence, answer or EMPTY, batcher.rules) for sentence, answer in together]


def _sure(sentence: Sentence, translation: Translation, rules: TextRules) -> Translation:
    """The translation with a confidence in each hypothesis, where the model has a calibration."""
    calibration = rules.calibration
    if calibration is None or translation is EMPTY:
        return translation
    penalty = sentence.item.options(rules.decoding).length_penalty

    def sure(each: Hypothesis) -> Hypothesis:
        mean = mean_log_probability(each.score, each.tokens, penalty)
        return replace(each, confidence=calibration.confidence(mean))

    return replace(translation, hypotheses=tuple(map(sure, translation.hypotheses)))


def _protected(sentence: Sentence, rules: TextRules) -> Item:
    parameters = sentence.item.parameters
    if sentence.masked.spans:  # any hypothesis of the beam may be the one that keeps the symbols
        width = parameters.options(rules.decoding).beam_size
        parameters = parameters.model_copy(update={"num_hypotheses": width})
    return Item(sentence.masked.text, parameters)


def _filled(sentence: Sentence, translation: Translation) -> Translation | None:
    """The hypotheses that kept every symbol, spans in their places; None when there is none."""
    masked = sentence.masked
    kept = [each for each in translation.hypotheses if masked.kept_by(each.text)]
    if not kept:
        return None
    filled = tuple(fill(each, masked) for each in kept[: sentence.item.parameters.num_hypotheses])
    too_many = masked.left_out and f"{_shown(masked.left_out)} could not be protected: check the translation."
    return Translation(filled, _doubts(sentence, translation, too_many or None))


def _doubts(sentence: Sentence, translation: Translation, found: str | None) -> str | None:
    """What was `found`, what the engine says, and whether the translation goes in circles."""
    circles = LOOPS if layout.loops(translation.hypotheses[0].text, sentence.item.text) else None
    return " ".join(filter(None, (found, translation.warning, circles))) or None


def fill(hypothesis: Hypothesis, masked: Masked) -> Hypothesis:
    """The hypothesis with the spans in their places; links, which were between masked words, between all words."""
    source = [len(masked.fill_source(word).split()) for word in masked.text.split()]
    target = [len(masked.fill(word).split()) for word in hypothesis.text.split()]
    return replace(
        hypothesis,
        text=masked.fill(hypothesis.text),
        alignment=widen(hypothesis.alignment, source, target),
        token_scores=tuple((masked.fill(token), score) for token, score in hypothesis.token_scores),
    )


def _told(sentence: Sentence, translation: Translation) -> Translation:
    """A translation made without protection, and which spans it really lost."""
    best = translation.hypotheses[0].text
    lost = [span.target for span in sentence.masked.spans if span.target not in best]
    lost += [text for text in sentence.masked.left_out if text not in best]
    found = f"The model did not carry over {_shown(lost)}: check the translation." if lost else None
    unmasked = Masked(sentence.item.text)
    hypotheses = tuple(fill(each, unmasked) for each in translation.hypotheses)
    return Translation(hypotheses, _doubts(sentence, translation, found))


def _shown(spans: Sequence[str]) -> str:
    return ", ".join(map(repr, spans[:SHOWN_SPANS])) + (", …" if len(spans) > SHOWN_SPANS else "")
