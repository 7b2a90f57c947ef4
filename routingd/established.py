"""An Established BGP session: its numbers in the engine, and its Adj-RIBs-Out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from native import Engine, SessionTerms
from protocols.bgp.config import PeerConfig
from protocols.bgp.family import IPV4_UNICAST, IPV6_UNICAST, Family
from protocols.bgp.negotiation import Agreed
from rib.prefix import is_link_local
from routingd.engine_thread import Consumer

EXPORT_ROUTES: Final = 2048
"""Read at once for one peer: some 100 KB of UPDATEs of an Internet table."""


class Membership:
    """An Established session's numbers in the engine; written and read on the engine's thread, closed over by its
    jobs. The source is known sooner where the session has come back."""

    __slots__ = ("consumers", "source")

    def __init__(self) -> None:
        self.source = 0
        self.consumers: dict[Family, int] = {}


@dataclass(slots=True)
class Up:
    """An Established session."""

    conn: int
    agreed: Agreed
    membership: Membership
    terms: SessionTerms
    open_export: Callable[[Engine, Family], None]
    adopted: bool = False
    """The peer holds what an earlier routingd has told it."""
    withheld: list[Family] = field(default_factory=list)
    """Families of which nothing can be told, as we have no next hop there."""
    readers: dict[Family, Consumer[Engine]] = field(default_factory=dict)
    end_of_rib_sent: set[Family] = field(default_factory=set)
    refresh_due: set[Family] = field(default_factory=set)
    """To be told again, once what waits has gone."""
    refreshing: set[Family] = field(default_factory=set)
    """BoRR sent, EoRR not yet (RFC 7313)."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One read of an Adj-RIB-Out."""

    data: bytes
    """Whole UPDATE messages; none where a stretch of the table held nothing for this peer."""
    backlog: int
    updates: int
    begun: bool = False
    """The Adj-RIB-Out starts again behind this."""


def read_export(up: Up, family: Family, engine: Engine) -> Exported | None:
    """On the engine's thread: the next UPDATEs, how many, and how much is left."""
    consumer = up.membership.consumers[family]
    told = engine.export_read(consumer, EXPORT_ROUTES)
    if told is None and family in up.refresh_due:
        up.refresh_due.discard(family)
        engine.export_again(consumer)
        return Exported(b"", engine.export_backlog(consumer), 0, begun=True)
    if told is None:
        return None
    data, updates = told
    return Exported(data, engine.export_backlog(consumer), updates)


def paths_of(engine: Engine, source: int) -> dict[Family, int]:
    """On the engine's thread: how many paths a peer has given on this session, by family."""
    counts = engine.source_counts(source)
    return {
        IPV4_UNICAST: counts["ipv4"] - counts["ipv4_stale"],
        IPV6_UNICAST: counts["ipv6"] - counts["ipv6_stale"],
    }


@dataclass(frozen=True, slots=True)
class Beside:
    """What next hops a peer can be told besides our own address, by what it shares with us."""

    subnets: tuple[tuple[bytes, int], ...] = ()
    """On which it may be told of others (RFC 4271 5.1.3)."""
    link_local: bytes = b""
    """Ours on the link to it, told beside an IPv6 address (RFC 2545 3)."""


def exporter(
    config: PeerConfig, agreed: Agreed, next_hops: dict[int, bytes], membership: Membership, beside: Beside
) -> Callable[[Engine, Family], None]:
    """Opens one family's Adj-RIB-Out, on the engine's thread."""
    several = {f.family: f.add_path_send for f in config.families}

    def open_export(engine: Engine, family: Family) -> None:
        address = next_hops[family[0]]
        membership.consumers[family] = engine.export_open(
            peer_source=membership.source, afi=family[0], safi=family[1], ebgp=agreed.ebgp, local_asn=agreed.local_asn,
            peer_asn=agreed.peer_asn, next_hop_self=config.next_hop_self, local_address=address,
            local_link=None if is_link_local(address) else beside.link_local or None, shared=beside.subnets,
            next_hop_unchanged=config.next_hop_unchanged, private_as=config.private_as, as_override=config.as_override,
            four_octet_as=agreed.four_octet_as, max_message=agreed.max_send, aigp=config.aigp,
            extended_next_hop=family in agreed.extended_next_hop, role=agreed.role,
            member=agreed.member, client=config.route_reflector_client, cluster_id=config.cluster_id or None,
            llgr=agreed.graceful is not None and agreed.graceful.takes_long_lived,
            add_path=several[family] if family in agreed.add_path_send else 0,
        )  # fmt: skip

    return open_export
