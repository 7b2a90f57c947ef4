"""Tables of sessions, boxes and interfaces: shapes in, text out."""

from __future__ import annotations

from typing import Any, Final

import click

from routingd.cli.tables import clean, duration, facts, heading, table

Data = dict[str, Any]


def bgp_summary(answer: Data) -> None:
    counts = ", ".join(f"{name} {count}" for name, count in answer["routes"].items())
    click.echo(f"{clean(answer['router'])}: router id {answer['router_id']}, AS {answer['asn']}; routes: {counts}")
    if not answer["neighbors"]:
        click.echo("No neighbors are configured.")
        return
    rows: list[tuple[object, ...]] = []
    for n in answer["neighbors"]:
        families = n["families"] or {"-": None}
        for index, (name, family) in enumerate(families.items()):
            first = (
                (n["address"], n["asn"], n["ncp"] or "-", n["state"], duration(n["uptime"]))
                if index == 0
                else ("",) * 5
            )
            counted = (
                (name, family["received"], family["advertised"], passing(family)) if family is not None else ("-",) * 4
            )
            rows.append((*first, *counted, n["description"] if index == 0 else ""))
    columns = ("Neighbor", "AS", "NCP", "State", "Up", "Family", "Received", "Sent", "Passes", "Description")
    table(columns, rows, right=("AS", "Received", "Sent"))


def passing(family: Data) -> str:
    """What RFC 8212 lets through here."""
    words = {(True, True): "in, out", (True, False): "in", (False, True): "out", (False, False): "nothing"}
    return words[family["accept_import"], family["accept_export"]]


def bgp_neighbors(answer: Data) -> None:
    for index, n in enumerate(answer["neighbors"]):
        if index:
            click.echo()
        _bgp_neighbor(n)
    if not answer["neighbors"]:
        click.echo("No neighbors are configured.")


def _bgp_neighbor(n: Data) -> None:
    kind = "eBGP" if n["kind"] == "ebgp" else "iBGP"
    heading(f"BGP neighbor {n['address']}, AS {n['asn']} ({kind}, ours {n['local_asn']})")
    since = f" for {duration(n['uptime'])}" if n["uptime"] is not None else ""
    count = n["established_count"]
    times = "never Established" if count == 0 else f"Established {'once' if count == 1 else f'{count} times'}"
    facts(
        (
            ("Description", n["description"]),
            ("State", f"{n['state']}{since}; {times}"),
            ("Last down", n["last_down"]),
            ("Notification", _notification(n["last_notification"])),
            ("Group", n["group"]),
            ("Router id", n["router_id"]),
            ("Connection", _connection(n)),
            ("Hold time", _hold_time(n)),
            ("Options", _options(n)),
            ("Its routes", _routes(n)),
            ("Messages", f"{n['messages_received']} received, {n['messages_sent']} sent"),
        )
    )
    if n["capabilities"]:
        click.echo("  Capabilities")
    for c in n["capabilities"]:
        both = {(True, True): "sent and received", (True, False): "sent only", (False, True): "received only"}
        value = f" {c['value']}" if c["value"] else ""
        click.echo(clean(f"    {c['name']}{value}: {both.get((c['sent'], c['received']), 'neither')}"))
    for name, family in n["families"].items():
        click.echo(f"  {name}: {'agreed' if family['agreed'] else 'not agreed'}, passes {passing(family)}")
        marks = [w for key, w in (("end_of_rib_received", "received"), ("end_of_rib_sent", "sent")) if family[key]]
        ends = " and ".join(marks) or "neither received nor sent"
        click.echo(f"    {family['received']} paths received, {family['advertised']} sent; End-of-RIB {ends}")
    for reason, count in n["refused"].items():
        click.echo(clean(f"  Not taken, {reason}: {count}"))
    for fault in n["faults"]:
        what = f"{fault['count']} times, {fault['disposition']} (RFC {fault['rfc']})"
        click.echo(clean(f"  Malformed attribute {fault['attribute']}: {what}"))


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


def _options(n: Data) -> str:
    words = [
        "passive" if n["passive"] else "",
        "TCP MD5" if n["password"] else "",
        "TTL security" if n["ttl_security"] else "",
        f"multihop {n['multihop']}" if n["multihop"] is not None else "",
        f"role {n['role']}" if n["role"] else "",
        "next-hop-self" if n["next_hop_self"] else "",
    ]
    return ", ".join(word for word in words if word)


def _routes(n: Data) -> str:
    words = [f"distance {n['distance']}" if n["distance"] is not None else ""]
    words += [f"weight {n['weight']}" if n["weight"] else "", "AIGP taken and sent" if n["aigp"] else ""]
    return ", ".join(word for word in words if word)


_NCP_COUNTS: Final = ("routes", "installed", "pending", "failed", "groups", "streams")


def ncps(answer: Data, detail: bool) -> None:
    if detail:
        for n in answer["ncps"]:
            _ncp(n)
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


def _ncp(n: Data) -> None:
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
    for failed in n["failures"]:
        click.echo(clean(f"  {failed['prefix']}: {failed['text']} (errno {failed['errno']})"))


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
