"""Tables of boxes and interfaces: shapes in, text out."""

from __future__ import annotations

from typing import Any, Final

import click

from routingd.cli.tables import clean, duration, facts, heading, table

Data = dict[str, Any]


_NCP_COUNTS: Final = ("routes", "installed", "pending", "failed", "groups", "streams")


def ncps(answer: Data, detail: bool) -> None:
    if detail:
        for n in answer["ncps"]:
            ncp(n)
        return
    counts = tuple(name.capitalize() for name in _NCP_COUNTS)
    rows = [
        (n["name"], n["state"], duration(n["connected"]), *(n[name] for name in _NCP_COUNTS), _agent(n))
        for n in answer["ncps"]
    ]
    table(("NCP", "State", "Connected", *counts, "Agent"), rows, right=counts)
    for n in answer["ncps"]:
        if n["reason"]:
            click.echo(clean(f"{n['name']}: {n['reason']}"))
        for condition in n["conditions"]:
            if condition["severity"] != "info":
                click.echo(clean(f"{n['name']}: {_condition(condition)}"))


def ncp(n: Data) -> None:
    heading(f"NCP {n['name']}")
    verdict = n["snapshot_agrees"]
    sequence = ("sent", "received", "installed")
    counts = ("installed", "pending", "failed")
    facts(
        (
            ("State", f"{n['state']}: {n['reason']}" if n["reason"] else n["state"]),
            ("Agent", _agent(n)),
            ("Connected", duration(n["connected"])),
            ("Connections", ", ".join(f"{name} {'up' if up else 'down'}" for name, up in n["connections"].items())),
            ("Heartbeat", f"{max(0.0, n['heartbeat']):.1f} s ago" if n["heartbeat"] is not None else "never"),
            ("Fabric", n["fabric"]),
            ("Stream", ", ".join(f"{word} {n[f'sequence_{word}']}" for word in sequence)),
            ("Snapshot", None if verdict is None else "agreed" if verdict else "count or digest differed"),
            ("Routes", f"{n['routes']} in the agent, " + ", ".join(f"{n[word]} {word}" for word in counts)),
            ("Groups", n["groups"]),
            ("BGP streams", _streams(n)),
        )
    )
    for condition in n["conditions"]:
        click.echo(clean(f"  {_condition(condition)}"))
    for failed in n["failures"]:
        click.echo(clean(f"  {failed['prefix']}: {failed['text']} (errno {failed['errno']})"))


def _condition(condition: Data) -> str:
    times = f", {condition['count']} times" if condition["count"] > 1 else ""
    since = duration(condition["since"])
    return f"{condition['severity']} {condition['code']}: {condition['text']} (for {since}{times})"


def _streams(n: Data) -> str:
    kinds = (("strangers", "of strangers"), ("too_often", "that came too often"))
    refused = ", ".join(f"{n[key]} {kind}" for key, kind in kinds if n[key])
    return f"{n['streams']}; reset: {refused}" if refused else str(n["streams"])


def _agent(n: Data) -> str:
    where = "embedded" if n["embedded"] else n["address"] or "remote"
    return f"{where} on {n['hostname']}" if n["hostname"] else where


def interfaces(answer: Data) -> None:
    rows: list[tuple[object, ...]] = []
    for i in answer["interfaces"]:
        addresses = ", ".join(a["address"] + _mark(a) for a in i["addresses"])
        note = ", ".join(word for word in ("fabric" if i["fabric"] else "", i["description"]) if word)
        rows.append(
            (f"{i['ncp']}/{i['name']}", _link(i), i["mtu"] or "-", i["mac"] or "-", addresses or "-", note or "-")
        )
    table(("Port", "Link", "MTU", "MAC", "Addresses", "Description"), rows, right=("MTU",))


def _link(interface: Data) -> str:
    if not interface["present"]:
        return "no such link"
    if not interface["admin_up"]:
        return "down"
    return "up" if interface["carrier"] else "no carrier"


def _mark(address: Data) -> str:
    words = ("" if address["usable"] else "not usable", "" if address["configured"] else "not ours")
    text = ", ".join(word for word in words if word)
    return f" ({text})" if text else ""


def version(answer: Data) -> None:
    process = f"pid {answer['pid']}, up {duration(answer['uptime'])}"
    click.echo(clean(f"routingd {answer['version']} (Python {answer['python']}), {process}"))
    identity = f"router {answer['router']}, id {answer['router_id']}, AS {answer['asn']}"
    click.echo(clean(f"{identity}, configuration {answer['config']}"))
