"""The special tokens of every vocabulary: the ids that both sides count on, and the symbols that no text contains."""

from __future__ import annotations

PAD, UNK, BOS, EOS = 0, 1, 2, 3

PLACEHOLDERS = tuple(chr(0xE000 + index) for index in range(16))
"""Private-use characters that the tokenizer keeps whole. Each stands for a span that must pass untouched."""


def language_tag(lang: str) -> str:
    """The control symbol that tells the model which language to write: `es` -> `<2es>`.

    Source: Johnson et al. 2017, "Google's Multilingual Neural Machine Translation System".
    """
    return f"<2{lang}>"
