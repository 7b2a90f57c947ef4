"""Answers of any length, possibly a million rows, printed as their pages arrive: as one table or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from routingd.cli import tables
from routingd.cli.grammar import Exit, fail, settings


@dataclass(frozen=True, slots=True)
class Layout:
    """How a row of a paged answer becomes a line."""

    key: str
    """Of the rows in a page."""
    columns: tuple[str, ...]
    least: tuple[int, ...]
    """Column widths, enough for most rows, so that later pages stand under the first."""
    cells: Callable[[dict[str, Any]], tuple[object, ...]]
    empty: str
    """What to say where there is no row."""
    legend: str = ""


def print_pages(answer: Iterator[dict[str, Any] | None], layout: Layout, *, missing: str | None = None) -> None:
    """``missing``: what it means for a question that named a prefix if there is no row, or only rows that say so;
    without it an empty table is an answer."""
    counted = _Counted(layout.key, (page for page in answer if page is not None))
    if settings().json:
        _json(counted)
    else:
        _table(counted, layout)
    if missing is not None and not counted.present:
        if settings().json:
            raise SystemExit(int(Exit.NO))
        fail(Exit.NO, missing, kind="not-found")
    if not counted.rows and not settings().json:
        click.echo(layout.empty)


class _Counted:
    """Pages as they pass: rows seen, rows that are really there, whether the limit cut them."""

    def __init__(self, key: str, answer: Iterator[dict[str, Any]]) -> None:
        self.key = key
        self._answer = answer
        self.rows = 0
        self.present = 0
        self.truncated: bool | None = None
        """None: this answer is never cut."""

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        for page in self._answer:
            rows: list[dict[str, Any]] = page[self.key]
            self.truncated = page.get("truncated")
            if rows:
                yield rows
            self.rows += len(rows)
            self.present += sum(row.get("state") != "absent" for row in rows)


def _table(answer: _Counted, layout: Layout) -> None:
    stream = tables.Stream(layout.columns, layout.least)
    for rows in answer:
        if answer.rows == 0 and layout.legend:
            click.echo(layout.legend)
        stream.rows(layout.cells(row) for row in rows)
    if answer.truncated:
        click.echo(f"There is more: at most {answer.rows} rows are shown (--limit).")


def _json(answer: _Counted) -> None:
    """One object, one row a line, written while pages arrive."""
    begin = f'{{\n  "{answer.key}": ['
    for rows in answer:
        lines = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        click.echo((f"{begin}\n" if answer.rows == 0 else ",\n") + lines, nl=False)
    end = "]" if answer.truncated is None else f'],\n  "truncated": {json.dumps(answer.truncated)}'
    click.echo(f"\n  {end}\n}}" if answer.rows else f"{begin}{end}\n}}")
