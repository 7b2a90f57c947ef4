"""ExaBGP 5: configuration, and its routes folded from the JSON events its process API gives."""

from __future__ import annotations

import ipaddress
import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from tests.lab.attributes import Attributes, Route, address, communities, family, large_communities, prefix
from tests.lab.commands import LabError
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.waiting import wait_for

ENVIRONMENT = {
    "exabgp_daemon_user": "root",
    "exabgp_daemon_drop": "false",
    "exabgp_log_destination": "stdout",
    "exabgp_log_level": "INFO",
    "exabgp_api_cli": "false",
    "exabgp_api_ack": "false",
}


def program() -> str:
    """ExaBGP of the environment the tests run in, before any other."""
    beside = Path(sys.executable).with_name("exabgp")
    found = str(beside) if beside.exists() else shutil.which("exabgp")
    if found is None:
        raise LabError("exabgp is not installed: it is in the project's lock file, make its environment first")
    return found


def configuration(config: PeerConfig, recorder: Path) -> str:
    """Each neighbour with the process that keeps every event, one JSON object a line."""
    lines = ["process record {", f"  run {recorder};", "  encoder json;", "}"]
    for n in config.neighbors:
        routes = [_route(config, n, a) for a in config.announce if family(a.prefix) in n.families] if n.export else []
        lines += [
            f"neighbor {n.address.partition('%')[0]} {{",
            *([f"  source-interface {n.address.partition('%')[2]};"] if "%" in n.address else []),
            f"  router-id {config.router_id};",
            f"  local-address {n.local};",
            f"  local-as {config.asn};",
            f"  peer-as {n.asn};",
            f"  hold-time {n.hold_time};",
            f"  capability {{ route-refresh enable; {_restarts(n)}{_add_path(n)}{_messages(n)}}}",
            *([f"  host-name {socket.gethostname()};"] if n.host_name else []),
            *_transport(n),
            # It offers next hops of a family (RFC 8950) only beside the family itself.
            "  family { "
            + " ".join(f"ipv{of} unicast;" for of in ((4, 6) if n.extended_next_hop else n.families))
            + " }",
            *(["  nexthop { ipv4 unicast ipv6; }"] if n.extended_next_hop else []),
            "  api { processes [ record ]; neighbor-changes; receive { parsed; open; update; } }",
            "  static {",
            *routes,
            "  }",
            "}",
        ]
    return "\n".join(lines) + "\n"


def _restarts(n: Neighbor) -> str:
    return f"graceful-restart {n.restarts.seconds}; " if n.restarts is not None else ""


def _add_path(n: Neighbor) -> str:
    modes = {"both": "send/receive"}
    return f"add-path {modes.get(n.add_path, n.add_path)}; " if n.add_path else ""


def _messages(n: Neighbor) -> str:
    four = "asn4 disable; " if n.two_octet else ""
    four += "nexthop enable; " if n.extended_next_hop else ""
    return four + ("extended-message enable; " if n.extended_messages else "extended-message disable; ")


def _transport(n: Neighbor) -> list[str]:
    lines = [f"  md5-password '{n.password}';"] if n.password else []
    lines += ["  outgoing-ttl 255;", "  incoming-ttl 255;"] if n.ttl_security else []
    lines += ["  outgoing-ttl 64;"] if n.multihop else []
    return lines + (["  passive true;"] if n.passive else [])


def _route(config: PeerConfig, n: Neighbor, a: Announcement) -> str:
    # ExaBGP sends a path as it is written, so its own number is written too.
    path = (config.asn, *a.path) if n.asn != config.asn and not n.transparent else a.path
    words = [f"    route {a.prefix} next-hop {_next_hop(n, a)} origin {a.origin}"]
    words += [f"path-information {ipaddress.IPv4Address(a.path_id)}"] if a.path_id is not None else []
    words += [f"as-path [ {' '.join(map(str, path))} ]"] if path else []
    words += [f"med {a.med}"] if a.med is not None else []
    words += [f"community [ {' '.join(a.communities)} ]"] if a.communities else []
    words += [f"large-community [ {' '.join(a.large)} ]"] if a.large else []
    return " ".join(words) + ";"


def _next_hop(n: Neighbor, a: Announcement) -> str:
    if family(a.prefix) == family(n.local):
        return "self"
    if n.extended_next_hop:
        return n.local
    if n.other_local is None:
        raise LabError(
            f"ExaBGP needs a next hop for {a.prefix} on the session with {n.address}: give the neighbour an other_local"
        )
    return n.other_local


