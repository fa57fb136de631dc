"""Rows as a table on a terminal, and as lines with tabs in a pipe."""

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_table(rows: Iterable[Mapping[str, object]], *columns: str, heading: bool = True) -> None:
    """Print these columns of the rows; a pipe gets one line a row, values parted by tabs."""
    if not heading or not sys.stdout.isatty():
        for row in rows:
            print("\t".join(_plain(row[column]) for column in columns))
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, header_style="bold")
    for row in rows:
        # Text, since values may hold what rich would read as markup
        table.add_row(*(Text(_plain(row[column])) for column in columns))
    Console().print(table)


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
