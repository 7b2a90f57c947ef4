"""What the demo says while it works: steps, what each proves, checks, progress, and a table at the end. Plain lines
without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.lab.attributes import differences


class Narration:
    """Counts failures, so that the demo can end with the right status."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.failures: list[str] = []
        self.facts: list[tuple[str, str]] = []
        self._started = time.monotonic()
        self._number = 0

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def step(self, title: str, proves: str) -> None:
        self._number += 1
        self.console.print(f"\n[bold]{self._number}. {escape(title)}[/bold]  [dim]({self.elapsed():.0f} s)[/dim]")
        self.console.print(f"   proves: {escape(proves)}", style="dim")

    def say(self, text: str) -> None:
        self.console.print(f"   {escape(text)}")

    def quote(self, text: str, limit: int = 24) -> None:
        """Output of a command, as it was."""
        lines = text.rstrip().splitlines()
        for line in lines[:limit]:
            self.console.print(f"   │ {escape(line)}", style="cyan", no_wrap=True, overflow="ignore", crop=False)
        if len(lines) > limit:
            self.console.print(f"   │ … {len(lines) - limit} lines more", style="cyan")

    def fact(self, name: str, value: str) -> None:
        """A row of the closing table."""
        self.facts.append((name, value))

    def check(self, what: str, good: bool, detail: str = "") -> bool:
        """One yes or no."""
        mark = "[green]✓[/green]" if good else "[bold red]✗[/bold red]"
        self.console.print(f"   {mark} {escape(what)}{escape(f': {detail}') if detail else ''}")
        if not good:
            self.failures.append(what)
        return good

    def check_same(self, what: str, expected: set[Any], found: set[Any]) -> bool:
        """Two sets, and the first ten differences when they differ."""
        good = self.check(
            what, expected == found, f"{len(found):,} entries" if expected == found else f"{len(expected):,} expected"
        )
        if not good:
            for line in differences(expected, found):
                self.console.print(f"     {escape(line)}", style="red")
        return good

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[str], None]]:
        """Something that takes a while: the function told shows how far it is."""
        started = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(f"   {what}") as status:
                yield lambda text: status.update(f"   {what}: {escape(text)} ({time.monotonic() - started:.0f} s)")
            return
        last = started

        def tell(text: str) -> None:
            nonlocal last
            if time.monotonic() - last >= 3:
                last = time.monotonic()
                self.say(f"… {what}: {text} ({last - started:.0f} s)")

        yield tell

    def summary(self) -> int:
        """The closing table; the exit status."""
        table = Table(title="What was shown", title_justify="left", show_header=False, box=None, pad_edge=False)
        table.add_column(style="dim")
        table.add_column(justify="right")
        for name, value in [*self.facts, ("whole demo", f"{self.elapsed():.1f} s")]:
            table.add_row(escape(name), escape(value))
        self.console.print()
        self.console.print(table)
        if self.failures:
            self.console.print(
                f"\n[bold red]{len(self.failures)} check(s) failed:[/bold red] {escape('; '.join(self.failures))}"
            )
            return 1
        self.console.print("\n[bold green]Everything matched.[/bold green]")
        return 0
