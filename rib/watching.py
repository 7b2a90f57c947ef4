"""What changed: a watch that tells best routes as they change, and what an experiment moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar

from rib.listing import Rows
from rib.literals import IPNetwork
from rib.routes import Adjacency, Group, Route, Row, Source, SourceOf, network, next_hops_text

if TYPE_CHECKING:
    from rib.engines import Engine

Settle = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Change:
    """The best route of a prefix is now ``route``; ``None``: it has none any more."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("", "Prefix", "From", "Next hops", "Decided at")

    prefix: IPNetwork
    route: Route | None

    @classmethod
    def from_row(cls, row: Row, source_of: SourceOf) -> Change:
        return cls(network(row["prefix"]), Route.from_row(row, source_of) if row["op"] == "put" else None)

    def cells(self) -> tuple[str, ...]:
        if self.route is None:
            return "-", str(self.prefix), "", "", ""
        route = self.route
        return "+", str(self.prefix), str(route.source), next_hops_text(route.next_hops), route.step


class Watch:
    """Reading it tells what changed since it was last read, and ends; a prefix that changed twice is told once, in its
    last state. Read it again later for more. It costs nothing while nobody reads; close it when done."""

    def __init__(self, engine: Engine, consumers: list[int], settle: Settle, source_of: SourceOf) -> None:
        self._engine = engine
        self._consumers = consumers
        self._settle = settle
        self._source_of = source_of

    def __iter__(self) -> Iterator[Change]:
        self._settle()
        for row in self.rows():
            yield Change.from_row(row, self._source_of)

    def rows(self) -> Iterator[Row]:
        """The same as the engine says it."""
        for consumer in self._consumers:
            while (rows := self._engine.watch_read(consumer)) is not None:
                yield from rows

    def close(self) -> None:
        for consumer in self._consumers:
            self._engine.watch_close(consumer)
        self._consumers = []

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Way:
    """Whose path a prefix takes, and where packets go."""

    source: Source
    path_id: int
    next_hops: tuple[Adjacency, ...]

    def __str__(self) -> str:
        return f"{self.source} via {next_hops_text(self.next_hops) or 'nothing'}"


@dataclass(frozen=True, slots=True)
class Move:
    """A prefix that is routed in another way than before; ``None``: there is no route."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("Prefix", "Before", "After")

    prefix: IPNetwork
    before: Way | None
    after: Way | None

    def cells(self) -> tuple[str, ...]:
        return str(self.prefix), str(self.before or "-"), str(self.after or "-")


Standing = tuple[int, str, int, int | None]
"""Source, protocol, path id and group of a best route: what a table is remembered by."""


class Moves:
    """What a block of changes moved: the best routes when it began against those when it ended. ``with rib.moves() as
    moved: ...``, then ``moved`` is a sequence of ``Move``. It remembers four numbers for each prefix."""

    def __init__(self, engine: Engine, watch: Watch, settle: Settle, source_of: SourceOf) -> None:
        self._engine = engine
        self._watch = watch
        self._settle = settle
        self._source_of = source_of
        self._before: dict[str, Standing] = {}
        self._groups: dict[int, Group] = {}
        self.moves: Rows[Move] = Rows()

    def __enter__(self) -> Moves:
        self._settle()
        self._before = {row["prefix"]: _standing(row) for row in self._watch.rows()}
        self._groups = self._groups_now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._settle()
            after = dict(self._before)
            for row in self._watch.rows():
                if row["op"] == "put":
                    after[row["prefix"]] = _standing(row)
                else:
                    after.pop(row["prefix"], None)
            self.moves = Rows(self._compare(after))
        self._watch.close()
        self._before = {}

    def __iter__(self) -> Iterator[Move]:
        return iter(self.moves)

    def __len__(self) -> int:
        return len(self.moves)

    def __repr__(self) -> str:
        return repr(self.moves)

    def _repr_html_(self) -> str:
        return self.moves._repr_html_()

    def _groups_now(self) -> dict[int, Group]:
        return {row["id"]: Group.from_row(row) for row in self._engine.groups()}

    def _compare(self, after: Mapping[str, Standing]) -> list[Move]:
        """Also prefixes whose route stayed and whose group now leads elsewhere: no watch tells of those."""
        now = self._groups_now()
        changed = {number for number, group in self._groups.items() if group.members != now.get(number, group).members}
        moves = []
        for prefix in self._before.keys() | after.keys():
            old, new = self._before.get(prefix), after.get(prefix)
            if old != new or (old is not None and old[3] in changed):
                move = Move(network(prefix), self._way(old, self._groups), self._way(new, now))
                moves += [move] if move.before != move.after else []
        return sorted(moves, key=lambda move: (move.prefix.version, move.prefix))

    def _way(self, standing: Standing | None, groups: Mapping[int, Group]) -> Way | None:
        if standing is None:
            return None
        source, protocol, path_id, group = standing
        members = groups[group].members if group is not None and group in groups else ()
        return Way(self._source_of(source, protocol), path_id, members)


def _standing(row: Row) -> Standing:
    return row["source"], row["protocol"], row["path_id"], row["group"]
