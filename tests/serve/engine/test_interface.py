"""What every engine promises."""

from __future__ import annotations

from container.artifact import longest_translation


def test_a_translation_has_two_tokens_for_one_and_sixteen_more_in_steps() -> None:
    assert [longest_translation(count) for count in (1, 24, 25, 100)] == [64, 64, 128, 256]
