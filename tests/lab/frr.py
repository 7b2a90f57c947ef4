"""FRR 8: bgpd and zebra run directly, in directories of the lab's own, and read with vtysh."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.lab.attributes import Attributes, Route, address, communities, family, large_communities, prefix, segment
from tests.lab.commands import LabError, run
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.waiting import wait_for

DAEMONS = Path("/usr/lib/frr")
SEGMENTS = {"as-set": 1, "as-sequence": 2, "as-confed-sequence": 3, "as-confed-set": 4}
WELL_KNOWN = {
    "noExport": "65535:65281", "noAdvertise": "65535:65282", "localAs": "65535:65283", "noPeer": "65535:65284",
    "blackhole": "65535:666", "gracefulShutdown": "65535:0", "internet": "0:0",
}  # fmt: skip


def configuration(config: PeerConfig) -> str:
    """bgpd.conf: no policy (RFC 8212 off), networks announced whether the box has them or not."""
    lines = [
        f"router bgp {config.asn}",
        f" bgp router-id {config.router_id}",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
        " no bgp network import-check",
        " bgp bestpath as-path multipath-relax",
        " bgp log-neighbor-changes",
    ]
    lines += [f" bgp cluster-id {config.cluster_id}"] if config.cluster_id else []
    lines += _restarts(config)
    lines += [f" bgp confederation identifier {config.confederation}"] if config.confederation else []
    lines += [f" bgp confederation peers {' '.join(map(str, config.members))}"] if config.members else []
    for n in config.neighbors:
        name = _name(n.address)
        _, _, port = n.address.partition("%")
        lines += [
            f" neighbor {name} interface remote-as {n.asn}" if n.unnumbered else f" neighbor {name} remote-as {n.asn}",
            f" neighbor {name} timers {max(1, n.hold_time // 3)} {n.hold_time}",
            f" neighbor {name} timers connect 1",
            f" neighbor {name} advertisement-interval 0",
        ]
        lines += [f" neighbor {name} update-source {port or n.local}"] if not n.unnumbered else []
        lines += [f" neighbor {name} interface {port}"] if port else []
        lines += [f" neighbor {name} passive"] if n.passive else []
        lines += [f" neighbor {name} timers delayopen {n.delay_open}"] if n.delay_open else []
        lines += [f" neighbor {name} password {n.password}"] if n.password else []
        lines += [f" neighbor {name} ttl-security hops 1"] if n.ttl_security else []
        lines += [f" neighbor {name} capability extended-nexthop"] if n.extended_next_hop else []
        strict = " strict-mode" if n.role_strict else ""
        lines += [f" neighbor {name} local-role {n.role}{strict}"] if n.role else []
        lines += [f" neighbor {name} ebgp-multihop"] if n.multihop and n.asn != config.asn else []
    for of in (4, 6):
        lines.append(f" address-family ipv{of} unicast")
        lines += [line for n in config.neighbors if of in n.families for line in _activate(n, of)]
        lines += [
            f"  network {a.prefix} route-map {_map(index)}"
            for index, a in enumerate(config.announce)
            if family(a.prefix) == of
        ]
        lines.append(" exit-address-family")
    lines += ["exit", "route-map NOTHING deny 1", "exit"]
    for of, ip in ((4, "ip"), (6, "ipv6")):
        mine = [a.prefix for a in config.announce if family(a.prefix) == of]
        lines += [f"{ip} prefix-list OWN{of} permit {p}" for p in mine] or [f"{ip} prefix-list OWN{of} deny any"]
    for index, a in enumerate(config.announce):
        lines += _route_map(_map(index), a)
    return "\n".join(lines) + "\n"


def _restarts(config: PeerConfig) -> list[str]:
    """FRR has these for all neighbors, and says of every restart that forwarding went on. After one its End-of-RIB
    comes before the routes whose selection it has deferred, and would tell any helper to drop them (FRR #20165)."""
    said = next((n.restarts for n in config.neighbors if n.restarts is not None), None)
    if said is None:
        return []
    lines = [" bgp graceful-restart", f" bgp graceful-restart restart-time {said.seconds}"]
    lines += [" bgp graceful-restart preserve-fw-state"]
    lines += [] if said.end_of_rib else [" bgp graceful-restart disable-eor"]
    lines += [" no bgp hard-administrative-reset"]  # or `clear bgp` would be a hard reset
    return lines + ([f" bgp long-lived-graceful-restart stale-time {said.long_lived}"] if said.long_lived else [])


def _activate(n: Neighbor, of: int) -> list[str]:
    name = _name(n.address)
    lines = [f"  neighbor {name} activate"]
    lines += [f"  neighbor {name} next-hop-self"] if n.next_hop_self else []
    lines += [f"  neighbor {name} route-reflector-client"] if n.client else []
    lines += [f"  neighbor {name} addpath-tx-all-paths"] if n.add_path in ("send", "both") else []
    lines += [f"  neighbor {name} disable-addpath-rx"] if n.add_path == "send" else []
    lines += [f"  neighbor {name} attribute-unchanged as-path"] if n.transparent else []
    lines += [f"  neighbor {name} maximum-prefix {n.maximum}"] if n.maximum is not None else []
    if not n.export:
        lines.append(f"  neighbor {name} route-map NOTHING out")
    elif not n.transit:  # otherwise FRR sends a neighbour's own routes back to it
        lines.append(f"  neighbor {name} prefix-list OWN{of} out")
    return lines


def _name(address: str) -> str:
    """A link-local neighbour is known without its port, an unnumbered one by its port."""
    return address.partition("%")[0]


def _map(index: int) -> str:
    return f"ANNOUNCE-{index}"


def _route_map(name: str, a: Announcement) -> list[str]:
    lines = [f"route-map {name} permit 1", f" set origin {a.origin}"]
    lines += [f" set metric {a.med}"] if a.med is not None else []
    lines += [f" set as-path prepend {' '.join(map(str, a.path))}"] if a.path else []
    lines += [f" set community {' '.join(a.communities)}"] if a.communities else []
    lines += [f" set large-community {' '.join(a.large)}"] if a.large else []
    return [*lines, "exit"]


class Frr(Peer):
    kind = "frr"

    def __init__(self, *args: object, kernel: bool = False, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._kernel = kernel

    def start(self) -> None:
        (self.directory / "bgpd.conf").write_text(configuration(self.config))
        keep_out = (
            ""
            if self._kernel
            else "route-map NONE deny 1\nexit\nip protocol bgp route-map NONE\nipv6 protocol bgp route-map NONE\n"
        )
        (self.directory / "zebra.conf").write_text(f"hostname {self.box.name}\n{keep_out}")
        for path in (self.directory, *self.directory.iterdir()):
            shutil.chown(path, "frr", "frr")
        zebra = self.box.start("zebra", self._daemon("zebra"))
        self.processes = [zebra]
        wait_for(f"zebra in {self.box.name} to answer", lambda: self._ask("show version"), timeout=20)
        self.processes.append(self.box.start("bgpd", self._daemon("bgpd")))
        wait_for(f"bgpd in {self.box.name} to answer", lambda: self._json("show bgp summary json"), timeout=20)

    def _daemon(self, name: str) -> list[str]:
        here = self.directory
        return [
            str(DAEMONS / name),
            "-u",
            "frr",
            "-g",
            "frr",
            "-z",
            str(here / "zserv.api"),
            "-i",
            str(here / f"{name}.pid"),
            "--vty_socket",
            str(here),
            "-f",
            str(here / f"{name}.conf"),
            "-A",
            "127.0.0.1",
            "-P",
            "0",
            "--log",
            "stdout",
        ]

    def _ask(self, command: str) -> str:
        if not all(process.running() for process in self.processes):
            raise LabError(f"FRR in {self.box.name} is not running: {self.box.directory}/bgpd.log and zebra.log")
        return run(["vtysh", "--vty_socket", str(self.directory), "-c", command])

    def _json(self, command: str) -> dict[str, Any]:
        return dict(json.loads(self._ask(command)))

    def session(self, neighbor: str) -> str:
        name = _name(neighbor)
        return str(self._json(f"show bgp neighbors {name} json")[name]["bgpState"]).lower()

    def up_since(self, neighbor: str) -> str:
        """By how often it has come up and gone down: the time that FRR tells wavers by a second."""
        row = self._json(f"show bgp neighbors {_name(neighbor)} json")[_name(neighbor)]
        return f"{row['connectionsEstablished']} {row['connectionsDropped']}"

    def told_name(self, neighbor: str) -> str:
        row = self._json(f"show bgp neighbors {neighbor} json")[neighbor]
        return str(row["neighborCapabilities"]["hostName"]["rcvHostName"])

    def shut(self, neighbor: str, message: str) -> None:
        words = [
            "configure terminal",
            f"router bgp {self.config.asn}",
            f"neighbor {neighbor} shutdown message {message}",
        ]
        run(["vtysh", "--vty_socket", str(self.directory), *(part for word in words for part in ("-c", word))])

    def last_error(self, neighbor: str) -> str:
        row = self._json(f"show bgp neighbors {neighbor} json")[neighbor]
        lines = self.processes[1].output().splitlines()
        logged = [line for line in lines if "NOTIFICATION" in line and f" {neighbor} " in line]
        return "\n".join([str(row.get("lastNotificationReason", "")), *logged])

    def routes(self, neighbor: str, of: int = 4) -> set[Route]:
        found: set[Route] = set()
        for net, (_, *paths) in self._json(f"show bgp ipv{of} unicast json detail")["routes"].items():
            found.update(
                (prefix(net), self.received(neighbor, _attributes(path)))
                for path in paths
                if _name(neighbor) in (path["peer"]["peerId"], path["peer"].get("interface"))
            )
        return found

    def count(self, of: int = 4) -> int:
        """Prefixes accepted from all neighbours, without listing them."""
        peers = self._json(f"show bgp ipv{of} unicast summary json").get("peers", {})
        return sum(peer["pfxRcd"] for peer in peers.values())

    def announced(self, neighbor: str, of: int = 4, *, next_hop: str) -> set[Route]:
        """FRR gives every route it originates a MED: its IGP metric, 0."""
        return {(p, a._replace(med=a.med or 0)) for p, a in super().announced(neighbor, of, next_hop=next_hop)}

    def ask_again(self, neighbor: str) -> None:
        """ROUTE-REFRESH (RFC 2918) of what the neighbour tells."""
        self._ask(f"clear bgp {neighbor} soft in")

    def withdraw(self, net: str) -> None:
        words = [f"router bgp {self.config.asn}", f"address-family ipv{family(net)} unicast", f"no network {net}"]
        parts = [part for word in ["configure terminal", *words] for part in ("-c", word)]
        run(["vtysh", "--vty_socket", str(self.directory), *parts])
        super().withdraw(net)

    def link_local(self, where: str) -> str:
        paths = self._json(f"show bgp ipv6 unicast {where} json").get("paths", [])
        hops = [hop["ip"] for path in paths for hop in path["nexthops"] if hop.get("scope") == "link-local"]
        return hops[0] if hops else ""

    def only_to_customer(self, where: str) -> int | None:
        """OTC of its path for an IPv4 prefix (RFC 9234); -1 where it has no path."""
        paths = self._json(f"show bgp ipv4 unicast {where} json").get("paths", [])
        return paths[0].get("otc") if paths else -1

    def restart_session(self, neighbor: str) -> None:
        self._ask(f"clear bgp {neighbor}")


def _attributes(path: dict[str, Any]) -> Attributes:
    words = [segment(SEGMENTS[each["type"]], each["list"]) for each in path["aspath"]["segments"]]
    hops = [hop["ip"] for hop in path["nexthops"] if hop.get("scope") != "link-local"]
    return Attributes(
        origin=path["origin"].lower(),
        as_path=" ".join(words),
        next_hop=address(hops[0]),
        med=path.get("metric"),
        local_pref=path.get("locPrf"),
        atomic=bool(path.get("atomicAggregate")),
        aggregator=f"{path['aggregatorAs']} {path['aggregatorId']}" if "aggregatorAs" in path else None,
        communities=communities(WELL_KNOWN.get(c, c) for c in path.get("community", {}).get("list", [])),
        large=large_communities(path.get("largeCommunity", {}).get("list", [])),
        originator=path.get("originatorId"),
        clusters=tuple(path.get("clusterList", {}).get("list", [])),
    )
