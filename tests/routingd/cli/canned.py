"""Answers of a small router in the shapes of `routingd.control.shapes`: two boxes, two peers, five routes."""

from __future__ import annotations

from routingd.control.shapes import (
    Adjacency,
    AdvertisedRow,
    Attributes,
    BgpEvents,
    BgpFamily,
    BgpLimit,
    BgpNeighbor,
    BgpSummary,
    BgpSummaryRow,
    Explain,
    ExplainNcp,
    ExplainPeer,
    ExplainResolution,
    ExportGroup,
    FibAudit,
    FibConsistency,
    FibRow,
    FibStanding,
    FibSum,
    Group,
    GroupMember,
    InterfaceRow,
    Lookup,
    Memory,
    NcpDetail,
    NcpRow,
    NextHop,
    NextHopRow,
    Path,
    ResolvedHop,
    Role,
    RouteAtNcps,
    RouteMember,
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
        "aigp": None,
        "otc": None,
        "unknown": [],
    }


LIMIT: BgpLimit = {"limit": 250000, "warn": 75, "action": "restart", "restart_after": 60}


def family(received: int, advertised: int, accept_import: bool = True, accept_export: bool = True) -> BgpFamily:
    return {
        "agreed": True,
        "received": received,
        "advertised": advertised,
        "accept_import": accept_import,
        "accept_export": accept_export,
        "maximum_prefixes": LIMIT if received else None,
        "end_of_rib_received": True,
        "end_of_rib_sent": True,
        "stale": 0,
    }


DOWN: BgpFamily = {**family(0, 0), "agreed": False, "end_of_rib_received": False, "end_of_rib_sent": False}

STALE: BgpFamily = {**family(12, 1, accept_export=False), "end_of_rib_received": False, "stale": 4}

