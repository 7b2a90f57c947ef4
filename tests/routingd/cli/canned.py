"""Answers of a small router in the shapes of `routingd.control.shapes`: two boxes, two peers, four routes."""

from __future__ import annotations

from routingd.control.shapes import (
    Adjacency,
    Attributes,
    BgpFamily,
    BgpNeighbor,
    BgpSummary,
    BgpSummaryRow,
    Explain,
    ExplainNcp,
    ExplainPeer,
    FibRow,
    Group,
    InterfaceRow,
    Lookup,
    NcpRow,
    NextHop,
    Path,
    RouteRow,
    SourceInfo,
    Version,
)


def attributes(as_path: str, next_hop: str, local_pref: int | None = None, med: int | None = None) -> Attributes:
    return {
        "origin": "igp",
        "as_path": as_path,
        "next_hop": next_hop,
        "link_local": None,
        "med": med,
        "local_pref": local_pref,
        "atomic_aggregate": False,
        "aggregator": None,
        "communities": ["65002:100"],
        "originator_id": None,
        "cluster_list": [],
        "extended_communities": [],
        "large_communities": [],
        "unknown": [],
    }


def family(received: int, advertised: int, accept_import: bool = True, accept_export: bool = True) -> BgpFamily:
    return {
        "agreed": True,
        "received": received,
        "advertised": advertised,
        "accept_import": accept_import,
        "accept_export": accept_export,
        "end_of_rib_received": True,
        "end_of_rib_sent": True,
    }


DOWN: BgpFamily = {**family(0, 0), "agreed": False, "end_of_rib_received": False, "end_of_rib_sent": False}

TRANSIT: BgpSummaryRow = {
    "address": "192.0.2.2",
    "description": "transit",
    "asn": 65002,
    "ncp": "ncp1",
    "state": "Established",
    "uptime": 3725.4,
    "last_down": None,
    "messages_received": 1204,
    "messages_sent": 131,
    "families": {"ipv4-unicast": family(200000, 3), "ipv6-unicast": family(12, 1, accept_export=False)},
}
INTERNAL: BgpSummaryRow = {
    "address": "10.255.0.2",
    "description": "",
    "asn": 65001,
    "ncp": "ncp2",
    "state": "Active",
    "uptime": None,
    "last_down": "hold timer expired",
    "messages_received": 17,
    "messages_sent": 19,
    "families": {"ipv4-unicast": DOWN},
}
SUMMARY: BgpSummary = {
    "router": "r1",
    "router_id": "10.255.0.1",
    "asn": 65001,
    "routes": {"ipv4-unicast": 200004, "ipv6-unicast": 14},
    "neighbors": [TRANSIT, INTERNAL],
}
NEIGHBORS: dict[str, BgpNeighbor] = {
    "192.0.2.2": {
        **TRANSIT,
        "group": "transit",
        "local_asn": 65001,
        "kind": "ebgp",
        "router_id": "192.0.2.2",
        "hold_time": 30,
        "configured_hold_time": 30,
        "keepalive_interval": 10.0,
        "endpoint": {"ncp": "ncp1", "local": "192.0.2.1:49152", "remote": "192.0.2.2:179", "inbound": False},
        "port": 179,
        "passive": False,
        "password": True,
        "ttl_security": True,
        "multihop": None,
        "next_hop_self": False,
        "capabilities": [
            {"name": "multiprotocol", "value": "ipv4-unicast", "sent": True, "received": True},
            {"name": "four-octet-as", "value": "65002", "sent": True, "received": True},
            {"name": "graceful-restart", "value": "", "sent": False, "received": True},
        ],
        "established_count": 1,
        "last_notification": None,
        "faults": [{"attribute": 7, "disposition": "attribute discard", "rfc": "7606 7.7", "count": 2}],
        "counters": {"update_received": 1100, "keepalive_received": 103},
    },
    "10.255.0.2": {
        **INTERNAL,
        "group": None,
        "local_asn": 65001,
        "kind": "ibgp",
        "router_id": None,
        "hold_time": None,
        "configured_hold_time": 90,
        "keepalive_interval": None,
        "endpoint": None,
        "port": 179,
        "passive": False,
        "password": False,
        "ttl_security": False,
        "multihop": None,
        "next_hop_self": True,
        "capabilities": [],
        "established_count": 2,
        "last_notification": {"direction": "sent", "code": 4, "subcode": 0, "text": "Hold Timer Expired", "ago": 61.0},
        "faults": [],
        "counters": {},
    },
}


