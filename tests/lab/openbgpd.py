"""OpenBGPD 7: configuration, and its routes read with bgpctl."""

from __future__ import annotations

import json
import pwd
from pathlib import Path
from typing import Any

from tests.lab.attributes import Attributes, Route, address, communities, large_communities, prefix
from tests.lab.commands import LabError
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.waiting import wait_for


def configuration(config: PeerConfig, socket: str) -> str:
    lines = [
        f"AS {config.asn}",
        f"router-id {config.router_id}",
        "fib-update no",
        f'socket "{socket}"',
        "nexthop qualify via default",
        "connect-retry 1",
    ]
    lines += ["transparent-as yes"] if any(n.transparent for n in config.neighbors) else []
    lines += sorted({f"listen on {n.local}" for n in config.neighbors})
    lines += [_network(config, a) for a in config.announce]
    lines += [_neighbor(config, n) for n in config.neighbors]
    lines += ["allow from any"]
    lines += [f"allow to {n.address}" if n.export else f"deny to {n.address}" for n in config.neighbors]
    lines += [
        f"match to {n.address} set nexthop self" for n in config.neighbors if n.next_hop_self and n.asn == config.asn
    ]
    return "\n".join(lines) + "\n"


def _network(config: PeerConfig, a: Announcement) -> str:
    if any(asn != config.asn for asn in a.path):
        raise LabError(f"OpenBGPD cannot originate {a.prefix} with AS numbers that are not its own")
    settings = [f"origin {a.origin}"]
    settings += [f"prepend-self {len(a.path)}"] if a.path else []
    settings += [f"med {a.med}"] if a.med is not None else []
    settings += [f"community {c}" for c in a.communities] + [f"large-community {c}" for c in a.large]
    return f"network {a.prefix} set {{ {' '.join(settings)} }}"


def _neighbor(config: PeerConfig, n: Neighbor) -> str:
    lines = [
        f"neighbor {n.address} {{",
        f"  remote-as {n.asn}",
        f"  local-address {n.local}",
        f"  holdtime {n.hold_time}",
    ]
    lines += ["  announce enhanced refresh yes"]
    lines += ["  passive"] if n.passive else []
    lines += ["  multihop 64"] if n.multihop else []
    lines += [f"  tcp md5sig password {n.password}"] if n.password else []
    lines += ["  ttl-security yes"] if n.ttl_security else []
    lines += ["  announce as-4byte no"] if n.two_octet else []
    enforced = " enforce" if n.role_strict else ""
    lines += [f"  announce policy {n.role.replace('rs-server', 'rs')}{enforced}"] if n.role else []
    lines += [f"  max-prefix {n.maximum}"] if n.maximum is not None else []
    lines += [f"  route-reflector {config.cluster_id or config.router_id}"] if n.client else []
    lines += ["  announce add-path recv yes"] if n.add_path in ("receive", "both") else []
    lines += ["  announce add-path send all"] if n.add_path in ("send", "both") else []
    lines += [f"  announce IPv{of} {'unicast' if of in n.families else 'none'}" for of in (4, 6)]
    return "\n".join([*lines, "}"])


class OpenBgpd(Peer):
    kind = "openbgpd"

    def start(self) -> None:
        self.socket = self.directory / "bgpd.sock"
        file = self.directory / "bgpd.conf"
        file.write_text(configuration(self.config, str(self.socket)))
        file.chmod(0o600)  # it refuses a configuration that others can read
        Path(pwd.getpwnam("_openbgpd").pw_dir).mkdir(
            exist_ok=True
        )  # where it chroots to; its service unit would make it
        self.processes = [self.box.start("bgpd", ["bgpd", "-d", "-f", str(file)])]
        wait_for(f"openbgpd in {self.box.name} to answer", lambda: self._json("show", "summary"))

    def _json(self, *words: str) -> dict[str, Any]:
        if not self.processes or not self.processes[0].running():
            raise LabError(f"openbgpd in {self.box.name} is not running: {self.box.directory / 'bgpd.log'}")
        return dict(json.loads(self.box.run("bgpctl", "-s", str(self.socket), "-j", *words) or "{}"))

    def session(self, neighbor: str) -> str:
        neighbors = self._json("show", "neighbor", neighbor)["neighbors"]
        return str(neighbors[0]["state"]).lower()

    def ask_again(self, neighbor: str) -> None:
        """ROUTE-REFRESH (RFC 2918) of what the neighbour tells."""
        self.box.run("bgpctl", "-s", str(self.socket), "neighbor", neighbor, "refresh")

    def shut(self, neighbor: str, message: str) -> None:
        self.box.run("bgpctl", "-s", str(self.socket), "neighbor", neighbor, "down", message)

    def last_error(self, neighbor: str) -> str:
        row = self._json("show", "neighbor", neighbor)["neighbors"][0]
        return json.dumps({key: value for key, value in row.items() if "error" in key or "last" in key})

    def routes(self, neighbor: str, of: int = 4) -> set[Route]:
        entries = self._json("show", "rib", f"ipv{of}", "neighbor", neighbor, "in", "detail").get("rib", [])
        return {(prefix(e["prefix"]), self.received(neighbor, _attributes(e))) for e in entries}

    def only_to_customer(self, where: str) -> int | None:
        """OTC of its path for an IPv4 prefix (RFC 9234); -1 where it has no path."""
        paths = [e for e in self._json("show", "rib", "ipv4", "detail").get("rib", []) if e["prefix"] == where]
        if not paths:
            return -1
        said = (a["as"] for path in paths for a in path.get("attributes", []) if a["type"] == "OTC")
        return next(said, None)

    def can_tell(self, attributes: Attributes) -> Attributes:
        """It shows MED 0 where there is none."""
        return attributes._replace(med=attributes.med or 0)

    def restart_session(self, neighbor: str) -> None:
        self.box.run("bgpctl", "-s", str(self.socket), "neighbor", neighbor, "clear")


def _attributes(entry: dict[str, Any]) -> Attributes:
    said = {a["type"].lower().replace("_", " "): a for a in entry.get("attributes", [])}
    aggregator = said.get("aggregator")
    return Attributes(
        origin=entry["origin"].lower(),
        as_path=entry["aspath"].replace("{ ", "{").replace(" }", "}"),
        next_hop=address(entry["exit_nexthop"]),
        med=entry.get("metric"),
        local_pref=entry.get("localpref"),
        atomic="atomic aggregate" in said,
        aggregator=f"{aggregator['AS']} {aggregator['router_id']}" if aggregator else None,
        communities=communities(entry.get("communities", [])),
        large=large_communities(entry.get("large_communities", [])),
        originator=said.get("originator id", {}).get("originator"),
        clusters=tuple(said.get("cluster id list", {}).get("cluster_list", ())),
    )
