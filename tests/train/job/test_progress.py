"""A bar where a person looks, `name=value;` lines for whoever collects them."""

from __future__ import annotations

import os
import pty
import re
import sys
import termios
import threading

import pytest

from train.job.hyperparameters import parse
from train.job.progress import Progress


def follow(progress: Progress) -> None:
    """Six updates of ten, a line after each third."""
    progress.begin(planned=10, done=0, seconds=0)
    for step in range(1, 7):
        progress.step(step, nll=float(step), tokens=100 * step, seconds=30.0 * step, learning_rate=0.001)
    progress.say("a sentence")
    progress.end()


def on_terminal(monkeypatch: pytest.MonkeyPatch, **hyperparameters: object) -> str:
    """What `follow` writes to a terminal."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 120))
    chunks: list[bytes] = []

    def read() -> None:
        while True:
            try:
                chunk = os.read(master, 4096)
            except OSError:  # Linux's way of saying that the other end is closed
                return
            if not chunk:
                return
            chunks.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(slave, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        follow(Progress(parse({"log_every": 3, **hyperparameters})))
        monkeypatch.undo()
    reader.join()
    os.close(master)
    return b"".join(chunks).decode()


def test_a_log_gets_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    follow(Progress(parse({"log_every": 3})))
    lines = capsys.readouterr().out.splitlines()
    assert [re.sub(r"second=\d+", "second=…", line) for line in lines] == [
        "step=3; train_loss=2.3333; tokens_per_second=…; learning_rate=0.001000;",
        "step=6; train_loss=5.1333; tokens_per_second=…; learning_rate=0.001000;",
        "train: a sentence",
    ]


def test_a_terminal_gets_a_bar_and_the_same_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_terminal(monkeypatch)
    assert "training:   0%|" in shown
    assert "| 6/10 step [" in shown
    assert "loss 5.133" in shown
    for line in ("step=3; train_loss=2.3333;", "step=6; train_loss=5.1333;", "train: a sentence\r\n"):
        assert re.search(rf"[\r\n]{re.escape(line)}", shown)


def test_with_a_time_limit_the_bar_counts_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "| 180/300 s [" in on_terminal(monkeypatch, max_minutes=5)


def test_metrics_are_kept_and_go_to_every_sink(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[object] = []
    progress = Progress(parse({}), [seen.append])
    progress.metrics(epoch=1, validation_loss=1.23456, validation_bleu=25.5)
    progress.metrics(test_bleu=30.0)
    assert capsys.readouterr().out == "epoch=1; validation_loss=1.2346; validation_bleu=25.5;\ntest_bleu=30.0;\n"
    assert (
        progress.history
        == seen
        == [
            {"epoch": 1, "validation_loss": 1.23456, "validation_bleu": 25.5},
            {"test_bleu": 30.0},
        ]
    )


def test_the_time_of_an_evaluation_is_no_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("train.job.progress.time.monotonic", lambda: now[0])
    progress = Progress(parse({"log_every": 1}))
    progress.begin(planned=2, done=0, seconds=0)
    now[0] += 2
    progress.step(1, nll=2.0, tokens=100, seconds=0.0, learning_rate=0.001)
    now[0] += 1000
    progress.restart_clock()
    now[0] += 4
    progress.step(2, nll=2.0, tokens=100, seconds=0.0, learning_rate=0.001)
    assert [line["tokens_per_second"] for line in progress.history] == [50, 25]
