"""show route and show fib: rows, possibly a million of them, printed as they arrive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from routingd.cli import tables
from routingd.cli.grammar import Exit, fail, settings

_CODES = {"connected": "C", "static": "S", "bgp": "B"}
_ORIGINS = {"igp": "i", "egp": "e", "incomplete": "?"}


def hop(next_hop: dict[str, Any]) -> str:
    """A next hop: ADDRESS at NCP/PORT, as far as it has them."""
    ncp, port = next_hop.get("ncp"), next_hop.get("port")
    place = f"{ncp}/{port}" if ncp and port else port or ncp or ""
    address = next_hop.get("address") or next_hop.get("gateway")
    if address and place:
        return f"{address} at {place}"
    return address or place or "-"


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
    source = row.get("source_name") or ""
    return (
        _CODES.get(row["protocol"], row["protocol"]),
        row["prefix"],
        ", ".join(hop(h) for h in row["next_hops"]) or "-",
        f"{row['distance']}/{row['metric']}",
        "-" if source == row["protocol"] else source or "-",
        row["step"],
        as_path(row.get("attributes")),
    )


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


def print_pages(
    answer: Iterator[dict[str, Any]],
    columns: tuple[str, ...],
    cells: Callable[[dict[str, Any]], tuple[object, ...]],
    *,
    expected: str | None,
    legend: str = "",
) -> None:
    """Print pages of {"routes": […], "truncated"} as one table or one JSON object. `expected`: what it means if there
    is none, for a question that named a prefix; without it an empty table is an answer."""
    count = _json(answer) if settings().json else _table(answer, columns, cells, legend)
    if count == 0 and expected is not None:
        if settings().json:
            raise SystemExit(int(Exit.NO))
        fail(Exit.NO, expected, kind="not-found")


def _table(
    answer: Iterable[dict[str, Any]],
    columns: tuple[str, ...],
    cells: Callable[[dict[str, Any]], tuple[object, ...]],
    legend: str,
) -> int:
    stream = tables.Stream(*columns)
    count, truncated = 0, False
    for page in answer:
        if count == 0 and page["routes"] and legend:
            click.echo(legend)
        if page["routes"]:
            stream.rows(cells(row) for row in page["routes"])
        count += len(page["routes"])
        truncated = page.get("truncated", False)
    if truncated:
        click.echo(f"… there is more: {count} rows were asked for (--limit)")
    return count


def _json(answer: Iterable[dict[str, Any]]) -> int:
    """One object, one row a line, written while pages arrive."""
    count, truncated = 0, False
    for page in answer:
        if count == 0 and not page["routes"]:
            truncated = page.get("truncated", False)
            continue
        lines = [f"    {json.dumps(row, ensure_ascii=False)}" for row in page["routes"]]
        if lines:
            click.echo(('{\n  "routes": [\n' if count == 0 else ",\n") + ",\n".join(lines), nl=False)
        count += len(lines)
        truncated = page.get("truncated", False)
    tail = f'"truncated": {json.dumps(truncated)}\n}}'
    click.echo(f"\n  ],\n  {tail}" if count else f'{{\n  "routes": [],\n  {tail}')
    return count


def print_detail(detail: dict[str, Any]) -> None:
    """show route PREFIX: every path."""
    route = detail["route"]
    names = {source["source"]: source for source in detail["sources"]}
    title = route["prefix"] if route["prefix"] == detail["asked"] else f"{route['prefix']} (for {detail['asked']})"
    tables.heading(f"{title}, {len(route['paths'])} path{'s' * (len(route['paths']) != 1)}, decided by {route['step']}")
    rows = [
        (
            "*" if path["best"] else " " if path["usable"] else "!",
            path["protocol"],
            names.get(path["source"], {}).get("name") or path["source"],
            ", ".join(hop(h) for h in path["next_hops"]) or "-",
            f"{path['distance']}/{path['metric']}",
            _bgp_values(path["attributes"]),
            as_path(path["attributes"]),
            "best" if path["best"] else path["reason"],
        )
        for path in route["paths"]
    ]
    tables.table(("", "Protocol", "From", "Next hops", "Dist/Metric", "LocPrf/MED", "AS path", "Standing"), rows)
    group = route["group"]
    if group is not None:
        members = ", ".join(f"{hop(m)} weight {m['weight']}" for m in group["members"]) or "drop"
        click.echo(tables.clean(f"Next-hop group {group['id']}: {members}"))


def _bgp_values(attributes: dict[str, Any] | None) -> str:
    if attributes is None:
        return ""
    local_pref, med = attributes["local_pref"], attributes["med"]
    return f"{'-' if local_pref is None else local_pref}/{'-' if med is None else med}"
