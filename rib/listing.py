"""Answers of many rows: tables for a terminal and for a notebook, and lists that are fetched page by page."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import ClassVar, Final, Generic, Protocol, TypeVar

SHOWN: Final = 20  # rows of a table that stands for a longer list


class Tabular(Protocol):
    """A value that can be a row of a table."""

    COLUMNS: ClassVar[tuple[str, ...]]

    def cells(self) -> tuple[str, ...]: ...


T = TypeVar("T", bound=Tabular)


def text_table(rows: Sequence[Tabular], *, more: str = "") -> str:
    """Columns as wide as they must be; the last is never padded."""
    lines = [rows[0].COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*text, *([more] if more else [])])


def html_table(rows: Sequence[Tabular], *, more: str = "") -> str:
    def line(cells: Iterable[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row.cells(), "td") for row in rows)
    note = f"<p>{html.escape(more)}</p>" if more else ""
    return f"<table><thead>{line(rows[0].COLUMNS, 'th')}</thead><tbody>{body}</tbody></table>{note}"


class Shown(ABC, Generic[T]):
    """Shows itself as a table, in a terminal and in a notebook."""

    __slots__ = ()

    @abstractmethod
    def _shown(self) -> tuple[Sequence[T], str]:
        """The rows to show, and a word for those left out."""

    def __repr__(self) -> str:
        rows, more = self._shown()
        return text_table(rows, more=more) if rows else "(nothing)"

    def _repr_html_(self) -> str:
        rows, more = self._shown()
        return html_table(rows, more=more) if rows else "<p>(nothing)</p>"


class Rows(Shown[T], tuple[T, ...]):
    """A tuple that shows itself as a table."""

    __slots__ = ()

    def _shown(self) -> tuple[Sequence[T], str]:
        hidden = len(self) - SHOWN
        return self[:SHOWN], f"... and {hidden:,} more" if hidden > 0 else ""


class Paged(Shown[T]):
    """Rows that are fetched while they are read, from the beginning each time; the table may change between pages,
    and what comes after the last prefix read is then as it is now."""

    def __init__(self, fetch: Callable[[], Iterator[T]]) -> None:
        self._fetch = fetch

    def __iter__(self) -> Iterator[T]:
        return self._fetch()

    def first(self, count: int = SHOWN) -> Rows[T]:
        return Rows(islice(self._fetch(), count))

    def count(self) -> int:
        """By reading all of them."""
        return sum(1 for _ in self._fetch())

    def _shown(self) -> tuple[Sequence[T], str]:
        rows = self.first(SHOWN + 1)
        return rows[:SHOWN], "... and more" if len(rows) > SHOWN else ""
