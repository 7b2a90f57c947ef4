"""Whether every box has what the RIB wants: of the whole FIB, and of one route. Shapes in, text out."""

from __future__ import annotations

from typing import Any

import click

from routingd.cli.routes import member
from routingd.cli.tables import clean, duration, heading, table

Data = dict[str, Any]


def consistency(answer: Data) -> None:
    columns = ("NCP", "State", "IPv4 routes", "IPv6 routes", "Digest", "Installed", "Pending", "Failed", "Audited")
    rows = [("(RIB)", "-", *_sum(answer["controller"]), "-", "-", "-", "-")]
    rows += [
        (n["ncp"], n["state"], *_sum(n["model"]), n["installed"], n["pending"], n["failed"], audited(n["audit"]))
        for n in answer["ncps"]
    ]
    table(columns, rows, right=("IPv4 routes", "IPv6 routes", "Installed", "Pending", "Failed"))
    if not answer["install"]:
        click.echo("not installed: kernel install is off, so no kernel is to have a route of ours")
    for n in answer["ncps"]:
        if n["state"] != "equal":
            click.echo(clean(f"{n['ncp']}: {n['reason']}{_progress(n)}: {n['advice']}"))


def _sum(told: Data | None) -> tuple[object, ...]:
    return (told["ipv4"], told["ipv6"], told["digest"]) if told is not None else ("-", "-", "-")


def _progress(n: Data) -> str:
    if not n["outstanding"]:
        return ""
    one = n["outstanding"] == 1
    return f" ({n['outstanding']} transaction{'' if one else 's'} not acknowledged, the oldest for {n['lag']:.1f} s)"


def audited(audit: Data | None) -> str:
    """When, and what came of it."""
    if audit is None:
        return "-"
    made = f", {audit['repaired']} repaired" if audit["drifted"] else ""
    return f"{duration(audit['ago'])} ago{made}"


def route(answer: Data) -> None:
    """show route PREFIX ncp all: what each box has for it."""
    title = answer["prefix"] if answer["prefix"] == answer["asked"] else f"{answer['prefix']} (for {answer['asked']})"
    group = answer["group"]
    told = "in no FIB: no path of it is usable" if group is None else f"next-hop group {group} (key {answer['key']})"
    heading(f"{title}, {told}")
    columns = ("NCP", "State", "Group", "Kernel group", "Kernel nexthops")
    table(columns, [_at_box(row, group) for row in answer["ncps"]])


def _at_box(row: Data, wanted: int | None) -> tuple[object, ...]:
    state, number = row["state"], row["nhg"]
    if row.get("reason") or row.get("errno"):
        state = f"{state} ({row.get('reason') or 'errno ' + str(row['errno'])})"
    return (
        row["ncp"],
        state,
        "-" if number is None else number if number == wanted else f"{number} (not yet {wanted})",
        "-" if row["kernel_group"] is None else row["kernel_group"],
        ", ".join(f"{member(m)} weight {m['weight']}" for m in row["members"]) or "-",
    )
