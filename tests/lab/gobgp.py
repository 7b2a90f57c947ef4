"""GoBGP 3: configuration, and its routes read with gobgp."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.lab.attributes import (
    ORIGINS,
    Attributes,
    Route,
    address,
    communities,
    family,
    large_communities,
    prefix,
    segment,
)
from tests.lab.commands import LabError
from tests.lab.peer import Neighbor, Peer, PeerConfig
from tests.lab.waiting import wait_for

ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF, ATOMIC, AGGREGATOR, COMMUNITIES = range(1, 9)
ORIGINATOR, CLUSTERS, MP_REACH, LARGE = 9, 10, 14, 32


def configuration(config: PeerConfig) -> str:
    lines = ["[global.config]", f"  as = {config.asn}", f'  router-id = "{config.router_id}"', "  port = 179"]
    if config.confederation is not None:
        lines += [
            "[global.confederation.config]",
            "  enabled = true",
            f"  identifier = {config.confederation}",
            f"  member-as-list = [{', '.join(map(str, config.members))}]",
        ]
    for n in config.neighbors:
        lines += _neighbor(config, n)
    return "\n".join(lines) + "\n"


def _neighbor(config: PeerConfig, n: Neighbor) -> list[str]:
    where = f'neighbor-interface = "{n.address}"' if n.unnumbered else f'neighbor-address = "{n.address}"'
    lines = ["[[neighbors]]", "  [neighbors.config]", f"    {where}", f"    peer-as = {n.asn}"]
    lines += ["    admin-down = true"] if n.restarts is not None else []
    lines += [f'    auth-password = "{n.password}"'] if n.password else []
    lines += [
        "  [neighbors.transport.config]",
        *([f'    local-address = "{n.local}"'] if not n.unnumbered else []),
        f"    passive-mode = {str(n.passive).lower()}",
    ]
    lines += [
        "  [neighbors.timers.config]",
        "    connect-retry = 1",
        f"    hold-time = {n.hold_time}",
        "    idle-hold-time-after-reset = 1",
    ]
    lines += [f"    keepalive-interval = {max(1, n.hold_time // 3)}"]
    lines += ["  [neighbors.ttl-security.config]", "    enabled = true", "    ttl-min = 255"] if n.ttl_security else []
    lines += ["  [neighbors.ebgp-multihop.config]", "    enabled = true", "    multihop-ttl = 64"] if n.multihop else []
    if n.client:
        lines += [
            "  [neighbors.route-reflector.config]",
            "    route-reflector-client = true",
            f'    route-reflector-cluster-id = "{config.cluster_id or config.router_id}"',
        ]
    if n.restarts is not None:
        lines += [
            "  [neighbors.graceful-restart.config]",
            "    enabled = true",
            "    notification-enabled = true",
            f"    restart-time = {n.restarts.seconds}",
            "    deferral-time = 5",
            f"    long-lived-enabled = {str(bool(n.restarts.long_lived)).lower()}",
        ]
    for of in n.families:
        lines += [
            "  [[neighbors.afi-safis]]",
            "    [neighbors.afi-safis.config]",
            f'      afi-safi-name = "ipv{of}-unicast"',
        ]
        if n.maximum is not None:
            lines += ["    [neighbors.afi-safis.prefix-limit.config]", f"      max-prefixes = {n.maximum}"]
        if n.restarts is not None:
            lines += ["    [neighbors.afi-safis.mp-graceful-restart.config]", "      enabled = true"]
        if n.restarts is not None and n.restarts.long_lived:
            lines += [
                "    [neighbors.afi-safis.long-lived-graceful-restart.config]",
                "      enabled = true",
                f"      restart-time = {n.restarts.long_lived}",
            ]
        if n.add_path:
            lines += [
                "    [neighbors.afi-safis.add-paths.config]",
                f"      receive = {str(n.add_path != 'send').lower()}",
                f"      send-max = {0 if n.add_path == 'receive' else 8}",
            ]
    return lines


class GoBgp(Peer):
    kind = "gobgp"

    def start(self) -> None:
        file = self.directory / "gobgpd.toml"
        file.write_text(configuration(self.config))
        argv = ["gobgpd", "-t", "toml", "-f", str(file), "--api-hosts", "127.0.0.1:50051", "--pprof-disable"]
        argv += ["--graceful-restart"] if self.recovers else []
        self.processes = [self.box.start("gobgpd", argv)]
        wait_for(f"gobgpd in {self.box.name} to answer", lambda: self._ask("global"))
        for a in self.config.announce:
            of = family(a.prefix)
            words = ["global", "rib", "add", "-a", f"ipv{of}", a.prefix, "origin", a.origin]
            words += ["aspath", " ".join(map(str, a.path))] if a.path else []
            words += ["med", str(a.med)] if a.med is not None else []
            words += ["community", ",".join(a.communities)] if a.communities else []
            words += ["large-community", ",".join(a.large)] if a.large else []
            words += [] if of == 4 else ["nexthop", "::"]
            self._ask(*words)

        for n in self.config.neighbors:
            if n.restarts is not None:
                # Only now: its End-of-RIB would otherwise overtake routes that come by commands.
                self._ask("neighbor", n.address, "enable")

    def _ask(self, *words: str) -> str:
        if not self.processes or not self.processes[0].running():
            raise LabError(f"gobgpd in {self.box.name} is not running: {self.box.directory / 'gobgpd.log'}")
        return self.box.run("gobgp", *words)

    def session(self, neighbor: str) -> str:
        state = json.loads(self._ask("-j", "neighbor", neighbor))["state"].get("session_state", "idle")
        return {6: "established"}.get(state, str(state)).lower()

    def withdraw(self, net: str) -> None:
        self._ask("global", "rib", "del", "-a", f"ipv{family(net)}", net)
        super().withdraw(net)

    def told_name(self, neighbor: str) -> str:
        """The tool shows the protobuf message: field 1 is the name."""
        told = json.loads(self._ask("-j", "neighbor", neighbor))["state"].get("remote_cap", [])
        names = [c["value"] for c in told if c["type_url"].endswith("FqdnCapability")]
        return base64.b64decode(names[0])[2:].decode() if names else ""

    def shut(self, neighbor: str, message: str) -> None:
        self._ask("neighbor", neighbor, "shutdown", "--reason", message)

    def last_error(self, neighbor: str) -> str:
        """From its log, as the tool does not tell."""
        lines = self.processes[0].output().splitlines()
        return "\n".join(line for line in lines if neighbor in line and "code" in line)

    def routes(self, neighbor: str, of: int = 4) -> set[Route]:
        if self.session(neighbor) != "established":
            return set()  # the tool refuses the question then
        return self._paths(neighbor, "neighbor", neighbor, "adj-in", "-a", f"ipv{of}")

    def kept(self, neighbor: str, of: int = 4) -> set[Route]:
        """Of an external neighbor: the tool shows the table without where a path is from."""
        return {(p, a) for p, a in self._paths(neighbor, "global", "rib", "-a", f"ipv{of}") if a.as_path}

    def _paths(self, neighbor: str, *words: str) -> set[Route]:
        text = self._ask("-j", *words)
        if not text.startswith(("[", "{")):
            return set()  # "Network not in table"
        found = set()
        for paths in json.loads(text).values():
            for path in paths:
                found.add((prefix(path["nlri"]["prefix"]), self.received(neighbor, _attributes(path["attrs"]))))
        return found

    def restart_session(self, neighbor: str) -> None:
        self._ask("neighbor", neighbor, "reset")


def _attributes(attrs: list[dict[str, Any]]) -> Attributes:
    said = {attr["type"]: attr for attr in attrs}
    path = said.get(AS_PATH, {}).get("as_paths", [])
    words = [segment(each["segment_type"], each["asns"]) for each in path]
    aggregator = said.get(AGGREGATOR)
    next_hop = said[NEXT_HOP]["nexthop"] if NEXT_HOP in said else said[MP_REACH]["nexthop"]
    return Attributes(
        origin=ORIGINS[said[ORIGIN].get("value", 0)],
        as_path=" ".join(words),
        next_hop=address(next_hop),
        med=said[MED].get("metric", 0) if MED in said else None,
        local_pref=said[LOCAL_PREF].get("value", 0) if LOCAL_PREF in said else None,
        atomic=ATOMIC in said,
        aggregator=f"{aggregator['as']} {aggregator['address']}" if aggregator else None,
        communities=communities(f"{c >> 16}:{c & 0xFFFF}" for c in said.get(COMMUNITIES, {}).get("communities", [])),
        large=large_communities(
            f"{c['ASN']}:{c['LocalData1']}:{c['LocalData2']}" for c in said.get(LARGE, {}).get("value", [])
        ),
        originator=said.get(ORIGINATOR, {}).get("value"),
        clusters=tuple(said.get(CLUSTERS, {}).get("value", ())),
    )
