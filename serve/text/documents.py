"""Texts of any length through the engine: cut into sentences, protected, translated, put together again."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from container.errors import UserError
from container.text import normalise
from serve.engine.batching import Batcher, Item
from serve.engine.interface import EMPTY, Hypothesis, TextRules, Translation
from serve.text import segmentation as layout
from serve.text.alternatives import find_alternatives
from serve.text.masking import protect
from serve.text.sentences import Sentence, translate_sentences

SHOWN_WARNINGS = 3
STREAM_GROUP = 64  # sentences
NOTHING_LEFT = "Nothing of the text was left after clean-up."


@dataclass(frozen=True)
class Document:
    """One text of a request, cut: `layout.join(gaps, …)` of its translated sentences has its layout."""

    item: Item
    gaps: list[str]
    sentences: list[Sentence]


def cut(item: Item, rules: TextRules) -> Document:
    """Cut a text where its sentences end, and a sentence that is too long for the model where its clauses do."""
    outer_gaps, whole = layout.split(item.text, rules.prefixes)
    glossary = item.parameters.glossary or {}
    later = item.parameters
    if later.prefix is not None:  # it opens the first sentence only
        later = later.model_copy(update={"prefix": None})
    gaps = outer_gaps[:1]
    sentences: list[Sentence] = []

    def shorten(sentence: str) -> list[str]:
        return [sentence] if rules.has_room(sentence) else layout.shorten(sentence, rules.sizes, rules.room)

    for text, gap in zip(whole, outer_gaps[1:], strict=True):
        parts = protect(normalise(text), rules.placeholders, glossary, shorten)
        for masked, between in parts:
            parameters = later if sentences else item.parameters
            whole_part = masked.whole
            if len(masked.text) > rules.longest:  # a single word without end
                masked = replace(masked, text=masked.text[: rules.longest])
            sentences.append(Sentence(Item(whole_part, parameters), masked))
            gaps.append(between)
        gaps[-1] = gap
    return Document(item, gaps, sentences)


def check(items: Sequence[Item], batcher: Batcher) -> None:
    """`UserError` when a direction or a confidence is asked of a model that has none."""
    if any(batcher.rules_of(item).calibration is None and item.parameters.return_confidence for item in items):
        raise UserError(
            "This model has no calibration, so it gives no confidence: train it again with a validation part of "
            "50 sentences or more, or leave `return_confidence` out."
        )


def translate(items: Sequence[Item], batcher: Batcher, until: float = math.inf) -> list[Translation]:
    """Translate texts of any length, in order; raises like `Batcher.translate`."""
    check(items, batcher)
    documents = [cut(item, batcher.rules_of(item)) for item in items]
    sentences = [sentence for document in documents for sentence in document.sentences]
    done = iter(translate_sentences(sentences, batcher, until))
    answers = []
    for document in documents:
        parts = [next(done) for _ in document.sentences]
        whole = put_together(document, parts)
        if document.item.parameters.alternatives_at is not None:
            alternatives = find_alternatives(document.gaps, document.sentences, parts, batcher, until)
            whole = replace(whole, alternatives=alternatives)
        answers.append(whole)
    return answers


def stream(items: Sequence[Item], batcher: Batcher, seconds: float = math.inf) -> Iterator[Translation]:
    """The translations of sentence after sentence, in order, each group while the next has not begun.

    Groups double in size: the first sentence arrives soon, and a long document fills the engine's batches.
    `seconds` is the time that one group may take.
    """
    check(items, batcher)
    sentences = (sentence for item in items for sentence in cut(item, batcher.rules_of(item)).sentences)
    size = 1
    while group := list(islice(sentences, size)):
        yield from translate_sentences(group, batcher, time.monotonic() + seconds)
        size = min(2 * size, STREAM_GROUP)


def put_together(document: Document, translations: Sequence[Translation]) -> Translation:
    """The translation of a text from those of its sentences, its layout kept, warnings gathered."""
    if all(_is_nothing(translation.hypotheses[0]) for translation in translations):
        return replace(EMPTY, warning=NOTHING_LEFT) if document.item.text.strip() else EMPTY
    if len(translations) == 1 and not any(document.gaps):
        return translations[0]
    ranks = range(max(len(translation.hypotheses) for translation in translations))
    hypotheses = tuple(
        _ranked(document, [each.hypotheses[min(rank, len(each.hypotheses) - 1)] for each in translations])
        for rank in ranks
    )
    warnings = list(dict.fromkeys(each.warning for each in translations if each.warning))
    more = f" (and {len(warnings) - SHOWN_WARNINGS} more)" if len(warnings) > SHOWN_WARNINGS else ""
    return Translation(hypotheses, " ".join(warnings[:SHOWN_WARNINGS]) + more if warnings else None)


def _is_nothing(hypothesis: Hypothesis) -> bool:
    """Whether the engine was never asked: a translation without tokens has a score all the same."""
    return not (hypothesis.text or hypothesis.tokens or hypothesis.score)


def _ranked(document: Document, parts: Sequence[Hypothesis]) -> Hypothesis:
    """One hypothesis of a text; its score and confidence are the means of its sentences', weighted by their tokens."""
    tokens = sum(part.tokens for part in parts)
    score = sum(part.score * part.tokens for part in parts) / tokens if tokens else 0.0
    sure = [(part.confidence, part.tokens) for part in parts if part.confidence is not None and part.tokens]
    confidence = sum(each * count for each, count in sure) / sum(count for _, count in sure) if sure else None
    alignment, read, written = [], len(document.gaps[0].split()), len(document.gaps[0].split())
    for sentence, part, gap in zip(document.sentences, parts, document.gaps[1:], strict=True):
        alignment += [(read + source, written + target) for source, target in part.alignment]
        read += len(sentence.item.text.split()) + len(gap.split())
        written += len(part.text.split()) + len(gap.split())
    return Hypothesis(
        layout.join(document.gaps, [part.text for part in parts]),
        parts[0].score if len(parts) == 1 else score,
        tokens,
        tuple(alignment),
        tuple(entry for part in parts for entry in part.token_scores),
        confidence,
    )
