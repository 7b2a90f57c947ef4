"""show next-hop, show group, show export-group, show memory: shapes in, text out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from routingd.cli.paged import Layout
from routingd.cli.routes import as_path, bgp_values, group_members, hop
from routingd.cli.tables import clean, duration, facts, heading, table
from routingd.control.peer_kind import NAMES

Data = dict[str, Any]


def next_hop_cells(row: Data) -> tuple[object, ...]:
    return (
        row["address"],
        "resolved" if row["resolved"] else "unresolved",
        f"{row['via']} {row['protocol']}" if row["via"] is not None else row["reason"] or "-",
        row["metric"] if row["resolved"] else "-",
        ways(row["adjacencies"]),
        row["sets"],
        f"{duration(row['changed'])} ago: {row['change']}" if row["change"] else "-",
    )


NEXT_HOPS: Final = Layout(
    "next_hops",
    ("Next hop", "State", "Via", "Metric", "Adjacencies", "Sets", "Last change"),
    (15, 10, 25, 6, 26, 4, 0),
    next_hop_cells,
    empty="No path has a next hop that must be looked up.",
)


def ways(adjacencies: list[Data]) -> str:
    """Adjacencies, with weights where they differ."""
    weighted = len({adjacency.get("weight", 1) for adjacency in adjacencies}) > 1
    return ", ".join(hop(a) + (f" weight {a['weight']}" if weighted else "") for a in adjacencies) or "-"


def advertised_cells(row: Data) -> tuple[object, ...]:
    attributes = row["attributes"]
    words = [*attributes["communities"], *attributes["large_communities"], *attributes["extended_communities"]]
    path_id = row["path_id"] if row["path_id"] is not None else "-"
    said = attributes["next_hop"], bgp_values(attributes), as_path(attributes), " ".join(words) or "-"
    return row["prefix"], path_id, *said


ADVERTISED: Final = Layout(
    "routes",
    ("Prefix", "Id", "Next hop", "LocPrf/MED", "AS path", "Communities"),
    (18, 2, 15, 10, 20, 0),
    advertised_cells,
    empty="Nothing is advertised.",
)


def group_cells(row: Data) -> tuple[object, ...]:
    return row["id"], row.get("routes", "-"), group_members(row)


GROUPS: Final = Layout("groups", ("Group", "Routes", "Members"), (5, 7, 0), group_cells, empty="No next-hop groups.")


def group(row: Data) -> None:
    heading(f"Next-hop group {row['id']}")
    facts((("Key", row["key"]), ("Routes", row.get("routes")), ("Members", group_members(row))))
    for line in group_hops(row):
        click.echo(clean(f"  {line}"))


def group_hops(row: Data) -> Iterator[str]:
    """The next hops of a group as paths give them, and by whom."""
    for item in row["hops"]:
        givers = f", from {', '.join(item['givers'])}" if item["givers"] else ""
        role = "backup" if item["role"] else "primary"
        yield f"{role} {hop(item)}, weight {item['weight']}{givers}"


def export_groups(answer: Data) -> None:
    if not answer["groups"]:
        click.echo("No peer is told anything: no session with `export: accept` is Established.")
        return
    rows: list[tuple[object, ...]] = []
    for number, item in enumerate(answer["groups"], start=1):
        about = (number, item["family"], NAMES[item["kind"]], item["encoded"], item["shared"])
        for index, member in enumerate(item["members"]):
            rows.append((*(about if index == 0 else ("",) * 5), member["address"], member["backlog"]))
    columns = ("Group", "Family", "Kind", "Encoded", "Shared", "Member", "Backlog")
    table(columns, rows, right=("Group", "Encoded", "Shared", "Backlog"))


def memory(answer: Data) -> None:
    counts = answer["counts"]
    rows = [
        (kind.replace("_", " "), size(used), counts.get(kind, "-"), each(used, counts.get(kind)))
        for kind, used in answer["kinds"].items()
        if kind != "total"
    ]
    if "total" in answer["kinds"]:
        rows.append(("all tables", size(answer["kinds"]["total"]), "-", "-"))
    rows.append(("whole process", size(answer["resident"]), "-", "-"))
    table(("Kind", "Size", "Number", "Each"), rows, right=("Size", "Number", "Each"))


def each(used: int, number: int | None) -> str:
    return f"{used / number:.0f} B" if number else "-"


def size(number: int) -> str:
    """Like 312 B, 4.1 KiB, 96.0 MiB."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{number} B" if unit == "B" else f"{value:.1f} {unit}"
