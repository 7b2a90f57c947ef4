"""BGP sessions for people: shapes in, text out."""

from __future__ import annotations

from typing import Any, Final

import click

from routingd.cli.tables import clean, duration, facts, heading, table
from routingd.control.peer_kind import NAMES

Data = dict[str, Any]
_SHOWN: Final = 128
"""Hexadecimal digits of a malformed attribute."""
_KINDS: Final = {
    "open": "OPEN", "update": "UPDATE", "keepalive": "KEEPALIVE", "route_refresh": "ROUTE-REFRESH",
    "notification": "NOTIFICATION",
}  # fmt: skip


def summary(answer: Data) -> None:
    counts = ", ".join(f"{name} {count}" for name, count in answer["routes"].items())
    click.echo(f"{clean(answer['router'])}: router id {answer['router_id']}, AS {answer['asn']}; routes: {counts}")
    if not answer["neighbors"]:
        click.echo("No neighbors are there." if answer["listen"] else "No neighbors are configured.")
    rows: list[tuple[object, ...]] = []
    for n in answer["neighbors"]:
        families = n["families"] or {"-": None}
        for index, (name, family) in enumerate(families.items()):
            first = (
                (n["address"], n["asn"] or "external", n["ncp"] or "-", n["state"], duration(n["uptime"]))
                if index == 0
                else ("",) * 5
            )
            counted = (
                (name, family["received"], family["advertised"], passing(family)) if family is not None else ("-",) * 4
            )
            rows.append((*first, *counted, _note(n) if index == 0 else ""))
    columns = ("Neighbor", "AS", "NCP", "State", "Up", "Family", "Received", "Sent", "Passes", "Description")
    if rows:
        table(columns, rows, right=("AS", "Received", "Sent"))
    for one in answer["listen"]:
        room = f"{one['neighbors']} of {one['limit']} neighbors"
        refused = f", {one['refused']} connections refused" if one["refused"] else ""
        click.echo(clean(f"Listening for {one['prefix']} (group {one['group']}): {room}{refused}"))


def _note(n: Data) -> str:
    return ", ".join(word for word in (f"by {n['listen']}" if n["listen"] else "", n["description"]) if word)


def passing(family: Data) -> str:
    """What RFC 8212 lets through here."""
    words = {(True, True): "in, out", (True, False): "in", (False, True): "out", (False, False): "nothing"}
    return words[family["accept_import"], family["accept_export"]]


def neighbors(answer: Data) -> None:
    for index, n in enumerate(answer["neighbors"]):
        if index:
            click.echo()
        _neighbor(n)
    if not answer["neighbors"]:
        click.echo("No neighbors are configured.")


def _neighbor(n: Data) -> None:
    heading(f"BGP neighbor {n['address']}, AS {n['asn'] or 'external'} ({NAMES[n['kind']]}, ours {n['local_asn']})")
    since = f" for {duration(n['uptime'])}" if n["uptime"] is not None else ""
    count = n["established_count"]
    times = "never Established" if count == 0 else f"Established {'once' if count == 1 else f'{count} times'}"
    facts(
        (
            ("Description", n["description"]),
            ("State", f"{n['state']}{since}; {times}"),
            ("Last down", n["last_down"]),
            ("Notification", _notification(n["last_notification"])),
            ("Last session", _ended(n["last_session"])),
            ("Group", n["group"]),
            ("Listen", n["listen"]),
            ("Learned", n["learned"]),
            ("Router id", n["router_id"]),
            ("Connection", _connection(n)),
            ("Hold time", _hold_time(n)),
            ("Timers", ", ".join(f"{name} {duration(left)}" for name, left in n["timers"].items())),
            ("Bad messages", f"{n['offences']} sessions ended by them within an hour" if n["offences"] else ""),
            ("Refused", _counts(n["connections_refused"])),
            ("Options", _options(n)),
            ("Its routes", _routes(n)),
            ("Restarts", _restarts(n)),
            ("Came back", _came_back(n["came_back"])),
            ("Retained", ", ".join(map(_retained, n["retained"]))),
            ("Messages", _messages(n)),
        )
    )
    _capabilities(n["capabilities"])
    for name, family in n["families"].items():
        click.echo(f"  {name}: {'agreed' if family['agreed'] else 'not agreed'}, passes {passing(family)}")
        marks = [w for key, w in (("end_of_rib_received", "received"), ("end_of_rib_sent", "sent")) if family[key]]
        ends = " and ".join(marks) or "neither received nor sent"
        stale = f" ({family['stale']} stale)" if family["stale"] else ""
        click.echo(f"    {family['received']} paths received{stale}, {family['advertised']} sent; End-of-RIB {ends}")
        if family["maximum_prefixes"]:
            click.echo(f"    {_limit(family['maximum_prefixes'])}")
    for reason, count in n["refused"].items():
        click.echo(clean(f"  Not taken, {reason}: {count}"))
    for fault in n["faults"]:
        _fault(fault)
    if n["other_faults"]:
        click.echo(f"  Malformed in yet other ways: {n['other_faults']}")


