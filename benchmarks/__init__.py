"""Measurements: each is a command that prints Markdown. Things that are compared run on one machine, in one run."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the repository
