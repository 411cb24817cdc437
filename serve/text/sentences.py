"""Sentences through the engine, their protected spans kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from container.artifact import mean_log_probability
from serve.engine.alignment import widen
from serve.engine.batching import Batcher, Item
from serve.engine.interface import EMPTY, Hypothesis, TextRules, Translation
from serve.text import segmentation as layout
from serve.text.masking import Masked
from serve.text.recovery import Forced, force
from serve.text.tags import moved, weave

SHOWN_SPANS = 3
LOOPS = "The translation repeats itself: do not trust it."


@dataclass(frozen=True)
class Sentence:
    """One sentence of a text, normalised, with its parameters; and as it is translated, spans masked."""

    item: Item
    masked: Masked


def translate_sentences(sentences: Sequence[Sentence], batcher: Batcher, until: float) -> list[Translation]:
    """Translate sentences, in order; each protected span is in its translation, whatever the model does.

    It may keep the symbols in any hypothesis of its beam; or write what is wanted without symbols; else it is forced.
    """
    answers = _translated(sentences, [sentence.masked for sentence in sentences], batcher, until)
    if lost := [index for index, answer in enumerate(answers) if answer is None]:
        plain = [sentences[index].masked.plain() for index in lost]
        found = _translated([sentences[i] for i in lost], plain, batcher, until, again=True)
        for index, answer in zip(lost, found, strict=True):
            answers[index] = answer
    if lost := [index for index in lost if answers[index] is None]:
        inputs = [(sentences[index].masked, sentences[index].item.parameters) for index in lost]
        for index, forced in zip(lost, force(inputs, batcher, until), strict=True):
            answers[index] = _forced(sentences[index], forced)
    together = zip(sentences, answers, strict=True)
    return [_sure(sentence, answer or EMPTY, batcher.rules_of(sentence.item)) for sentence, answer in together]


def _translated(
    sentences: Sequence[Sentence], masked: Sequence[Masked], batcher: Batcher, until: float, again: bool = False
) -> list[Translation | None]:
    """The hypotheses that have every span of their sentence; None where there is none."""
    if not sentences:
        return []
    items = [_item(*each, batcher.rules_of(each[0].item)) for each in zip(sentences, masked, strict=True)]
    found = batcher.translate(items, until, again)
    return [_filled(*each) for each in zip(sentences, masked, found, strict=True)]


def _item(sentence: Sentence, masked: Masked, rules: TextRules) -> Item:
    parameters, wanted = sentence.item.parameters, {}
    if sentence.masked.spans:  # any hypothesis of the beam may be the one that has them all
        wanted["num_hypotheses"] = parameters.options(rules.decoding).beam_size
    if masked.tags:
        wanted["return_alignment"] = True
    return Item(masked.text, parameters.model_copy(update=wanted) if wanted else parameters)


def _filled(sentence: Sentence, masked: Masked, translation: Translation) -> Translation | None:
    filled = [fill(each, masked) for each in translation.hypotheses if masked.kept_by(each.text)]
    if sentence.masked.spans and not masked.spans:  # no symbols were used: is everything there all the same?
        filled = [each for each in filled if sentence.masked.honoured_by(each.text)]
    if not filled:
        return None
    best = filled[0].text
    lost = [text for text in masked.left_out if text not in best]  # of a model without symbols
    told = f"The model did not carry over {_shown(lost)}: check the translation." if lost else None
    wanted = tuple(filled[: sentence.item.parameters.num_hypotheses])
    return Translation(wanted, _doubts(sentence, translation.hypotheses[0].text, translation.warning, told))


def _forced(sentence: Sentence, forced: Forced) -> Translation:
    targets = [span.target for span in sentence.masked.spans]
    told = f"{_shown(targets)} had to be put in by force: check the translation." if forced.inserted else None
    best = fill(forced.hypothesis, sentence.masked)
    return Translation((best,), _doubts(sentence, best.text, None, told))


def _doubts(sentence: Sentence, translation: str, warning: str | None, told: str | None) -> str | None:
    """What is told of the spans, what the engine says, and whether the translation goes in circles."""
    circles = LOOPS if layout.loops(translation, sentence.item.text) else None
    return " ".join(filter(None, (told, warning, circles))) or None


def _shown(spans: Sequence[str]) -> str:
    return ", ".join(map(repr, spans[:SHOWN_SPANS])) + (", …" if len(spans) > SHOWN_SPANS else "")


def fill(hypothesis: Hypothesis, masked: Masked) -> Hypothesis:
    """The hypothesis with tags and spans in their places; links, which were between masked words, between all words."""
    if not (masked.tags or masked.spans or hypothesis.alignment or hypothesis.token_scores):
        text = masked.fill(hypothesis.text)
        return hypothesis if text == hypothesis.text else replace(hypothesis, text=text)
    words, text, alignment = hypothesis.text.split(), hypothesis.text, hypothesis.alignment
    if masked.tags:
        before, after = masked.woven, weave(words, moved(masked.tags, words, alignment))
        inside = [(i, j) for i, j in alignment if i < len(before.places) and j < len(words)]
        text, alignment = after.text, tuple((before.places[i], after.places[j]) for i, j in inside)
    if alignment:
        source = [len(masked.fill_source(word).split()) for word in masked.woven.text.split()]
        target = [len(masked.fill(word).split()) for word in text.split()]
        alignment = widen(alignment, source, target)
    return replace(
        hypothesis,
        text=masked.fill(text),
        alignment=alignment,
        token_scores=tuple((masked.fill(token), score) for token, score in hypothesis.token_scores),
    )


def _sure(sentence: Sentence, translation: Translation, rules: TextRules) -> Translation:
    """The translation with a confidence in each hypothesis, where it is asked for and the model has a calibration."""
    calibration = rules.calibration
    if calibration is None or translation is EMPTY or not sentence.item.parameters.return_confidence:
        return translation
    penalty = sentence.item.options(rules.decoding).length_penalty

    def sure(each: Hypothesis) -> Hypothesis:
        mean = mean_log_probability(each.score, each.tokens, penalty)
        return replace(each, confidence=calibration.confidence(mean))

    return replace(translation, hypotheses=tuple(map(sure, translation.hypotheses)))
