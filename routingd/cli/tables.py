"""Columns for people. Small tables by rich; a stream of rows of any length in columns as wide as its first page
needs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Final

import click

_STYLES: Final = {
    "Established": "green",
    "forwarding": "green",
    "installed": "green",
    "up": "green",
    "failed": "red",
    "absent": "red",
    "unreachable": "red",
    "down": "red",
    "Idle": "yellow",
    "Active": "yellow",
    "Connect": "yellow",
    "OpenSent": "yellow",
    "OpenConfirm": "yellow",
    "pending": "yellow",
    "stale": "yellow",
    "unresolved": "yellow",
    "snapshot": "yellow",
    "stalled": "yellow",
    "connecting": "yellow",
}


def clean(text: object) -> str:
    """Text that came over the network, safe for a terminal: no control character gets through (a peer may send any)."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(text))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
    """One table. A column of words whose meaning has a colour gets it on a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    for row in rows:
        made.add_row(*(Text(clean(cell), style=_STYLES.get(str(cell), "")) for cell in row))
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    console = Console(width=wide, soft_wrap=False, highlight=False)
    with console.capture() as capture:
        console.print(made)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


class Stream:
    """A table of unknown length. The columns are as wide as the first page needs; longer cells in later pages push to
    the right."""

    def __init__(self, *columns: str) -> None:
        self._columns = columns
        self._widths: list[int] = []

    def rows(self, rows: Iterable[Sequence[object]]) -> None:
        cells = [tuple(clean(cell) for cell in row) for row in rows]
        if not self._widths:
            self._widths = [max(len(c), *(len(row[i]) for row in cells), 0) for i, c in enumerate(self._columns)]
            click.secho(self._line(self._columns), bold=True)
        if cells:
            click.echo("\n".join(self._line(row) for row in cells))

    def _line(self, cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True)).rstrip()


def duration(seconds: float | None) -> str:
    """`never` for None, else like 42s, 3m07s, 5h02m, 12d03h."""
    if seconds is None:
        return "never"
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d{hours:02}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{whole % 60:02}s" if minutes else f"{whole}s"


def heading(text: str) -> None:
    click.secho(clean(text), bold=True)


def facts(rows: Iterable[tuple[str, object]], indent: int = 2) -> None:
    """Name and value, one a line."""
    kept = [(name, clean(value)) for name, value in rows if value not in (None, "")]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        click.echo(f"{' ' * indent}{name.ljust(width)}  {value}")
