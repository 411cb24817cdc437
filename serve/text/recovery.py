"""Force protected spans into translations that have lost them, so that none is ever missing.

The translation is begun again: its words up to the place of a lost span, then the span's symbol, and the model goes on
from there. What is still missing after a few rounds is put in at its place, and what was doubled is taken out. The
place is behind the translation of the words before the span, by the word alignment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from serve.engine.alignment import Links
from serve.engine.batching import Decoder
from serve.engine.interface import Hypothesis, Translation
from serve.text.finishing import drop_words, finish
from serve.text.masking import Mask, unmask
from serve.text.records import Sentence
from serve.text.warnings import collect_warnings, list_spans

ROUNDS = 3

_END = re.compile(r"[.,;:!?…]+\Z")


def force_spans(sentences: Sequence[Sentence], decoder: Decoder) -> list[Translation]:
    """Translate sentences whose hypotheses all lost a symbol, in order. Each translation has every span."""
    drafts = _decode(sentences, [sentence.hide_prefix(sentence.mask) for sentence in sentences], decoder)
    for _ in range(ROUNDS):
        lost = [index for index, sentence in enumerate(sentences) if _find_missing(sentence.mask, drafts[index])]
        prefixes = [_make_prefix(sentences[index], drafts[index]) for index in lost]
        again = _decode([sentences[index] for index in lost], prefixes, decoder)
        for index, draft in zip(lost, again, strict=True):
            mask = sentences[index].mask
            if len(_find_missing(mask, draft)) < len(_find_missing(mask, drafts[index])):
                drafts[index] = draft
    return [_finish(sentence, draft) for sentence, draft in zip(sentences, drafts, strict=True)]


def _decode(sentences: Sequence[Sentence], prefixes: Sequence[str], decoder: Decoder) -> list[Hypothesis]:
    """The best hypothesis of each sentence that begins with its prefix, with alignment, still with symbols."""
    works = [
        sentence.make_work(prefix=prefix, num_hypotheses=1, return_alignment=True)
        for sentence, prefix in zip(sentences, prefixes, strict=True)
    ]
    return [translation.hypotheses[0] for translation in decoder.decode(works, again=True)]


def _finish(sentence: Sentence, draft: Hypothesis) -> Translation:
    mask = sentence.mask
    whole = finish(draft, sentence, mask)
    best = unmask(insert_symbols(mask, whole, sentence.hide_prefix(mask)), mask)
    forced = None
    if _find_missing(mask, whole):
        targets = [span.target for span in mask.spans]
        forced = f"{list_spans(targets)} had to be put in by force: check the translation."
    return Translation((best,), collect_warnings(sentence.text, best.text, sentence.warning, forced))


def _find_missing(mask: Mask, draft: Hypothesis) -> list[str]:
    """The symbols that a draft has lost."""
    return [span.symbol for span in mask.spans if span.symbol not in draft.text]


def _make_prefix(sentence: Sentence, draft: Hypothesis) -> str:
    """The draft up to the place of the first lost symbol, and that symbol."""
    symbol = _find_missing(sentence.mask, draft)[0]
    words = draft.text.split()
    before = words[: _find_place(sentence.mask, symbol, words, draft.alignment, sentence.hide_prefix(sentence.mask))]
    if before:
        before[-1] = _END.sub("", before[-1])
    return " ".join([*before, symbol])


def _find_place(mask: Mask, symbol: str, words: Sequence[str], alignment: Links, prefix: str) -> int:
    """The target word before which the symbol belongs; a prefix that was asked for stays in front."""
    source = mask.text.split()
    at = next((index for index, word in enumerate(source) if symbol in word), len(source))
    own = [target for i, target in alignment if i == at]
    if own:
        found = min(own)
        earlier = [span.symbol for span in mask.spans if mask.text.find(span.symbol) < mask.text.find(symbol)]
        found += any(other in words[found] for other in earlier if other != symbol)  # behind what stands before it
    elif alignment:
        found = max((target + 1 for i, target in alignment if i < at), default=0)
    else:  # an engine without alignment: as far into the sentence as in the source
        found = round(len(words) * at / max(1, len(source)))
    return min(len(words), max(found, len(prefix.split())))


def insert_symbols(mask: Mask, draft: Hypothesis, prefix: str = "") -> Hypothesis:
    """The draft with each symbol exactly once: the lost ones at their places, the doubled ones only the first time."""
    for span in mask.spans:
        first, symbol, rest = draft.text.partition(span.symbol)
        if symbol:
            draft = drop_words(draft, f"{first}{symbol}{rest.replace(symbol, '')}".split(" "))
    for symbol in _find_missing(mask, draft):
        words = draft.text.split()
        place = _find_place(mask, symbol, words, draft.alignment, prefix)
        end = _END.search(words[-1]) if words and place == len(words) else None
        if end:  # in front of the full stop
            words[-1] = words[-1][: end.start()]
        inserted = [*words[:place], symbol + (end[0] if end else ""), *words[place:]]
        links = tuple((i, j + (j >= place)) for i, j in draft.alignment)
        at = next((index for index, word in enumerate(mask.text.split()) if symbol in word), None)
        own = () if at is None else ((at, place),)
        draft = replace(draft, text=" ".join(inserted), alignment=(*links, *own))
    return draft
