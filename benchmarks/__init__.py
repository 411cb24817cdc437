"""Measurements: each a command, Markdown out. Ratios are measured side by side, in one run on one machine."""
