"""show route and show fib: rows, possibly a million of them, printed as they arrive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import click

from routingd.cli import tables
from routingd.cli.grammar import Exit, fail, settings

_CODES = {"connected": "C", "static": "S", "bgp": "B"}
_KINDS = {"drop": "blackhole", "unreachable": "unreachable", "local": "local"}
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


@dataclass(frozen=True, slots=True)
class Layout:
    """How a row of a paged answer becomes a line."""

    columns: tuple[str, ...]
    least: tuple[int, ...]
    """Column widths, enough for most rows, so that later pages stand under the first."""
    cells: Callable[[dict[str, Any]], tuple[object, ...]]
    legend: str = ""


DECIDED: Final = {"none": "none usable", "only": "no other usable"}
ROUTES: Final = Layout(
    ("", "Prefix", "Next hops", "Dist/Metric", "From", "Decided by", "AS path"),
    (1, 18, 15, 11, 15, 14, 0),
    route_cells,
    "C connected, S static, B BGP",
)
FIB: Final = Layout(("NCP", "Prefix", "State", "Group", "Kernel group", "Next hops"), (4, 18, 9, 5, 12, 0), fib_cells)


def print_pages(answer: Iterator[dict[str, Any] | None], layout: Layout, *, missing: str | None) -> None:
    """Print pages of {"routes": […], "truncated"} as one table or one JSON object. `missing`: what it means for a
    question that named a prefix if there is no row, or only rows that say so; without it an empty table is an
    answer."""
    counted = _Counted(page for page in answer if page is not None)
    if settings().json:
        _json(counted)
    else:
        _table(counted, layout)
    if missing is not None and not counted.present:
        if settings().json:
            raise SystemExit(int(Exit.NO))
        fail(Exit.NO, missing, kind="not-found")
    if not counted.rows and not settings().json:
        click.echo("No routes.")


class _Counted:
    """Pages as they pass: rows seen, rows that are really there, whether the limit cut them."""

    def __init__(self, answer: Iterator[dict[str, Any]]) -> None:
        self._answer = answer
        self.rows = 0
        self.present = 0
        self.truncated = False

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        for page in self._answer:
            rows: list[dict[str, Any]] = page["routes"]
            self.truncated = page.get("truncated", False)
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
        click.echo(f"There is more: {answer.rows} rows were asked for (--limit).")


def _json(answer: _Counted) -> None:
    """One object, one row a line, written while pages arrive."""
    for rows in answer:
        lines = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        click.echo(('{\n  "routes": [\n' if answer.rows == 0 else ",\n") + lines, nl=False)
    tail = f'"truncated": {json.dumps(answer.truncated)}\n}}'
    click.echo(f"\n  ],\n  {tail}" if answer.rows else f'{{\n  "routes": [],\n  {tail}')


def print_detail(detail: dict[str, Any]) -> None:
    """show route PREFIX: every path."""
    route = detail["route"]
    names = {source["source"]: source for source in detail["sources"]}
    title = route["prefix"] if route["prefix"] == detail["asked"] else f"{route['prefix']} (for {detail['asked']})"
    decided = DECIDED.get(route["step"], f"decided by {route['step']}")
    tables.heading(f"{title}, {len(route['paths'])} path{'s' * (len(route['paths']) != 1)}, {decided}")
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
