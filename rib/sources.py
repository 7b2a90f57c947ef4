"""The sources of a ``Rib`` by number and by name."""

from __future__ import annotations

from collections.abc import Iterator

from rib.routes import Source

SourceLike = Source | str | int


class Sources:
    def __init__(self) -> None:
        # Sources that are gone stay here: what is told of the past still names them.
        self._by_number: dict[int, Source] = {}
        self._by_name: dict[str, Source] = {}

    def __iter__(self) -> Iterator[Source]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def add(self, source: Source) -> Source:
        self._by_number[source.number] = source
        self._by_name[source.name] = source
        return source

    def forget(self, source: Source) -> None:
        del self._by_name[source.name]

    def find(self, wanted: SourceLike) -> Source:
        """By itself, by name ("192.0.2.1" where none was given) or by number."""
        if isinstance(wanted, int):
            found = self._by_number.get(wanted)
        else:
            found = self._by_name.get(str(wanted))
        if found is None or found.name not in self._by_name:
            names = ", ".join(self._by_name) or "none yet: add_peer, add_connected and add_static make them"
            raise ValueError(f"no source {str(wanted)!r} (there are: {names})")
        return found

    def of(self, number: int, protocol: str) -> Source:
        """For a row; one that was added to the engine by others has no name but its number."""
        return self._by_number.get(number) or Source(number, protocol, f"source {number}")

    def check_free(self, name: str) -> str:
        if name in self._by_name:
            raise ValueError(f"there is a source {name!r} already: give this one another name=")
        return name
