"""The kinds of failure: exit codes, HTTP statuses, and SageMaker's failure file."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.errors import (
    FAILURE_LIMIT,
    AlgorithmError,
    ArtifactError,
    ChannelError,
    HyperparameterError,
    NmtError,
    Overloaded,
    PlatformError,
    UserError,
    kind_of,
    write_failure,
)


@pytest.mark.parametrize(
    ("error", "exit_code", "status", "code"),
    [
        (UserError("x"), 2, 400, "bad_request"),
        (HyperparameterError("x"), 2, 400, "bad_request"),
        (ChannelError("x"), 2, 400, "bad_request"),
        (ArtifactError("x"), 2, 503, "model_unavailable"),
        (AlgorithmError("x"), 3, 500, "internal_error"),
        (ZeroDivisionError("x"), 3, 500, "internal_error"),
        (PlatformError("x"), 4, 503, "unavailable"),
        (Overloaded("x"), 4, 503, "overloaded"),
        (MemoryError(), 4, 503, "unavailable"),
        (OSError(28, "No space left on device"), 4, 503, "unavailable"),
    ],
)
def test_every_failure_says_who_can_cure_it(error: Exception, exit_code: int, status: int, code: str) -> None:
    kind = kind_of(error)
    assert (kind.exit_code, kind.status, kind.code) == (exit_code, status, code)


def test_no_kind_of_failure_is_exit_code_zero() -> None:
    def kinds(base: type[NmtError]) -> set[int]:
        return {base.kind.exit_code}.union(*(kinds(derived) for derived in base.__subclasses__()))

    assert 0 not in kinds(NmtError)


def test_overloaded_says_when_to_come_back() -> None:
    assert Overloaded("busy").retry_after == 1
    assert Overloaded("busy", retry_after=7).retry_after == 7


# The failure file


def failure(tmp_path: Path, error: BaseException) -> str:
    path = tmp_path / "output" / "failure"
    write_failure(path, error)
    assert path.stat().st_size <= FAILURE_LIMIT == 1024
    return path.read_bytes().decode("utf-8")


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - to get its traceback
        return caught


def test_a_file_name_that_is_not_utf8_still_leaves_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "failure"
    write_failure(path, ChannelError("/data/caf\udce9.tsv is empty"))
    assert path.read_text() == "ChannelError: /data/caf\\udce9.tsv is empty"


def test_the_users_failure_is_one_sentence(tmp_path: Path) -> None:
    text = failure(tmp_path, raised(ChannelError("a.tsv, line 3, has one column.")))
    assert text == "ChannelError: a.tsv, line 3, has one column."


@pytest.mark.parametrize("error", [AlgorithmError("It broke."), ZeroDivisionError("It broke.")])
def test_our_failure_has_the_sentence_first_and_then_the_traceback(tmp_path: Path, error: Exception) -> None:
    first, *rest = failure(tmp_path, raised(error)).splitlines()
    assert first == f"{type(error).__name__}: It broke."
    assert rest[0].startswith("Traceback")
    assert any("test_errors.py" in line for line in rest)


@pytest.mark.parametrize("shift", range(4))
def test_a_long_failure_is_cut_between_characters(tmp_path: Path, shift: int) -> None:
    sentence = "x" * shift + "🦔" * 400
    text = failure(tmp_path, ChannelError(sentence))
    assert f"ChannelError: {sentence}".startswith(text)
    assert len(text.encode()) > FAILURE_LIMIT - 4


def test_a_failure_replaces_an_older_one(tmp_path: Path) -> None:
    failure(tmp_path, ChannelError("A long sentence about the first failure."))
    assert failure(tmp_path, ChannelError("Short.")) == "ChannelError: Short."
