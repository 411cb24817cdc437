"""Spans that the model loses are put where they belong, so that none is ever missing.

First the translation is begun again: its words up to the place of a lost span, then the span's symbol, and the model
goes on from there. What is still missing after a few times is put in at its place, and what was doubled is taken out.
The place is behind what the words before it became, by the word alignment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from serve.engine.alignment import Links
from serve.engine.batching import Batcher, Item
from serve.engine.interface import Hypothesis
from serve.text.masking import Masked
from serve.web.parameters import Parameters

ROUNDS = 3

_END = re.compile(r"[.,;:!?…]+\Z")


@dataclass(frozen=True)
class Forced:
    """A translation that has every symbol exactly once, and whether one had to be put in without the model."""

    hypothesis: Hypothesis
    inserted: bool


def force(sentences: Sequence[tuple[Masked, Parameters]], batcher: Batcher, until: float) -> list[Forced]:
    """Translations of sentences of which no hypothesis kept every symbol, in order."""
    drafts = _decode([_item(masked, parameters, None) for masked, parameters in sentences], batcher, until)
    for _ in range(ROUNDS):
        lost = [index for index, (masked, _) in enumerate(sentences) if _missing(masked, drafts[index])]
        items = [_item(*sentences[index], _opening(*sentences[index], drafts[index])) for index in lost]
        for index, again in zip(lost, _decode(items, batcher, until) if items else [], strict=True):
            if len(_missing(sentences[index][0], again)) < len(_missing(sentences[index][0], drafts[index])):
                drafts[index] = again
    return [
        Forced(mend(masked, draft, parameters.prefix or ""), bool(_missing(masked, draft)))
        for (masked, parameters), draft in zip(sentences, drafts, strict=True)
    ]


def _item(masked: Masked, parameters: Parameters, opening: str | None) -> Item:
    wanted = {"return_alignment": True, "num_hypotheses": 1}
    return Item(masked.text, parameters.model_copy(update=wanted), opening)


def _decode(items: Sequence[Item], batcher: Batcher, until: float) -> list[Hypothesis]:
    return [translation.hypotheses[0] for translation in batcher.translate(items, until, again=True)]


def _missing(masked: Masked, draft: Hypothesis) -> list[str]:
    return [span.symbol for span in masked.spans if span.symbol not in draft.text]


def _opening(masked: Masked, parameters: Parameters, draft: Hypothesis) -> str:
    """The draft up to the place of the first lost symbol, and that symbol."""
    symbol = _missing(masked, draft)[0]
    words = draft.text.split()
    before = words[: _place(masked, symbol, words, draft.alignment, parameters.prefix or "")]
    if before:
        before[-1] = _END.sub("", before[-1])
    return " ".join([*before, symbol])


def _place(masked: Masked, symbol: str, words: Sequence[str], alignment: Links, prefix: str) -> int:
    """The target word before which the symbol belongs; a prefix that was asked for stays in front."""
    source = masked.text.split()
    at = next((index for index, word in enumerate(source) if symbol in word), len(source))
    own = [target for i, target in alignment if i == at]
    if own:
        found = min(own)
        earlier = [span.symbol for span in masked.spans if masked.text.find(span.symbol) < masked.text.find(symbol)]
        found += any(other in words[found] for other in earlier if other != symbol)  # behind what stands before it
    elif alignment:
        found = max((target + 1 for i, target in alignment if i < at), default=0)
    else:  # an engine without alignment: as far into the sentence as in the source
        found = round(len(words) * at / max(1, len(source)))
    return min(len(words), max(found, len(prefix.split())))


def mend(masked: Masked, draft: Hypothesis, prefix: str = "") -> Hypothesis:
    """The draft with each symbol exactly once: the lost ones at their places, the doubled ones only the first time."""
    for span in masked.spans:
        first, symbol, rest = draft.text.partition(span.symbol)
        if symbol:
            draft = _with_words(draft, f"{first}{symbol}{rest.replace(symbol, '')}".split(" "))
    for symbol in _missing(masked, draft):
        words = draft.text.split()
        place = _place(masked, symbol, words, draft.alignment, prefix)
        end = _END.search(words[-1]) if words and place == len(words) else None
        if end:  # in front of the full stop
            words[-1] = words[-1][: end.start()]
        inserted = [*words[:place], symbol + (end[0] if end else ""), *words[place:]]
        links = tuple((i, j + (j >= place)) for i, j in draft.alignment)
        at = next((index for index, word in enumerate(masked.text.split()) if symbol in word), None)
        own = () if at is None else ((at, place),)
        draft = replace(draft, text=" ".join(inserted), alignment=(*links, *own))
    return draft


def _with_words(draft: Hypothesis, words: Sequence[str]) -> Hypothesis:
    """The draft with other words in the place of its own, as many; empty ones go, and links to them."""
    new, place = {}, 0
    for index, word in enumerate(words):
        if word:
            new[index], place = place, place + 1
    links = tuple((i, new[j]) for i, j in draft.alignment if j in new)
    return replace(draft, text=" ".join(word for word in words if word), alignment=links)
