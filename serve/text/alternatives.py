"""Other words at a place of a translation: what else the model could write there, and how each would go on."""

from __future__ import annotations

from collections.abc import Sequence

from serve.engine.batching import Decoder
from serve.engine.interface import Alternative, Hypothesis
from serve.text.casing import to_sentence_case
from serve.text.finishing import finish
from serve.text.masking import unmask
from serve.text.records import Sentence
from serve.text.segmentation import join_text

# Decoded for each alternative wanted: some differ only in a later piece of the word, or lose a protected span.
SPARE = 2


def find_alternatives(
    place: int, gaps: Sequence[str], sentences: Sequence[Sentence], best: Sequence[str], decoder: Decoder
) -> tuple[Alternative, ...]:
    """What else could stand as word `place` of a text whose `sentences`, with `gaps` around, became `best`.

    Nothing where the place is no word of a translated sentence, or stands in a protected span.
    """
    found = _find_word(place, gaps, best)
    if found is None:
        return ()
    index, word = found
    return tuple(
        Alternative(
            other.text.split()[word],
            join_text(gaps, [*best[:index], other.text, *best[index + 1 :]]),
            other.score,
        )
        for other in _decode_alternatives(sentences[index], best[index], word, decoder)
    )


def _find_word(place: int, gaps: Sequence[str], best: Sequence[str]) -> tuple[int, int] | None:
    """The sentence that holds a word of the whole translation, and the index of the word in that sentence."""
    start = len(gaps[0].split())
    for index, (sentence, gap) in enumerate(zip(best, gaps[1:], strict=True)):
        count = len(sentence.split())
        if start <= place < start + count:
            return index, place - start
        start += count + len(gap.split())
    return None


def _decode_alternatives(sentence: Sentence, best: str, word: int, decoder: Decoder) -> list[Hypothesis]:
    """Translations that begin as `best` does up to `word` and go on with another word, the most probable first."""
    mask, wanted = sentence.mask, sentence.parameters.num_alternatives
    words = best.split()
    work = sentence.make_work(
        prefix=to_sentence_case(mask.hide_targets(" ".join(words[:word])), sentence.case),
        alternatives=True,
        num_hypotheses=SPARE * wanted + 1,
        return_alignment=bool(mask.tags),
        return_token_scores=False,
    )
    others: dict[str, Hypothesis] = {}
    for each in decoder.decode([work], again=True)[0].hypotheses:
        unmasked = unmask(finish(each, sentence, mask), mask)
        written = unmasked.text.split()
        if mask.has_all_symbols(each.text) and written[:word] == words[:word] and len(written) > word:
            others.setdefault(written[word], unmasked)
    others.pop(words[word], None)
    return sorted(others.values(), key=lambda each: -each.score)[:wanted]