def source(number: int, name: str, asn: int, ncp: str) -> SourceInfo:
    return {
        "source": number,
        "protocol": "bgp",
        "name": name,
        "asn": asn,
        "kind": "ebgp",
        "ncp": ncp,
        "router_id": name,
    }


SOURCES = [source(3, "192.0.2.2", 65002, "ncp1"), source(4, "198.51.100.2", 65003, "ncp2")]


def adjacency(number: int, ncp: str, gateway: str | None) -> Adjacency:
    return {"id": number, "ncp": ncp, "port": "eth0", "gateway": gateway, "kind": "ip"}


NCP1_ETH0 = adjacency(1, "ncp1", "192.0.2.2")
NCP2_ETH0 = adjacency(2, "ncp2", "198.51.100.2")
ON_NCP1 = adjacency(3, "ncp1", None)
ON_NCP2 = adjacency(4, "ncp2", None)
DEFAULT_GATEWAY = adjacency(5, "ncp1", "192.0.2.254")
BLACKHOLE: Adjacency = {"id": 6, "ncp": None, "port": None, "gateway": None, "kind": "drop"}


def next_hop(address: str, via: str, resolved: Adjacency) -> NextHop:
    return {
        "address": address,
        "ncp": None,
        "port": None,
        "weight": 1,
        "resolved": True,
        "via": via,
        "metric": 0,
        "adjacencies": [resolved],
    }


def path(source: int, as_path: str, hop: NextHop, reason: str) -> Path:
    return {
        "source": source,
        "protocol": "bgp",
        "path_id": 0,
        "distance": 20,
        "metric": 0,
        "tag": 0,
        "best": reason == "",
        "usable": True,
        "reason": reason,
        "next_hops": [hop],
        "attributes": attributes(as_path, hop["address"] or ""),
    }


GROUP: Group = {
    "id": 7,
    "key": "3f2a9c0d51e84b7790aa12cd34ef5678",
    "kind": 0,
    "members": [
        {"adjacency": 1, "ncp": "ncp1", "port": "eth0", "gateway": "192.0.2.2", "kind": "ip", "weight": 1, "role": 0}
    ],
}
LOOKUP: Lookup = {
    "prefix": "203.0.113.0/24",
    "table": 1,
    "step": "as-path-length",
    "paths": [
        path(3, "65002 65010", next_hop("192.0.2.2", "192.0.2.0/24", NCP1_ETH0), ""),
        path(4, "65003 65011 65010", next_hop("198.51.100.2", "198.51.100.0/24", NCP2_ETH0), "as-path-length"),
    ],
    "group": GROUP,
}
ROUTES: list[RouteRow] = [
    {
        "prefix": "192.0.2.0/24",
        "protocol": "connected",
        "source": 1,
        "source_name": "connected",
        "distance": 0,
        "metric": 0,
        "step": "only",
        "next_hops": [ON_NCP1],
        "group": 1,
        "attributes": None,
    },
    {
        "prefix": "198.51.100.0/24",
        "protocol": "connected",
        "source": 1,
        "source_name": "connected",
        "distance": 0,
        "metric": 0,
        "step": "only",
        "next_hops": [ON_NCP2],
        "group": 2,
        "attributes": None,
    },
    {
        "prefix": "0.0.0.0/0",
        "protocol": "static",
        "source": 2,
        "source_name": "static",
        "distance": 250,
        "metric": 0,
        "step": "only",
        "next_hops": [DEFAULT_GATEWAY],
        "group": 3,
        "attributes": None,
    },
    {
        "prefix": "10.0.0.0/8",
        "protocol": "static",
        "source": 2,
        "source_name": "static",
        "distance": 1,
        "metric": 0,
        "step": "only",
        "next_hops": [BLACKHOLE],
        "group": 4,
        "attributes": None,
    },
    {
        "prefix": "203.0.113.0/24",
        "protocol": "bgp",
        "source": 3,
        "source_name": "192.0.2.2",
        "distance": 20,
        "metric": 0,
        "step": "as-path-length",
        "next_hops": [NCP1_ETH0],
        "group": 7,
        "attributes": attributes("65002 65010", "192.0.2.2"),
    },
]
FIB: list[FibRow] = [
    {
        "ncp": "ncp1",
        "prefix": "203.0.113.0/24",
        "nhg": 7,
        "kernel_group": 536870919,
        "state": "installed",
        "errno": 0,
        "members": [{"port": "eth0", "gateway": "192.0.2.2", "weight": 1}],
    },
    {
        "ncp": "ncp2",
        "prefix": "203.0.113.0/24",
        "nhg": 7,
        "kernel_group": 536870915,
        "state": "installed",
        "errno": 0,
        "members": [{"port": "fab0", "gateway": "169.254.100.1", "weight": 1, "fabric": "ncp1"}],
    },
]