TRANSIT: BgpSummaryRow = {
    "address": "192.0.2.2",
    "description": "transit",
    "listen": None,
    "asn": 65002,
    "ncp": "ncp1",
    "state": "Established",
    "uptime": 3725.4,
    "last_down": None,
    "messages_received": 1204,
    "messages_sent": 131,
    "families": {"ipv4-unicast": family(200000, 3), "ipv6-unicast": STALE},
}
INTERNAL: BgpSummaryRow = {
    "address": "10.255.0.2",
    "description": "",
    "listen": None,
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
    "listen": [],
}
NEIGHBORS: dict[str, BgpNeighbor] = {
    "192.0.2.2": {
        **TRANSIT,
        "group": "transit",
        "learned": None,
        "local_asn": 65001,
        "kind": "ebgp",
        "router_id": "192.0.2.2",
        "hold_time": 30,
        "configured_hold_time": 30,
        "keepalive_interval": 10.0,
        "send_hold_time": 480,
        "endpoint": {"ncp": "ncp1", "local": "192.0.2.1:49152", "remote": "192.0.2.2:179", "inbound": False},
        "port": 179,
        "passive": False,
        "password": True,
        "tcp_ao": False,
        "ttl_security": True,
        "multihop": None,
        "role": "customer",
        "next_hop_self": False,
        "route_reflector_client": False,
        "graceful_restart": "on",
        "restart_time": 120,
        "long_lived_stale_time": 0,
        "came_back": {"adopted": True, "reason": None},
        "retained": [{"family": "ipv6-unicast", "waits_for": "end-of-rib", "remaining": 351.0}],
        "weight": 100,
        "distance": 20,
        "aigp": False,
        "capabilities": [
            {"name": "four-octet-as", "value": "65001", "sent": True, "received": False, "agreed": True},
            {"name": "four-octet-as", "value": "65002", "sent": False, "received": True, "agreed": True},
            {"name": "fqdn", "value": "r1", "sent": True, "received": False, "agreed": None},
            {"name": "graceful-restart", "value": "restart-time 120", "sent": True, "received": True, "agreed": True},
            {"name": "multiprotocol", "value": "ipv4-unicast", "sent": True, "received": True, "agreed": True},
            {"name": "multiprotocol", "value": "ipv6-unicast", "sent": True, "received": True, "agreed": True},
            {"name": "route-refresh", "value": "", "sent": True, "received": True, "agreed": True},
        ],
        "established_count": 1,
        "last_notification": None,
        "last_session": None,
        "timers": {"hold": 27.4},
        "offences": 0,
        "connections_refused": {"the session is Established": 2},
        "faults": [
            {
                "attribute": 7,
                "name": "AGGREGATOR",
                "disposition": "attribute discard",
                "subcode": 5,
                "rfc": "7606 7.7",
                "count": 2,
                "ago": 95.0,
                "bytes": "c007050000fdea0a",
                "message": "ff" * 16 + "003c02",
            }
        ],
        "other_faults": 0,
        "refused": {"otc-leak": 3},
        "counters": {
            "open_received": 1,
            "update_received": 1100,
            "keepalive_received": 103,
            "open_sent": 1,
            "update_sent": 4,
            "keepalive_sent": 126,
        },
    },
    "10.255.0.2": {
        **INTERNAL,
        "group": None,
        "learned": None,
        "local_asn": 65001,
        "kind": "ibgp",
        "router_id": None,
        "hold_time": None,
        "configured_hold_time": 90,
        "keepalive_interval": None,
        "send_hold_time": None,
        "endpoint": None,
        "port": 179,
        "passive": False,
        "password": False,
        "tcp_ao": False,
        "ttl_security": False,
        "multihop": None,
        "role": None,
        "next_hop_self": True,
        "route_reflector_client": True,
        "graceful_restart": "helper",
        "restart_time": 120,
        "long_lived_stale_time": 3600,
        "came_back": {"adopted": False, "reason": "graceful restart is not agreed"},
        "retained": [{"family": "ipv4-unicast", "waits_for": "restart", "remaining": 59.0}],
        "weight": 0,
        "distance": 200,
        "aigp": True,
        "capabilities": [],
        "established_count": 2,
        "last_notification": {"direction": "sent", "code": 4, "subcode": 0, "text": "Hold Timer Expired", "ago": 61.0},
        "last_session": {
            "reason": "nothing heard from the peer for 90 s",
            "state": "Established",
            "ago": 61.0,
            "lasted": 7200.0,
            "sent": {"code": 4, "subcode": 0, "name": "hold timer expired", "text": ""},
            "received": None,
        },
        "timers": {"connect-retry": 3.2},
        "offences": 0,
        "connections_refused": {},
        "faults": [],
        "other_faults": 0,
        "refused": {},
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
    return {"id": number, "ncp": ncp, "port": "eth0", "gateway": gateway, "kind": "ip", "weight": 1}


NCP1_ETH0 = adjacency(1, "ncp1", "192.0.2.2")
NCP2_ETH0 = adjacency(2, "ncp2", "198.51.100.2")
ON_NCP1 = adjacency(3, "ncp1", None)
ON_NCP2 = adjacency(4, "ncp2", None)
DEFAULT_GATEWAY = adjacency(5, "ncp1", "192.0.2.254")
BLACKHOLE: Adjacency = {"id": 6, "ncp": None, "port": None, "gateway": None, "kind": "drop", "weight": 1}


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


def path(source: int, as_path: str, hop: NextHop, reason: str, role: Role) -> Path:
    return {
        "source": source,
        "protocol": "bgp",
        "path_id": 0,
        "distance": 20,
        "metric": 0,
        "tag": 0,
        "age": 3600 * source,
        "weight": 100 if source == 3 else 0,
        "best": role == "best",
        "role": role,
        "leaked": False,
        "stale": False,
        "usable": True,
        "reason": reason,
        "next_hops": [hop],
        "attributes": attributes(as_path, hop["address"] or ""),
    }


def group_member(resolved: Adjacency, role: int = 0) -> GroupMember:
    return {
        "adjacency": resolved["id"],
        "ncp": resolved["ncp"],
        "port": resolved["port"],
        "gateway": resolved["gateway"],
        "kind": resolved["kind"],
        "weight": 1,
        "role": role,
    }


GROUP: Group = {
    "id": 7,
    "key": "3f2a9c0d51e84b7790aa12cd34ef5678",
    "kind": 0,
    "hops": [
        {
            "address": address,
            "instance": 0,
            "ncp": None,
            "port": None,
            "weight": 1,
            "role": role,
            "givers": [address],
        }
        for role, address in enumerate(("192.0.2.2", "198.51.100.2"))
    ],
    "members": [group_member(NCP1_ETH0), group_member(NCP2_ETH0, role=1)],
    "routes": 200000,
}
FIRST_HOP = next_hop("192.0.2.2", "192.0.2.0/24", NCP1_ETH0)
SECOND_HOP = next_hop("198.51.100.2", "198.51.100.0/24", NCP2_ETH0)
LOOKUP: Lookup = {
    "prefix": "203.0.113.0/24",
    "instance": 0,
    "table": 1,
    "step": "weight",
    "waits": False,
    "paths": [
        path(3, "65002 65010", FIRST_HOP, "weight", "best"),
        path(4, "65003 65011 65010", SECOND_HOP, "weight", "backup"),
    ],
    "group": GROUP,
}


def member(resolved: Adjacency, role: int = 0) -> RouteMember:
    return {**resolved, "role": role}


def route(prefix: str, protocol: str, source: int, group: int, members: list[RouteMember]) -> RouteRow:
    return {
        "prefix": prefix,
        "instance": 0,
        "protocol": protocol,
        "source": source,
        "source_name": protocol,
        "path_id": 0,
        "distance": 0,
        "metric": 0,
        "tag": 0,
        "age": 3811,
        "best": True,
        "role": "best",
        "leaked": False,
        "stale": False,
        "step": "only",
        "next_hops": members,
        "group": group,
        "attributes": None,
    }


BGP_ROUTE: RouteRow = {
    **route("203.0.113.0/24", "bgp", 3, 7, [member(NCP1_ETH0), member(NCP2_ETH0, role=1)]),
    "source_name": "192.0.2.2",
    "distance": 20,
    "age": 184,
    "step": "weight",
    "attributes": attributes("65002 65010", "192.0.2.2"),
}
BACKUP_ROUTE: RouteRow = {
    **BGP_ROUTE,
    "source": 4,
    "source_name": "198.51.100.2",
    "best": False,
    "role": "backup",
    "stale": True,
    "next_hops": [],
    "group": None,
    "attributes": attributes("65003 65011 65010", "198.51.100.2"),
}
ROUTES: list[RouteRow] = [
    {**route("0.0.0.0/0", "static", 2, 3, [member(DEFAULT_GATEWAY)]), "distance": 250},
    {**route("10.0.0.0/8", "static", 2, 4, [member(BLACKHOLE)]), "distance": 1},
    route("192.0.2.0/24", "connected", 1, 1, [member(ON_NCP1)]),
    route("198.51.100.0/24", "connected", 1, 2, [member(ON_NCP2)]),
    BGP_ROUTE,
]
ALL_PATHS: list[RouteRow] = [*ROUTES, BACKUP_ROUTE]


def tracked(hop: NextHop, sets: int) -> NextHopRow:
    return {
        "address": hop["address"] or "",
        "instance": 0,
        "resolved": hop["resolved"],
        "via": hop["via"],
        "protocol": "connected" if hop["resolved"] else None,
        "metric": hop["metric"],
        "adjacencies": hop["adjacencies"],
        "reason": "" if hop["resolved"] else "no route",
        "sets": sets,
        "changed": 3811,
        "change": f"resolved via {hop['via']}" if hop["resolved"] else "unresolved: no route",
    }


NEXT_HOPS: list[NextHopRow] = [
    tracked(FIRST_HOP, 2),
    tracked(SECOND_HOP, 1),
    tracked({**SECOND_HOP, "address": "203.0.113.254", "resolved": False, "via": None, "adjacencies": []}, 1),
]
GROUPS: list[Group] = [
    {**GROUP, "id": 3, "members": [group_member(DEFAULT_GATEWAY)], "hops": GROUP["hops"][:1], "routes": 1},
    GROUP,
]
EXPORT_GROUPS: list[ExportGroup] = [
    {
        "family": "ipv4-unicast",
        "kind": "ebgp",
        "instance": 0,
        "members": [{"address": "192.0.2.2", "backlog": 0}, {"address": "198.51.100.2", "backlog": 4096}],
        "encoded": 25,
        "shared": 24,
    }
]
ADVERTISED: list[AdvertisedRow] = [
    {
        "prefix": "203.0.113.0/24",
        "path_id": 2,
        "attributes": {**attributes("65001 65003 65011 65010", "192.0.2.1"), "communities": ["65001:7"]},
    },
    {
        "prefix": "2001:db8::/32",
        "path_id": None,
        "attributes": {**attributes("65001", "2001:db8:1::1", med=5), "communities": []},
    },
]
MEMORY: Memory = {
    "resident": 187_000_000,
    "kinds": {
        "prefixes": 12_000_000,
        "paths": 6_400_000,
        "attribute_sets": 9_100_000,
        "groups": 4_096,
        "next_hops": 700,
        "logs": 3_200_000,
        "total": 30_704_796,
    },
    "counts": {"prefixes": 200_018, "paths": 400_019, "attribute_sets": 41_000, "groups": 5, "next_hops": 3},
}
CHANGES = [
    {"time": "2026-01-05T12:30:01.250+00:00", "changes": [{"op": "put", **BGP_ROUTE}]},
    {
        "time": "2026-01-05T12:30:07.004+00:00",
        "changes": [{"op": "delete", "prefix": "10.0.0.0/8"}, {"op": "put", **BGP_ROUTE, "prefix": "203.0.113.0/25"}],
    },
]
EVENTS: list[BgpEvents] = [
    {
        "lost": 0,
        "events": [
            {
                "time": "2026-01-05T12:30:01.250+00:00",
                "neighbor": "192.0.2.2",
                "event": "malformed",
                "text": "AGGREGATOR: attribute discard (RFC 7606 7.7), 2 so far: c007050000fdea0a",
                "details": {"attribute": 7, "name": "AGGREGATOR"},
            }
        ],
    },
    {
        "lost": 0,
        "events": [
            {
                "time": "2026-01-05T12:31:02.004+00:00",
                "neighbor": "192.0.2.2",
                "event": "notification",
                "text": "received cease: administrative reset (6/4): new line card",
                "details": {"direction": "received", "code": 6, "subcode": 4},
            },
            {
                "time": "2026-01-05T12:31:02.004+00:00",
                "neighbor": "192.0.2.2",
                "event": "state",
                "text": "Established -> Idle: the peer sent cease: administrative reset (6/4): new line card",
                "details": {"old": "Established", "new": "Idle"},
            },
        ],
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
        "strangers": 3,
        "too_often": 0,
        "heartbeat": 0.4,
        "snapshot_agrees": True,
        "failures": [],
        "conditions": [],
        "lag": 0.0,
        "caught_up": True,
        "credit_bytes": 4194304,
        "outstanding_bytes": 0,
        "outstanding_transactions": 0,
        "agent": {
            "routes": 200004,
            "ipv4": 200002,
            "ipv6": 2,
            "applied": 118,
            "adjacencies": 3,
            "batches": 41,
            "netlink_messages": 200031,
            "event_overruns": 0,
            "swept": 12,
            "problems": [],
        },
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
        "lag": 0.8314,
        "caught_up": False,
        "outstanding_bytes": 1468006,
        "outstanding_transactions": 22,
        "conditions": [
            {
                "code": "duplicate-agent",
                "severity": "alarm",
                "text": "another agent calls itself ncp2: 10.0.0.9",
                "count": 4,
                "since": 95.0,
            }
        ],
    },
]
RIB_FIB: FibSum = {"ipv4": 200002, "ipv6": 2, "digest": "9f3c0d51e84b7790"}
BEHIND_FIB: FibSum = {"ipv4": 160001, "ipv6": 2, "digest": "51e84b77909f3c0d"}


AUDIT: FibAudit = {
    "ago": 131.0, "seconds": 0.31, "compared": 200004, "drifted": 3, "repaired": 3, "contested": 0,
}  # fmt: skip


def detail(row: NcpRow, model: FibSum) -> NcpDetail:
    return {
        **row,
        "sequence_applied": row["sequence_received"],
        "fact_sequence": 12,
        "resumed": "shards" if row["embedded"] else "snapshot",
        "resumes": {"position": 2, "shards": 1} if row["embedded"] else {"snapshot": 1},
        "resent_routes": 31 if row["embedded"] else 200004,
        "resent_shards": 9 if row["embedded"] else 2048,
        "disagreements": 0,
        "latency": {"count": 114, "median": 0.005, "most": 0.25, "longest": 1.91},
        "controller_fib": RIB_FIB,
        "model_fib": model,
        "audit": AUDIT if row["embedded"] else None,
        "errors": [{"errno": 22, "name": "EINVAL", "text": "Invalid argument", "count": row["failed"]}]
        if row["failed"]
        else [],
        "beat": {"queue_depth": row["pending"], "lag": 0.0004, "last_audit": None},
        "sessions": [
            {
                "address": "192.0.2.2",
                "state": "Established",
                "local": "192.0.2.1:49152",
                "remote": "192.0.2.2:179",
            }
        ],
        "kernel_facts": [
            {
                "code": "ipv4-groups-cost-no-routes",
                "holds": True,
                "measured": "0.039 ms under 4096 routes, 0.039 ms under none, of CPU",
                "means": "group changes cost O(routes) here: convergence will be slow",
            },
            {
                "code": "weights-of-16-bits",
                "holds": False,
                "measured": "EINVAL",
                "means": "weights have 8 bits: unequal shares are coarse",
            },
        ],
    }


NCP_DETAILS: list[NcpDetail] = [detail(NCPS[0], RIB_FIB), detail(NCPS[1], BEHIND_FIB)]


def standing(row: NcpRow, model: FibSum) -> FibStanding:
    moving = row["outstanding_transactions"] > 0
    return {
        "ncp": row["name"],
        "state": "moving" if moving else "equal",
        "reason": "changes are on their way" if moving else "",
        "advice": "ask again" if moving else "",
        "model": model,
        "installed": row["installed"],
        "pending": row["pending"],
        "failed": row["failed"],
        "outstanding": row["outstanding_transactions"],
        "lag": row["lag"],
        "audit": None if moving else AUDIT,
    }


CONSISTENCY: FibConsistency = {
    "install": True,
    "controller": RIB_FIB,
    "ncps": [standing(NCPS[0], RIB_FIB), standing(NCPS[1], BEHIND_FIB)],
}
AT_NCPS: RouteAtNcps = {
    "asked": "203.0.113.0/24",
    "prefix": "203.0.113.0/24",
    "group": 7,
    "key": "3f2a9c0d51e84b7790aa12cd34ef5678",
    "ncps": FIB,
}


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
        "awaited": False,
    }
    for row in FIB
]


def resolved(hop: NextHop) -> ResolvedHop:
    return {**hop, "protocol": "connected", "reason": "", "next_hops": []}


RESOLUTION: list[ExplainResolution] = [
    {"source": 3, "path_id": 0, "role": "best", "next_hops": [resolved(FIRST_HOP)]},
    {"source": 4, "path_id": 0, "role": "backup", "next_hops": [resolved(SECOND_HOP)]},
]
EXPLAIN: Explain = {
    "asked": "203.0.113.0/24",
    "family": "ipv4-unicast",
    "match": "exact",
    "route": LOOKUP,
    "resolution": RESOLUTION,
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
    "resolution": [],
    "covering": "203.0.113.0/24",
    "sources": [],
    "peers": [explain_peer("192.0.2.2"), explain_peer("198.51.100.2")],
    "ncps": [
        {"ncp": name, "state": "absent", "kernel_group": None, "members": [], "awaited": False}
        for name in ("ncp1", "ncp2")
    ],
}
