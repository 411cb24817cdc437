"""Licences of what is inside the image: the bill of materials on stdin, a Markdown table on stdout.

One row a licence, with the packages that have it, Python's before Debian's. `make sbom` runs it.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from typing import Any

KINDS = {"pkg:pypi/": "Python packages", "pkg:deb/": "Debian packages"}


def main() -> None:
    components = json.load(sys.stdin)["components"]
    for prefix, title in KINDS.items():
        print("\n".join(table(title, [part for part in components if part["purl"].startswith(prefix)])))


def table(title: str, components: list[dict[str, Any]]) -> list[str]:
    """A heading and a table; licences by name, what names none last."""
    packages: dict[str, list[str]] = defaultdict(list)
    for part in components:
        names = [entry["license"]["name"] for entry in part.get("licenses", [])]
        packages[", ".join(names)].append(f"{part['name']} {part['version']}")
    rows = sorted(packages.items(), key=lambda row: (row[0] == "", row[0].lower()))
    lines = [f"| {licence or 'names none'} | {', '.join(sorted(found))} |" for licence, found in rows]
    return [f"## {title}", "", "| licence | packages |", "|---|---|", *lines, ""]


if __name__ == "__main__":
    main()
