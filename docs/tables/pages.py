"""`make docs`: writes the tables of the documentation again, each between its marks.

A page holds a table as `<!-- table: NAME -->`, the table, `<!-- /table -->`; NAME is one of `TABLES`.
"""

from __future__ import annotations

import re
from pathlib import Path

from docs.tables.contents import TABLES

PAGES = Path(__file__).resolve().parent.parent
_TABLE = re.compile(r"(?P<open><!-- table: (?P<name>[a-z-]+) -->\n).*?(?P<close><!-- /table -->)", re.DOTALL)


def main() -> None:
    """Write the tables of all pages again."""
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text()
        if (current := with_current_tables(text)) != text:
            page.write_text(current)
            print(f"docs: {page.name} has new tables")


def with_current_tables(page: str) -> str:
    """The page with each of its tables made again; `KeyError` for a name that `TABLES` does not have."""
    return _TABLE.sub(lambda found: f"{found['open']}{TABLES[found['name']]()}\n{found['close']}", page)


def names_of_tables(page: str) -> list[str]:
    """The names of the tables in a page."""
    return [found["name"] for found in _TABLE.finditer(page)]


if __name__ == "__main__":
    main()