class ExaBgp(Peer):
    kind = "exabgp"

    def start(self) -> None:
        self.events = self.directory / "events.json"
        self.events.write_text("")
        file = self.directory / "exabgp.conf"
        recorder = self.directory / "record"
        recorder.write_text(f"#!/bin/sh\nexec 3>&1 cat >> {self.events}\n")
        recorder.chmod(0o755)
        file.write_text(configuration(self.config, recorder))
        waiting = " ".join(n.local for n in self.config.neighbors if n.passive)
        env = ENVIRONMENT | ({"exabgp_tcp_bind": waiting, "exabgp_tcp_port": "179"} if waiting else {})
        process = self.box.start("exabgp", [program(), "server", str(file)], env=env, cwd=self.directory)
        self.processes = [process]
        wait_for(
            f"exabgp in {self.box.name} to read its configuration",
            lambda: self._alive() and "loaded" in process.output().lower(),
        )

    def _alive(self) -> bool:
        if not self.processes or not self.processes[0].running():
            tail = self.processes[0].output(tail=15) if self.processes else "it was stopped"
            raise LabError(f"exabgp in {self.box.name} is not running: {tail}")
        return True

    def _events(self, neighbor: str) -> list[dict[str, Any]]:
        self._alive()
        text = self.events.read_text()
        whole = text[: text.rfind("\n") + 1]
        events = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        address, _, _ = neighbor.partition("%")
        return [e for e in events if e.get("neighbor", {}).get("address", {}).get("peer") == address]

    def session(self, neighbor: str) -> str:
        states = [e["neighbor"]["state"] for e in self._events(neighbor) if e["type"] == "state"]
        return {"up": "established"}.get(states[-1], states[-1]) if states else "idle"

    def told_name(self, neighbor: str) -> str:
        opens = [e["neighbor"] for e in self._events(neighbor) if e["type"] == "open"]
        told = [n["open"]["capabilities"] for n in opens if n["direction"] == "receive"][-1]
        return next((str(c["host-name"]) for c in told.values() if "host-name" in c), "")

    def last_error(self, neighbor: str) -> str:
        downs = [e["neighbor"] for e in self._events(neighbor) if e["type"] == "state"]
        return str([event.get("reason") for event in downs if event["state"] == "down"])

    def link_local(self, where: str) -> str:
        events = [e for n in self.config.neighbors for e in self._events(n.address) if e["type"] == "update"]
        updates = [e["neighbor"]["message"].get("update", {}) for e in events]
        told = [update.get("announce", {}).get("ipv6 unicast", {}) for update in updates]
        hops = [hop for routes in told for hop, entries in routes.items() if where in (_nlri(e)[0] for e in entries)]
        return next((hop for hop in hops if hop.startswith("fe80")), "")

    def routes(self, neighbor: str, of: int = 4) -> set[Route]:
        table: dict[tuple[str, str], Attributes] = {}
        name = f"ipv{of} unicast"
        for event in self._events(neighbor):
            if event["type"] == "state" and event["neighbor"]["state"] == "down":
                table.clear()
            if event["type"] != "update":
                continue
            update = event["neighbor"]["message"].get("update", {})
            for entry in update.get("withdraw", {}).get(name, []):
                table.pop(_nlri(entry), None)
            # Where a link-local address is beside a global one (RFC 2545 3), a route is there twice: the global last.
            announced = update.get("announce", {}).get(name, {}).items()
            for next_hop, entries in sorted(announced, key=lambda item: not item[0].startswith("fe80")):
                attributes = self.received(neighbor, _attributes(update.get("attribute", {}), next_hop))
                table.update((_nlri(entry), attributes) for entry in entries)
        return {(where, attributes) for (where, _), attributes in table.items()}


def _nlri(entry: Any) -> tuple[str, str]:
    """Prefix and path identifier."""
    if isinstance(entry, dict):
        return prefix(str(entry["nlri"])), str(entry.get("path-information", ""))
    return prefix(str(entry)), ""


def _attributes(said: dict[str, Any], next_hop: str) -> Attributes:
    words: list[str] = []
    path = said.get("as-path", {})
    for _, segment in sorted(path.items(), key=lambda item: int(item[0])):
        numbers = [str(number) for number in segment["value"]]
        words += ["{" + ",".join(numbers) + "}"] if segment["element"] == "as-set" else numbers
    aggregator = said.get("aggregator")
    return Attributes(
        origin=said["origin"],
        as_path=" ".join(words),
        next_hop=address(next_hop),
        med=said.get("med"),
        local_pref=said.get("local-preference"),
        atomic=bool(said.get("atomic-aggregate", False)),
        aggregator=aggregator.replace(":", " ") if aggregator else None,
        communities=communities(f"{c[0]}:{c[1]}" for c in said.get("community", [])),
        large=large_communities(":".join(map(str, c)) for c in said.get("large-community", [])),
        originator=said.get("originator-id"),
        clusters=tuple(said.get("cluster-list", ())),
    )
