"""Other words at a place of a translation: what else the model could write there, and where each leads to."""

from __future__ import annotations

from collections.abc import Sequence

from serve.engine.batching import Batcher, Item
from serve.engine.interface import Alternative, Hypothesis, Translation
from serve.text import segmentation as layout
from serve.text.sentences import Sentence, fill

SPARE = 2  # decoded for each alternative wanted: some differ in a later piece only, or lose a protected span


def find_alternatives(
    gaps: Sequence[str], sentences: Sequence[Sentence], parts: Sequence[Translation], batcher: Batcher, until: float
) -> tuple[Alternative, ...]:
    """What else could stand at `alternatives_at` of a text whose `sentences`, with `gaps` around, became `parts`.

    Nothing where the place is no word of a translated sentence, or stands in a protected span.
    """
    place = _place(gaps, sentences, parts)
    if place is None:
        return ()
    index, word = place
    best = [part.hypotheses[0].text for part in parts]
    return tuple(
        Alternative(
            found.text.split()[word],
            layout.join(gaps, [*best[:index], found.text, *best[index + 1 :]]),
            found.score,
        )
        for found in _decode(sentences[index], best[index], word, batcher, until)
    )


def _place(gaps: Sequence[str], sentences: Sequence[Sentence], parts: Sequence[Translation]) -> tuple[int, int] | None:
    """The sentence that holds the word asked for, counted in the whole translation, and its index in that sentence."""
    start = len(gaps[0].split())
    for index, (sentence, part, gap) in enumerate(zip(sentences, parts, gaps[1:], strict=True)):
        at = sentence.item.parameters.alternatives_at
        count = len(part.hypotheses[0].text.split())
        if at is not None and start <= at < start + count:
            return index, at - start
        start += count + len(gap.split())
    return None


def _decode(sentence: Sentence, best: str, word: int, batcher: Batcher, until: float) -> list[Hypothesis]:
    """Translations that begin as `best` does up to `word` and go on with another word, the most probable first."""
    parameters, masked = sentence.item.parameters, sentence.masked
    words = best.split()
    opening = masked.hide(" ".join(words[:word]))
    plain = parameters.model_copy(update={"return_alignment": bool(masked.tags), "return_token_scores": False})
    item = Item(masked.text, plain, opening, SPARE * parameters.num_alternatives + 1)
    others: dict[str, Hypothesis] = {}
    for each in batcher.translate([item], until, again=True)[0].hypotheses:
        filled = fill(each, masked)
        written = filled.text.split()
        if masked.kept_by(each.text) and written[:word] == words[:word] and len(written) > word:
            others.setdefault(written[word], filled)
    others.pop(words[word], None)
    return sorted(others.values(), key=lambda each: -each.score)[: parameters.num_alternatives]
