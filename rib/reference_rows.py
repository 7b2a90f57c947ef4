"""Routes of the reference engine as the dictionaries that ``show`` and ``explain`` print; the native engine gives the
same."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rib.adjacency import Adjacency, Weighted
from rib.group import Group, members_of
from rib.path import Forward, NextHop, Path, Place, Protocol
from rib.prefix import address_text
from rib.reference_fib import Numbers, table_of
from rib.reference_outcome import Outcome
from rib.resolution import Resolution
from rib.selection import Selection


class Rows:
    """The rows of one moment; adjacencies and groups by their numbers."""

    def __init__(self, outcome: Outcome, group_ids: Numbers[bytes], adjacency_ids: Numbers[Adjacency]) -> None:
        self._outcome = outcome
        self._group_ids = group_ids
        self._adjacency_ids = adjacency_ids

    def lookup(self, place: Place, *, new: bool) -> dict[str, Any] | None:
        """Every path of one prefix with its standing; None where there is none. ``new``: not in every box yet."""
        selection = self._outcome.selections.get(place)
        if selection is None:
            return None
        instance, prefix = place
        return {
            "prefix": str(prefix),
            "instance": instance,
            "table": table_of(place),
            "step": selection.step.label,
            "waits": new and selection.best is not None and selection.best.protocol is not Protocol.CONNECTED,
            "paths": [self._path(path, instance, selection) for path in self._outcome.paths[place]],
            "group": self.group(self._outcome.groups[place]) if selection.best else None,
        }

    def _path(self, path: Path, instance: int, selection: Selection) -> dict[str, Any]:
        return {
            "source": path.source.number,
            "protocol": path.protocol.label,
            "path_id": path.path_id,
            "distance": path.distance,
            "metric": path.metric,
            "tag": path.tag,
            "since": path.since,
            "weight": path.source.weight,
            "best": path is selection.best,
            "role": selection.role(path),
            "leaked": path.source.instance != instance,
            "stale": path.stale,
            "usable": path not in selection.unusable,
            "reason": self.standing(path, selection),
            "next_hops": [self._next_hop(hop, path) for hop in path.next_hops],
            "attributes": attributes(path),
        }

    def route(self, place: Place, path: Path) -> dict[str, Any]:
        """One line of ``show route``: a path and, of the best one, where it leads."""
        instance, prefix = place
        selection = self._outcome.selections[place]
        best = path is selection.best
        group = self._outcome.groups[place] if best else None
        return {
            "prefix": str(prefix),
            "instance": instance,
            "protocol": path.protocol.label,
            "source": path.source.number,
            "path_id": path.path_id,
            "distance": path.distance,
            "metric": path.metric,
            "tag": path.tag,
            "since": path.since,
            "best": best,
            "role": selection.role(path),
            "leaked": path.source.instance != instance,
            "stale": path.stale,
            "step": self.standing(path, selection),
            "next_hops": [
                {
                    "id": self._adjacency_ids[member.adjacency],
                    **adjacency_row(member.adjacency),
                    "weight": member.weight,
                    "role": member.role,
                }
                for member in (group.members if group else ())
            ],
            "group": self._group_ids[group.key] if group else None,
            "attributes": attributes(path),
        }

    def standing(self, path: Path, selection: Selection) -> str:
        """Why a path is best (the step that left it), lost (the step at which it went), or never took part."""
        if path is selection.best:
            return selection.step.label
        if path.key in selection.lost:
            return selection.lost[path.key].label
        found = [(hop, self._outcome.known.of(hop)) for hop in path.next_hops]
        missing = [f"{hop} ({resolution.reason})" for hop, resolution in found if not resolution]
        return "next hop unresolved: " + ", ".join(missing)

    def _next_hop(self, hop: NextHop, path: Path) -> dict[str, Any]:
        """A next hop of a path, and what it resolves to."""
        if path.forward is Forward.VIA:
            resolution = self._outcome.known.of(hop)
        else:
            ends = members_of(path, (), self._outcome.known)
            resolution = Resolution(tuple((member.adjacency, member.weight) for member in ends))
        return {
            "address": address_text(hop.address) if hop.address else None,
            "ncp": hop.ncp or None,
            "port": hop.port or None,
            "weight": hop.weight,
            "resolved": bool(resolution),
            "via": str(resolution.via) if resolution.via else None,
            "metric": resolution.metric,
            "adjacencies": self._adjacencies(resolution.adjacencies),
        }

    def _adjacencies(self, adjacencies: tuple[Weighted, ...]) -> list[dict[str, Any]]:
        return [
            {"id": self._adjacency_ids[adjacency], **adjacency_row(adjacency), "weight": weight}
            for adjacency, weight in adjacencies
        ]

    def groups(self) -> list[dict[str, Any]]:
        """Every group that a route of any instance uses."""
        return [self.group(group) for group in {group.key: group for group in self._outcome.groups.values()}.values()]

    def group(self, group: Group) -> dict[str, Any]:
        users = Counter(used.key for used in self._outcome.groups.values())
        return {
            "id": self._group_ids[group.key],
            "key": group.key.hex(),
            "kind": int(group.kind),
            "hops": [
                {
                    "address": address_text(one.hop.address) if one.hop.address else None,
                    "instance": one.hop.instance,
                    "ncp": one.hop.ncp or None,
                    "port": one.hop.port or None,
                    "weight": one.hop.weight,
                    "role": one.role,
                    "givers": [address_text(giver) for giver in one.givers],
                }
                for one in group.hops
            ],
            "members": [
                {
                    "adjacency": self._adjacency_ids[member.adjacency],
                    **adjacency_row(member.adjacency),
                    "weight": member.weight,
                    "role": member.role,
                }
                for member in group.members
            ],
            "routes": users[group.key],
            "resolved": True,
        }

    def tracked(self) -> list[dict[str, Any]]:
        """Every next hop that is looked up. When it last changed is not known here: only the present is."""
        groups = {group.key: group for group in self._outcome.groups.values()}.values()
        rows = []
        for (instance, address), resolution in self._outcome.known.tracked.items():
            rows.append(
                {
                    "address": address_text(address),
                    "instance": instance,
                    "resolved": bool(resolution),
                    "via": str(resolution.via) if resolution.via else None,
                    "protocol": resolution.protocol.label if resolution.protocol is not None else None,
                    "metric": resolution.metric,
                    "adjacencies": self._adjacencies(resolution.adjacencies),
                    "reason": resolution.reason,
                    "sets": sum((instance, address) in {one.hop.tracked for one in group.hops} for group in groups),
                    "changed": 0,
                    "change": "",
                }
            )
        return rows


def attributes(path: Path) -> dict[str, Any] | None:
    return path.attributes.to_row() if path.protocol is Protocol.BGP else None


def adjacency_row(adjacency: Adjacency) -> dict[str, Any]:
    return {
        "ncp": adjacency.ncp or None,
        "port": adjacency.port or None,
        "gateway": address_text(adjacency.gateway) if adjacency.gateway else None,
        "kind": adjacency.kind.name.lower(),
    }
