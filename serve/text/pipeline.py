"""From the records of a request to their translations, read from top to bottom.

segment              cut each text where its sentences end, and mask the spans that must not be translated
translate_sentences  decode the sentences, together with those of other requests
                     unmask: take the hypotheses that have every span
                     recover: where none has, decode again without symbols, then force the spans
                     add confidence
join                 put the sentences of each text together again, with its layout
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from container.artifact import mean_log_probability
from serve.engine.batching import Batcher, Decoder
from serve.engine.interface import EMPTY, Hypothesis, TextRules, Translation
from serve.text.alternatives import find_alternatives
from serve.text.finishing import finish
from serve.text.masking import Mask, unmask
from serve.text.records import Document, Record, Sentence, find_rules
from serve.text.recovery import force_spans
from serve.text.segmentation import join_text, segment
from serve.text.warnings import NOTHING_LEFT, UNSURE, collect_warnings, join_warnings, list_spans

INVENTED = 0.005  # a lower confidence; of 1,000 unseen sentences of the shipped model 3 have one
STREAM_GROUP = 64  # sentences


def translate(records: Sequence[Record], rules: Sequence[TextRules], decoder: Decoder) -> list[Translation]:
    """Translate texts of any length, in order; raises like `find_rules` and `Batcher.decode`."""
    own_rules = [find_rules(record, rules) for record in records]
    documents = [segment(*each) for each in zip(records, own_rules, strict=True)]
    sentences = [sentence for document in documents for sentence in document.sentences]
    translated = iter(translate_sentences(sentences, decoder))
    return [join(document, list(islice(translated, len(document.sentences))), decoder) for document in documents]


def stream(
    records: Sequence[Record], rules: Sequence[TextRules], batcher: Batcher, seconds: float = math.inf
) -> Iterator[Translation]:
    """The translations of sentence after sentence, in order; each group is decoded when the one before is taken.

    Groups double in size: the first sentence arrives soon, and a long document fills the engine's batches.
    seconds: the time that one group may take. Raises like `translate`.
    """
    own_rules = [find_rules(record, rules) for record in records]
    sentences = (sentence for each in zip(records, own_rules, strict=True) for sentence in segment(*each).sentences)
    size = 1
    while group := list(islice(sentences, size)):
        yield from translate_sentences(group, Decoder(batcher, time.monotonic() + seconds))
        size = min(2 * size, STREAM_GROUP)


# ---- decode, unmask, recover ---------------------------------------------------------------------------


def translate_sentences(sentences: Sequence[Sentence], decoder: Decoder) -> list[Translation]:
    """Translate sentences, in order; each protected span is in its translation, whatever the model does.

    The model may keep what it sees (plain numbers, a symbol for each other span) in any hypothesis of its beam; else
    it sees a symbol for each number too, else none; else each span is forced.
    """
    answers: list[Translation | None] = [keep(sentence) if sentence.kept else None for sentence in sentences]
    lost = [index for index, answer in enumerate(answers) if answer is None]
    for number, make_mask in enumerate((Mask.show_numbers, _all_symbols, _no_symbols)):
        masks = [make_mask(sentences[index].mask) for index in lost]
        tried = [each for each in zip(lost, masks, strict=True) if number == 0 or each[1] is not None]
        again = [sentences[index] for index, _ in tried]
        decoded = decode_sentences(again, [mask for _, mask in tried if mask is not None], decoder, again=number > 0)
        for (index, _), answer in zip(tried, decoded, strict=True):
            answers[index] = answer
        lost = [index for index in lost if answers[index] is None]
        if not lost:
            break
    for index, answer in zip(lost, force_spans([sentences[index] for index in lost], decoder), strict=True):
        answers[index] = answer
    return [add_confidence(*each) for each in zip(sentences, (each or EMPTY for each in answers), strict=True)]


def _all_symbols(mask: Mask) -> Mask | None:
    """The mask with all its symbols; None where it was decoded so before."""
    return mask if any(span.shown for span in mask.spans) else None


def _no_symbols(mask: Mask) -> Mask | None:
    """The mask without symbols; None where it was decoded so before."""
    return mask.without_symbols() if not all(span.shown for span in mask.spans) else None


def keep(sentence: Sentence) -> Translation:
    """The translation of what has nothing to translate: itself."""
    return Translation((Hypothesis(sentence.text, 0.0, confidence=1.0),), sentence.warning)


def decode_sentences(
    sentences: Sequence[Sentence], masks: Sequence[Mask], decoder: Decoder, again: bool = False
) -> list[Translation | None]:
    """Decode sentences as `masks` show them and unmask them; None where no hypothesis has every span."""
    works = []
    for sentence, mask in zip(sentences, masks, strict=True):
        options: dict[str, int] = {}
        if sentence.mask.spans:  # any hypothesis of the beam may be the one that has them all
            options["num_hypotheses"] = sentence.options.beam_size
        if mask.tags:
            options["return_alignment"] = True
        works.append(sentence.make_work(mask, **options))
    decoded = decoder.decode(works, again)
    return [unmask_translation(*each) for each in zip(sentences, masks, decoded, strict=True)]


def unmask_translation(sentence: Sentence, mask: Mask, translation: Translation) -> Translation | None:
    """The hypotheses that have every span of their sentence, with spans and tags in their places; None without any."""
    finished = [finish(each, sentence, mask) for each in translation.hypotheses]
    kept = [each for each in finished if mask.has_all_symbols(each.text)]
    if sentence.mask.spans and not mask.spans and not mask.shown:  # without symbols: is everything there all the same?
        kept = [each for each in kept if sentence.mask.has_all_targets(each.text)]
    if not kept:
        return None
    kept = [unmask(each, mask) for each in kept]
    lost = [text for text in mask.left_out if text not in kept[0].text]  # by a model that has no symbols
    told = f"The model did not carry over {list_spans(lost)}: check the translation." if lost else None
    warning = collect_warnings(
        sentence.text, translation.hypotheses[0].text, told, sentence.warning, translation.warning
    )
    return Translation(tuple(kept[: sentence.options.num_hypotheses]), warning)


def add_confidence(sentence: Sentence, translation: Translation) -> Translation:
    """The translation with a warning where it is invented, and a confidence in each hypothesis where asked for."""
    calibration = sentence.rules.calibration
    if calibration is None or sentence.kept or not translation.hypotheses[0].score:
        return translation
    best = translation.hypotheses[0]
    mean = mean_log_probability(best.score, best.tokens, sentence.options.length_penalty)
    if translation.warning is None and calibration.confidence(mean) < INVENTED:
        translation = replace(translation, warning=UNSURE)
    if not sentence.parameters.return_confidence:
        return translation
    hypotheses = []
    for each in translation.hypotheses:
        mean = mean_log_probability(each.score, each.tokens, sentence.options.length_penalty)
        hypotheses.append(replace(each, confidence=calibration.confidence(mean)))
    return replace(translation, hypotheses=tuple(hypotheses))


# ---- join ----------------------------------------------------------------------------------------------


def join(document: Document, translations: Sequence[Translation], decoder: Decoder) -> Translation:
    """The translation of a text from those of its sentences, with its layout, and alternatives where asked for."""
    whole = join_translations(document, translations)
    place = document.record.parameters.alternatives_at
    if place is None:
        return whole
    best = [translation.hypotheses[0].text for translation in translations]
    alternatives = find_alternatives(place, document.gaps, document.sentences, best, decoder)
    return replace(whole, alternatives=alternatives)


def join_translations(document: Document, translations: Sequence[Translation]) -> Translation:
    """The n-th hypothesis of a text has the n-th hypothesis of each sentence; warnings are gathered."""
    if not translations and (layout := "".join(document.gaps)).strip():  # structure alone, such as a line of a table
        return Translation((Hypothesis(layout, 0.0, confidence=1.0),))
    if not any(_was_decoded(translation.hypotheses[0]) for translation in translations):
        return replace(EMPTY, warning=NOTHING_LEFT) if document.record.text.strip() else EMPTY
    if len(translations) == 1 and not any(document.gaps):
        return translations[0]
    ranks = range(max(len(translation.hypotheses) for translation in translations))
    hypotheses = tuple(
        join_hypotheses(document, [each.hypotheses[min(rank, len(each.hypotheses) - 1)] for each in translations])
        for rank in ranks
    )
    return Translation(hypotheses, join_warnings([translation.warning for translation in translations]))


def _was_decoded(hypothesis: Hypothesis) -> bool:
    """Whether the engine was asked: even a translation without tokens has a score then."""
    return bool(hypothesis.text or hypothesis.tokens or hypothesis.score)


def join_hypotheses(document: Document, parts: Sequence[Hypothesis]) -> Hypothesis:
    """One hypothesis of a text; its score and confidence are the means of its sentences', weighted by their tokens."""
    tokens = sum(part.tokens for part in parts)
    score = sum(part.score * part.tokens for part in parts) / tokens if tokens else 0.0
    if parts and not tokens and all(part.confidence is not None for part in parts):
        return Hypothesis(join_text(document.gaps, [part.text for part in parts]), 0.0, confidence=1.0)
    known = [(part.confidence, part.tokens) for part in parts if part.confidence is not None and part.tokens]
    confidence = sum(each * count for each, count in known) / sum(count for _, count in known) if known else None
    alignment, read, written = [], len(document.gaps[0].split()), len(document.gaps[0].split())
    for sentence, part, gap in zip(document.sentences, parts, document.gaps[1:], strict=True):
        alignment += [(read + source, written + target) for source, target in part.alignment]
        read += len(sentence.text.split()) + len(gap.split())
        written += len(part.text.split()) + len(gap.split())
    return Hypothesis(
        join_text(document.gaps, [part.text for part in parts]),
        parts[0].score if len(parts) == 1 else score,
        tokens,
        tuple(alignment),
        tuple(entry for part in parts for entry in part.token_scores),
        confidence,
    )
