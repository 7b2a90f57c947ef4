"""Routes for people: rows of show route and show fib, and every path of one prefix. Shapes in, text out."""

from __future__ import annotations

from typing import Any, Final

import click

from rib.step import Step
from routingd.cli import tables
from routingd.cli.paged import Layout

_CODES = {"connected": "C", "static": "S", "bgp": "B"}
_KINDS = {"drop": "blackhole", "unreachable": "unreachable", "local": "local"}
_MARKS = {"best": "*", "multipath": "=", "backup": "b"}
_STEPS = frozenset(step.label for step in Step)
_ORIGINS = {"igp": "i", "egp": "e", "incomplete": "?"}


def hop(next_hop: dict[str, Any]) -> str:
    """A next hop or adjacency: ADDRESS at NCP/PORT, as far as it has them, or what else becomes of packets."""
    ncp, port = next_hop.get("ncp"), next_hop.get("port")
    place = f"{ncp}/{port}" if ncp and port else port or ncp or ""
    kind = next_hop.get("kind")
    if kind in _KINDS:
        return f"{_KINDS[kind]} at {place}" if place else _KINDS[kind]
    address = next_hop.get("address") or next_hop.get("gateway")
    if address and place:
        return f"{address} at {place}"
    return address or place or ", ".join(hop(a) for a in next_hop.get("adjacencies", ())) or "-"


def hops(members: list[dict[str, Any]]) -> str:
    """Where a route's packets go: weights where they differ, and whether a backup is ready."""
    primaries = [member for member in members if not member["role"]]
    weighted = len({member["weight"] for member in primaries}) > 1
    words = [hop(member) + (f" weight {member['weight']}" if weighted else "") for member in primaries]
    return ", ".join(words) + (" +backup" if len(primaries) < len(members) else "")


def mark(row: dict[str, Any]) -> str:
    """What the selection made of a path, in one character."""
    usable = row["usable"] if "usable" in row else row["step"] in _STEPS
    return _MARKS.get(row["role"], " " if usable else "!")


def member(item: dict[str, Any]) -> str:
    """A member of a kernel group, as `ip route` would write it."""
    via = f"via {item['gateway']} " if item.get("gateway") else ""
    fabric = f" (fabric to {item['fabric']})" if item.get("fabric") else ""
    return f"{via}dev {item['port']}{fabric}" if item.get("port") else "drop"


def as_path(attributes: dict[str, Any] | None) -> str:
    if attributes is None:
        return ""
    return f"{attributes['as_path']} {_ORIGINS.get(attributes['origin'], '?')}".strip()


def route_cells(row: dict[str, Any]) -> tuple[object, ...]:
    source, attributes = row["source_name"], row["attributes"]
    # What is not in the FIB has no group's members to show, only what the peer said.
    said = attributes["next_hop"] if attributes is not None else "-"
    return (
        _CODES.get(row["protocol"], row["protocol"]) + mark(row) + ("s" if row["stale"] else ""),
        row["prefix"],
        hops(row["next_hops"]) or said,
        f"{row['distance']}/{row['metric']}",
        tables.duration(row["age"]),
        "-" if source == row["protocol"] else giver(source, row["path_id"]),
        row["step"],
        as_path(attributes),
    )


def giver(name: object, path_id: int) -> str:
    """With the identifier that the peer gave the path (RFC 7911)."""
    return f"{name} #{path_id}" if path_id else str(name)


def fib_cells(row: dict[str, Any]) -> tuple[object, ...]:
    state = row["state"]
    if row.get("reason") or row.get("errno"):
        state = f"{state} ({row.get('reason') or 'errno ' + str(row['errno'])})"
    return (
        row["ncp"],
        row["prefix"],
        state,
        "-" if row["nhg"] is None else row["nhg"],
        "-" if row["kernel_group"] is None else row["kernel_group"],
        ", ".join(member(m) for m in row["members"]) or "-",
    )


DECIDED: Final = {"none": "none usable", "only": "no other usable"}
ROUTES: Final = Layout(
    "routes",
    ("", "Prefix", "Next hops", "Dist/Metric", "Age", "From", "Decided by", "AS path"),
    (3, 18, 31, 11, 6, 15, 14, 0),
    route_cells,
    empty="No routes.",
    legend="C connected, S static, B BGP; * best, = multipath, b backup, ! not usable, s stale",
)
FIB: Final = Layout(
    "routes",
    ("NCP", "Prefix", "State", "Group", "Kernel group", "Next hops"),
    (4, 18, 9, 5, 12, 0),
    fib_cells,
    empty="No routes.",
)


def print_detail(detail: dict[str, Any]) -> None:
    """show route PREFIX: every path."""
    route = detail["route"]
    names = {source["source"]: source for source in detail["sources"]}
    title = route["prefix"] if route["prefix"] == detail["asked"] else f"{route['prefix']} (for {detail['asked']})"
    decided = DECIDED.get(route["step"], f"decided by {route['step']}")
    tables.heading(f"{title}, {len(route['paths'])} path{'s' * (len(route['paths']) != 1)}, {decided}")
    rows = [
        (
            mark(path),
            path["protocol"],
            giver(names.get(path["source"], {}).get("name") or path["source"], path["path_id"]),
            ", ".join(hop(h) for h in path["next_hops"]) or "-",
            f"{path['distance']}/{path['metric']}",
            tables.duration(path["age"]),
            path["weight"] or "-",
            bgp_values(path["attributes"]),
            as_path(path["attributes"]),
            "best" if path["best"] else path["reason"],
        )
        for path in route["paths"]
    ]
    columns = ("", "Protocol", "From", "Next hops", "Dist/Metric", "Age", "Weight", "LocPrf/MED", "AS path", "Standing")
    tables.table(columns, rows)
    group = route["group"]
    if group is not None:
        click.echo(tables.clean(f"Next-hop group {group['id']}: {group_members(group)}"))


def group_members(group: dict[str, Any]) -> str:
    """What packets are sent to, with every weight."""
    return (
        ", ".join(f"{hop(m)} weight {m['weight']}{' backup' if m['role'] else ''}" for m in group["members"]) or "drop"
    )


def bgp_values(attributes: dict[str, Any] | None) -> str:
    if attributes is None:
        return ""
    local_pref, med = attributes["local_pref"], attributes["med"]
    return f"{'-' if local_pref is None else local_pref}/{'-' if med is None else med}"
