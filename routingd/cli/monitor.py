"""routingctl monitor: what happens, as it happens, until Ctrl-C."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from routingd.cli.grammar import Group, anywhere, pages, settings
from routingd.cli.keywords import Keywords
from routingd.cli.show import FAMILY, PROTOCOL, WITHIN
from routingd.cli.values import FAMILIES, NEIGHBORS, prefix

_LEAST: Final = (12, 1, 18, 31, 11, 15, 0)
_COLUMNS: Final = ("Time", "", "Prefix", "Next hops", "Dist/Metric", "From", "AS path")


@click.group(cls=Group)
@anywhere
def monitor() -> None:
    """Follow what happens, until Ctrl-C."""


@monitor.command(cls=Keywords)
@WITHIN
@PROTOCOL
@FAMILY
@click.option("--initial", is_flag=True, help="Begin with the routes that there are.")
@anywhere
def route(within: str | None, protocol: str | None, family: str | None, initial: bool) -> None:
    """Each new best route and each one that goes.

    A prefix that changes faster than it can be told is told in its last state. With --json, one object a line.
    """
    from routingd.cli import routes, tables

    changes = pages(
        "monitor", "route",
        within=prefix(within, whole=True) if within is not None else None,
        protocol=protocol,
        family=FAMILIES[family] if family is not None else None,
        initial=initial or None,
        live=True,
    )  # fmt: skip
    stream = tables.Stream(_COLUMNS, _LEAST)
    try:
        for page in changes:
            if settings().json:
                click.echo("\n".join(json.dumps({"time": page["time"], **change}) for change in page["changes"]))
            else:
                stream.rows(_cells(page["time"], change, routes) for change in page["changes"])
    except KeyboardInterrupt:
        # The one way to end it, and no error.
        click.echo(err=True)


@monitor.command()
@click.argument("address", required=False, shell_complete=NEIGHBORS)
@anywhere
def bgp(address: str | None) -> None:
    """What happens to BGP sessions: states, NOTIFICATIONs, malformed UPDATEs, limits, refused connections.

    Of one neighbor, or of all. With --json, one object a line.
    """
    from routingd.cli import tables

    told = pages("monitor", "bgp", address=address, live=True)
    stream = tables.Stream(("Time", "Neighbor", "Event", "What"), (12, 15, 12, 0))
    try:
        for page in told:
            if page["lost"]:
                click.echo(f"{page['lost']} events were not read in time", err=True)
            if settings().json:
                click.echo("\n".join(json.dumps(event) for event in page["events"]))
            else:
                stream.rows((_clock(e["time"]), e["neighbor"], e["event"], e["text"]) for e in page["events"])
    except KeyboardInterrupt:
        click.echo(err=True)


def _clock(time: str) -> str:
    return time.partition("T")[2][:12]


def _cells(time: str, change: dict[str, Any], routes: Any) -> tuple[object, ...]:
    clock = _clock(time)
    if change["op"] == "delete":
        return clock, "-", change["prefix"], "", "", "", ""
    _, name, hops, distance, _, source, _, path = routes.route_cells(change)
    return clock, "+", name, hops, distance, source, path
