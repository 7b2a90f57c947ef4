"""All that follows from what was said, computed from scratch: which paths each table holds, what next hops resolve to,
what is chosen, and the groups that the chosen routes use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from sortedcontainers import SortedDict

from rib.group import Group, group_of
from rib.leak import Leak
from rib.options import Options
from rib.path import Path, Place
from rib.prefix import Prefix
from rib.reference_fib import Fib
from rib.resolution import Port, Resolutions, resolve
from rib.selection import Selection, select

FIRST: Final = Prefix(b"", 0)
"""Stands before every prefix."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``paths`` and ``selections`` of every prefix of every instance; ``groups`` of those that have a best path."""

    paths: Any
    """SortedDict: Place -> list[Path]"""
    known: Resolutions
    selections: dict[Place, Selection]
    groups: dict[Place, Group]

    def best_paths(self, instance: int, afi: int) -> Iterator[tuple[Prefix, Path]]:
        """In the order of prefixes."""
        for prefix, selection, _ in self.choices(instance, afi):
            if selection.best is not None:
                yield prefix, selection.best

    def choices(self, instance: int, afi: int) -> Iterator[tuple[Prefix, Selection, list[Path]]]:
        """What was chosen, and from which paths, in the order of prefixes."""
        for place in self.places(instance, afi):
            yield place[1], self.selections[place], self.paths[place]

    def places(self, instance: int, afi: int, after: Prefix = FIRST) -> Iterator[Place]:
        """Where one table holds paths, in the order of prefixes, behind ``after``."""
        found: Iterator[Place] = self.paths.irange((instance, after), (instance + 1, FIRST), inclusive=(False, False))
        return (place for place in found if place[1].afi == afi)

    def fib(self, instances: Set[int]) -> Fib:
        """What every box should hold, of these instances."""
        routes = {place: group.key for place, group in self.groups.items() if place[0] in instances}
        groups = {group.key: group for place, group in self.groups.items() if place[0] in instances}
        return Fib(routes, groups)


def conclude(
    said: Iterable[tuple[Place, Path]], leaks: Iterable[Leak], options: Mapping[int, Options], ports_down: Set[Port]
) -> Outcome:
    paths = with_leaks(said, list(leaks))

    def choose(known: Resolutions) -> dict[Place, Selection]:
        return {place: select(held, known, options[place[0]]) for place, held in paths.items()}

    def best_paths(known: Resolutions) -> dict[Place, Path]:
        return {place: chosen.best for place, chosen in choose(known).items() if chosen.best is not None}

    hops = [hop for held in paths.values() for path in held for hop in path.next_hops]
    known = resolve(hops, best_paths, options, ports_down)
    selections = choose(known)
    groups = {
        place: group_of(selection, known, options[place[0]])
        for place, selection in selections.items()
        if selection.best is not None
    }
    return Outcome(paths, known, selections, groups)


def with_leaks(said: Iterable[tuple[Place, Path]], leaks: list[Leak]) -> Any:
    """The paths of each prefix by (source, path id): those given there, and those leaked to it, each once."""
    held: dict[Place, list[Path]] = defaultdict(list)
    for (instance, prefix), path in said:
        targets = {leak.target for leak in leaks if leak.takes(prefix, path)}
        for number in {instance} | targets:
            held[number, prefix].append(path)
    return SortedDict({place: sorted(paths, key=lambda path: path.key) for place, paths in held.items()})
