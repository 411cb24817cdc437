"""What is done to a hypothesis before its spans return: a loop is cut, its final mark and its case become the source's.

Only the words that are there change or go; links and token scores still fit them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from serve.engine.interface import Hypothesis
from serve.text.casing import restore_case
from serve.text.masking import Mask
from serve.text.records import Sentence
from serve.text.warnings import cut_loop, repeats_itself

_MARKED = re.compile(r"[.!?…。！？؟।:;,][\W_]*\Z|\A\W*\Z")  # at the end of a source
_DOT = re.compile(r"(?<![.\s])[.。।]\Z")
_NO_CHARACTER = re.compile("[\ufffd⁇]")  # of bytes that are no character, and of an unknown piece
_CLAUSE_MARK = re.compile(r"[,;:]\Z")


def finish(hypothesis: Hypothesis, sentence: Sentence, mask: Mask) -> Hypothesis:
    """The hypothesis, still with the symbols of `mask`, as the sentence asks for it."""
    text = hypothesis.text
    if _NO_CHARACTER.search(text):
        hypothesis = drop_words(hypothesis, _NO_CHARACTER.sub("", text).split(" "))
    if not sentence.options.prefix and repeats_itself(hypothesis.text, mask.text):
        words = cut_loop(hypothesis.text).split()
        hypothesis = drop_words(hypothesis, [*words, *[""] * (len(hypothesis.text.split()) - len(words))])
    text = _set_final_mark(hypothesis.text, sentence)
    if sentence.part == "later" and mask.text[:1].islower() and not (text[1:2].isupper() or text.isupper()):
        text = text[:1].lower() + text[1:]
    if sentence.case != "plain":
        text = _restore_case(text, sentence, mask)
        if sentence.case == "capitals":
            scores = tuple((token.upper(), score) for token, score in hypothesis.token_scores)
            hypothesis = replace(hypothesis, token_scores=scores)
    return hypothesis if text == hypothesis.text else replace(hypothesis, text=text)


def _set_final_mark(text: str, sentence: Sentence) -> str:
    """Without the full stop that the source has not; the mark of a clause, where a long sentence was cut."""
    if not text.endswith((".", "。", "।")):
        return text
    if clause := sentence.part != "whole" and _CLAUSE_MARK.search(sentence.text):
        return _DOT.sub(clause[0], text)
    return text if _MARKED.search(sentence.text) else _DOT.sub("", text)


def _restore_case(text: str, sentence: Sentence, mask: Mask) -> str:
    """The text in the case of the sentence; its prefix, and spans that stand there as they are, stay."""
    hidden = text if mask.spans else sentence.mask.hide_targets(text) if sentence.mask.spans else text
    restored = restore_case(hidden, sentence.case)
    if hidden != text:
        restored = sentence.mask.write_targets(restored)
    prefix = sentence.hide_prefix(mask) if sentence.options.prefix else ""
    if prefix and text.startswith(prefix):
        restored = prefix + restored[len(prefix) :]
    return restored


def drop_words(hypothesis: Hypothesis, words: Sequence[str]) -> Hypothesis:
    """The hypothesis with other words in the place of its own, as many; empty ones go, and links to them."""
    new, place = {}, 0
    for index, word in enumerate(words):
        if word:
            new[index], place = place, place + 1
    links = tuple((i, new[j]) for i, j in hypothesis.alignment if j in new)
    return replace(hypothesis, text=" ".join(word for word in words if word), alignment=links)
