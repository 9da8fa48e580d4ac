"""What both commands show a person: messages on stderr, tables and lines on stdout. It loads rich; `--json` does without it."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

# Columns where there is no terminal to ask: in a pipe or a log a table keeps its columns instead of folding at 80.
WIDE = 160

messages = Console(stderr=True, highlight=False)
results = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)


def print_line(text: str) -> None:
    """One line as it is: no markup, no folding."""
    results.print(text, markup=False, soft_wrap=True)


def make_table(title: str, *columns: str) -> Table:
    """A table whose columns named with a trailing '>' hold numbers: they stand at the right, on one line."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        number = column.endswith(">")
        made.add_column(column.rstrip(">"), justify="right" if number else "left", no_wrap=number, overflow="fold")
    return made


def add_row(rows: Table, *cells: str) -> None:
    """One row; what looks like markup in a cell, such as `edgebundle[tflite]`, is shown as it is."""
    rows.add_row(*(Text(cell) for cell in cells))


def format_size(count: int) -> str:
    """Bytes for people: exact below 100 kB, as file managers show it above."""
    if count < 100_000:
        return f"{count:,} B"
    return f"{count / 1e6:.2f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} kB"
