"""Columns for people. Small tables by rich; a stream of rows of any length in columns as wide as its first page
needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import click

_STYLES: Final = {
    "Established": "green",
    "forwarding": "green",
    "not-installing": "green",
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
    "lagging": "yellow",
    "isolated": "yellow",
    "connecting": "yellow",
    "restarting": "yellow",
}


def clean(text: object) -> str:
    """Text that came over the network, safe for a terminal: no control character gets through (a peer may send any)."""
    words = str(text)
    return words if words.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in words)


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
    # Wider than any terminal: a long line may wrap there, but no address is ever cut short.
    console = Console(width=10_000, highlight=False)
    with console.capture() as capture:
        console.print(made)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


class Stream:
    """A table of unknown length, printed as it comes. Columns have at least the widths given and only ever get
    wider."""

    def __init__(self, columns: Sequence[str], least: Sequence[int]) -> None:
        self._columns = columns
        self._widths = [max(len(column), width) for column, width in zip(columns, least, strict=True)]
        self._begun = False

    def rows(self, rows: Iterable[Sequence[object]]) -> None:
        cells = [tuple(clean(cell) for cell in row) for row in rows]
        for row in cells:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, row, strict=True)]
        if not self._begun:
            click.secho(self._line(self._columns), bold=True)
            self._begun = True
        if cells:
            click.echo("\n".join(self._line(row) for row in cells))

    def _line(self, cells: Sequence[str]) -> str:
        *firsts, last = cells  # the last column is as long as it is
        return "  ".join(
            [*(cell.ljust(width) for cell, width in zip(firsts, self._widths, strict=False)), last]
        ).rstrip()


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