def _capabilities(rows: list[Data]) -> None:
    """Side by side: what each end said, and what holds."""
    if not rows:
        return
    lines: dict[str, list[str]] = {}
    for c in rows:
        # of families each stands for itself; of anything else both ends' values belong together
        line = lines.setdefault(f"{c['name']} {c['value']}" if c["name"] == "multiprotocol" else c["name"], ["-"] * 3)
        for column, said in enumerate((c["sent"], c["received"])):
            if said:
                line[column] = (c["value"] if c["name"] != "multiprotocol" else "") or "yes"
        line[2] = {None: "-", True: "yes", False: "no"}[c["agreed"]]
    cells = [
        ("  Capability", "Offered", "Received", "Agreed"),
        *((f"    {name}", *line) for name, line in lines.items()),
    ]
    cells = [tuple(clean(cell) for cell in row) for row in cells]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    for row in cells:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))


def _limit(limit: Data) -> str:
    then = {"warn": "then told only", "idle": "then idle", "restart": f"then down for {limit['restart_after']:g} s"}
    return f"at most {limit['limit']} paths, {then[limit['action']]}; told at {limit['warn']} %"


def _fault(fault: Data) -> None:
    what = f"{fault['count']} times, the last {duration(fault['ago'])} ago: {fault['disposition']} (RFC {fault['rfc']})"
    click.echo(clean(f"  Malformed {fault['name']}: {what}"))
    # all of it is in --json
    octets = fault["bytes"] or fault["message"]
    click.echo(f"    {octets[:_SHOWN]}{'…' if len(octets) > _SHOWN else ''}")


def _ended(end: Data | None) -> str | None:
    if end is None:
        return None
    said = [f"{way} {_said(end[way])}" for way in ("sent", "received") if end[way] is not None]
    lasted = f"lasted {duration(end['lasted'])}, ended {duration(end['ago'])} ago: {end['reason']}"
    return "; ".join([lasted, *said])


def _said(notification: Data) -> str:
    told = f" ({notification['text']})" if notification["text"] else ""
    return f"{notification['name']} {notification['code']}/{notification['subcode']}{told}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} times {reason}" for reason, count in counts.items())


def _messages(n: Data) -> str:
    def way(name: str) -> str:
        counted = {kind: n["counters"].get(f"{kind}_{name}", 0) for kind in _KINDS}
        kinds = ", ".join(f"{count} {_KINDS[kind]}" for kind, count in counted.items() if count)
        return f"{n[f'messages_{name}']} {name}" + (f" ({kinds})" if kinds else "")

    return "; ".join((way("received"), way("sent")))


def _notification(last: Data | None) -> str | None:
    return f"{last['direction']} {duration(last['ago'])} ago: {last['text']}" if last is not None else None


def _connection(n: Data) -> str:
    end = n["endpoint"]
    if end is None:
        return f"none (TCP port {n['port']}, {n['ncp'] or 'no NCP'})"
    return f"{end['local']} {'<-' if end['inbound'] else '->'} {end['remote']} at {end['ncp']}"


def _hold_time(n: Data) -> str:
    if n["hold_time"] is None:
        return f"{n['configured_hold_time']} s offered"
    if n["hold_time"] == 0:
        return "none agreed (0), so no keepalives"
    limit = f"; it may take nothing for {n['send_hold_time']} s" if n["send_hold_time"] else ""
    return f"{n['hold_time']} s, keepalive every {n['keepalive_interval']:g} s{limit}"


def _restarts(n: Data) -> str:
    if n["graceful_restart"] == "off":
        return "not graceful"
    ours = f"; ours take up to {n['restart_time']} s" if n["graceful_restart"] == "on" else ""
    long_lived = f", then last resort for up to {n['long_lived_stale_time']} s" if n["long_lived_stale_time"] else ""
    return f"its routes stay{long_lived}{ours}"


def _came_back(how: Data | None) -> str:
    if how is None:
        return ""
    return "adopted, as it was" if how["adopted"] else f"by a restart: {how['reason']}"


def _retained(kept: Data) -> str:
    waits = {
        "restart": "until it is back",
        "long-lived": "as a last resort until it is back",
        "end-of-rib": "until its End-of-RIB",
        "refresh": "until its refresh ends",
    }
    return f"{kept['family']} {waits[kept['waits_for']]}, for {duration(kept['remaining'])} at most"


def _options(n: Data) -> str:
    words = [
        "passive" if n["passive"] else "",
        "TCP MD5" if n["password"] else "",
        "TCP-AO" if n["tcp_ao"] else "",
        "TTL security" if n["ttl_security"] else "",
        f"multihop {n['multihop']}" if n["multihop"] is not None else "",
        f"role {n['role']}" if n["role"] else "",
        "next-hop-self" if n["next_hop_self"] else "",
        "route reflector client" if n["route_reflector_client"] else "",
    ]
    return ", ".join(word for word in words if word)


def _routes(n: Data) -> str:
    words = [f"distance {n['distance']}" if n["distance"] is not None else ""]
    words += [f"weight {n['weight']}" if n["weight"] else "", "AIGP taken and sent" if n["aigp"] else ""]
    return ", ".join(word for word in words if word)
