"""The log: what goes to which stream, and what the handler leaves as it is."""

from __future__ import annotations

import os

import pytest

from train.job.log import LOG, METRICS_LOG, hold_stderr, start_logging


def test_sentences_and_metrics_are_output_and_errors_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging()
    start_logging()  # a second call adds no second handler
    LOG.info("a sentence with 100 %s")
    METRICS_LOG.info("step=1; train_loss=2.5;")
    LOG.error("It failed.")
    assert capsys.readouterr() == ("train: a sentence with 100 %s\nstep=1; train_loss=2.5;\n", "train: It failed.\n")


def test_stderr_is_printed_only_when_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with hold_stderr():
        os.write(2, b"noise\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match="broken"), hold_stderr():
        os.write(2, b"a reason\n")
        raise ValueError("broken")
    assert capfd.readouterr().err == "a reason\n"
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"
