"""Routes of the reference engine as the dictionaries that ``show`` and ``explain`` print; the native engine gives the
same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rib.group import Group, group_members
from rib.path import Forward, NextHop, Path, Protocol
from rib.prefix import Prefix, address_text
from rib.reference_fib import table_of
from rib.resolution import Adjacency, Resolution, Resolutions, resolve_next_hop
from rib.selection import Selection

AdjacencyNumber = Callable[[Adjacency], int]


def lookup_row(
    prefix: Prefix,
    paths: list[Path],
    selection: Selection,
    known: Resolutions,
    group: dict[str, Any] | None,
    number: AdjacencyNumber,
) -> dict[str, Any]:
    """Every path of one prefix with its standing."""
    unusable = {path.key for path in selection.unusable}
    rows = [
        {
            "source": path.source.number,
            "protocol": path.protocol.label,
            "path_id": path.path_id,
            "distance": path.distance,
            "metric": path.metric,
            "tag": path.tag,
            "best": path is selection.best,
            "usable": path.key not in unusable,
            "reason": reason(path, selection, known),
            "next_hops": [next_hop_row(hop, path, known, number) for hop in path.next_hops],
            "attributes": path.attributes.to_row() if path.protocol is Protocol.BGP else None,
        }
        for path in paths
    ]
    return {
        "prefix": str(prefix),
        "table": table_of(prefix),
        "step": selection.step.label,
        "paths": rows,
        "group": group,
    }


def reason(path: Path, selection: Selection, known: Resolutions) -> str:
    """Why a path is best (the step that left it), lost (the step at which it went), or never took part."""
    if path is selection.best:
        return selection.step.label
    if path.key in selection.lost:
        return selection.lost[path.key].label
    missing = [hop for hop in path.next_hops if not resolve_next_hop(hop, known)]
    return "next hop unresolved: " + ", ".join(address_text(hop.address) for hop in missing)


def next_hop_row(hop: NextHop, path: Path, known: Resolutions, number: AdjacencyNumber) -> dict[str, Any]:
    if path.forward is Forward.VIA:
        resolution = resolve_next_hop(hop, known)
    else:
        resolution = Resolution(tuple(member.adjacency for member in group_members(path, known)))
    return {
        "address": address_text(hop.address) if hop.address else None,
        "ncp": hop.ncp or None,
        "port": hop.port or None,
        "weight": hop.weight,
        "resolved": bool(resolution),
        "via": str(resolution.via) if resolution.via else None,
        "metric": resolution.metric,
        "adjacencies": [{"id": number(adjacency), **adjacency_row(adjacency)} for adjacency in resolution.adjacencies],
    }


def adjacency_row(adjacency: Adjacency) -> dict[str, Any]:
    return {
        "ncp": adjacency.ncp or None,
        "port": adjacency.port or None,
        "gateway": address_text(adjacency.gateway) if adjacency.gateway else None,
        "kind": adjacency.kind.name.lower(),
    }


def group_row(group: Group, group_id: int, routes: int, number: AdjacencyNumber) -> dict[str, Any]:
    """A group that ``routes`` routes use."""
    return {
        "id": group_id,
        "key": group.key.hex(),
        "kind": int(group.kind),
        "members": [
            {
                "adjacency": number(member.adjacency),
                **adjacency_row(member.adjacency),
                "weight": member.weight,
                "role": member.role,
            }
            for member in group.members
        ],
        "routes": routes,
        "resolved": True,
    }


def page_row(
    prefix: Prefix, selection: Selection, group: Group, group_id: int, number: AdjacencyNumber
) -> dict[str, Any]:
    """One line of ``show route``: the best path and where it leads."""
    best = selection.best
    assert best is not None
    return {
        "prefix": str(prefix),
        "protocol": best.protocol.label,
        "source": best.source.number,
        "distance": best.distance,
        "metric": best.metric,
        "tag": best.tag,
        "step": selection.step.label,
        "next_hops": [{"id": number(member.adjacency), **adjacency_row(member.adjacency)} for member in group.members],
        "group": group_id,
        "attributes": best.attributes.to_row() if best.protocol is Protocol.BGP else None,
    }