def ncp_row(name: str, embedded: bool) -> NcpRow:
    return {
        "name": name,
        "embedded": embedded,
        "state": "forwarding",
        "reason": "",
        "hostname": "box1",
        "address": None if embedded else "10.0.0.2:41822",
        "connected": 3811.0,
        "connections": {"control": True, "streams": True, "fib": True},
        "fabric": "fab0 169.254.100.1",
        "sequence_sent": 118,
        "sequence_received": 118,
        "sequence_installed": 118,
        "routes": 200004,
        "installed": 200004,
        "pending": 0,
        "failed": 0,
        "groups": 5,
        "streams": 1,
        "heartbeat": 0.4,
        "snapshot_agrees": True,
        "failures": [],
    }


NCPS: list[NcpRow] = [
    ncp_row("ncp1", True),
    {
        **ncp_row("ncp2", False),
        "hostname": "box2",
        "state": "snapshot",
        "reason": "the first snapshot is not complete",
        "sequence_installed": 96,
        "installed": 160000,
        "pending": 40003,
        "failed": 1,
        "failures": [{"prefix": "203.0.113.128/25", "errno": 22, "text": "Invalid argument"}],
        "fabric": "fab0 169.254.100.2",
        "snapshot_agrees": None,
    },
]


def interface(ncp: str, name: str, address: str, description: str = "", fabric: bool = False) -> InterfaceRow:
    return {
        "ncp": ncp,
        "name": name,
        "ifindex": 2,
        "admin_up": True,
        "carrier": True,
        "mtu": 1500,
        "mac": "02:00:00:00:00:01",
        "kind": "veth",
        "description": description,
        "fabric": fabric,
        "present": True,
        "addresses": [{"address": address, "usable": True, "configured": True}],
    }


INTERFACES: list[InterfaceRow] = [
    interface("ncp1", "eth0", "192.0.2.1/24", "transit"),
    interface("ncp1", "fab0", "169.254.100.1/32", fabric=True),
    {**interface("ncp2", "eth0", "198.51.100.1/24"), "carrier": False},
    {
        **interface("ncp2", "eth9", "10.9.0.1/24"),
        "present": False,
        "mtu": 0,
        "mac": "",
        "addresses": [{"address": "10.9.0.1/24", "usable": False, "configured": True}],
    },
]
VERSION: Version = {
    "version": "0.1.0",
    "router": "r1",
    "router_id": "10.255.0.1",
    "asn": 65001,
    "pid": 4711,
    "uptime": 3815.0,
    "python": "3.11.7",
    "config": "r1.yaml",
}


def explain_peer(address: str, state: str = "Established", accept_import: bool = True) -> ExplainPeer:
    return {
        "address": address,
        "asn": 65002,
        "state": state,
        "configured": True,
        "agreed": state == "Established",
        "accept_import": accept_import,
        "received": 12,
    }


KERNELS: list[ExplainNcp] = [
    {
        "ncp": row["ncp"],
        "state": row["state"],
        "kernel_group": row["kernel_group"],
        "members": row["members"],
    }
    for row in FIB
]
EXPLAIN: Explain = {
    "asked": "203.0.113.0/24",
    "family": "ipv4-unicast",
    "match": "exact",
    "route": LOOKUP,
    "covering": None,
    "sources": SOURCES,
    "peers": [explain_peer("192.0.2.2"), explain_peer("198.51.100.2")],
    "ncps": KERNELS,
}
ABSENT: Explain = {
    "asked": "203.0.113.128/25",
    "family": "ipv4-unicast",
    "match": "none",
    "route": None,
    "covering": "203.0.113.0/24",
    "sources": [],
    "peers": [explain_peer("192.0.2.2"), explain_peer("198.51.100.2")],
    "ncps": [{"ncp": name, "state": "absent", "kernel_group": None, "members": []} for name in ("ncp1", "ncp2")],
}
