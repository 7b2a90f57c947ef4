"""Who is at the other end of a session, and under which terms it is told routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import native
from rib.prefix import Prefix
from tests.props.update_bytes import packed

LOCAL_ASN = 65000
CONFEDERATION = 64999  # and LOCAL_ASN our Member-AS
ROUTER_ID = packed("9.9.9.9")
FAMILIES = ((1, 1), (2, 1))
PrefixBytes = tuple[bytes, int]


def prefix(text: str) -> PrefixBytes:
    found = Prefix.parse(text)
    return found.address, found.length


@dataclass(frozen=True)
class PeerConfig:
    """``ncp`` and ``port`` are where the peer is; ``extended`` says that its IPv4 routes may have IPv6 next hops;
    ``role`` is ours towards it, by the code of RFC 9234 4.1; ``client`` of our reflection. ``inside``: it is in
    a confederation with us."""

    name: str
    address: str
    asn: int
    router_id: str
    add_path: bool = False
    import_accept: bool = True
    next_hop_self: bool = False
    four_octet_as: bool = True
    distance: int | None = None
    weight: int = 0
    ncp: str = ""
    port: str = ""
    aigp: bool = False
    extended: bool = False
    role: int | None = None
    client: bool = False
    inside: bool = False

    @property
    def ebgp(self) -> bool:
        return self.asn != LOCAL_ASN and not self.inside

    @property
    def related(self) -> tuple[bool, bool]:
        return self.ebgp, self.member

    @property
    def member(self) -> bool:
        """Of another Member-AS."""
        return self.asn != LOCAL_ASN and self.inside

    def source(self) -> dict[str, Any]:
        """As ``add_peer`` and ``renew_peer`` have it."""
        return {
            "address": packed(self.address),
            "asn": self.asn,
            "router_id": packed(self.router_id),
            "ebgp": self.ebgp,
            "member": self.member,
            "client": self.client,
            "import_accept": self.import_accept,
            "distance": self.distance,
            "weight": self.weight,
            "ncp": self.ncp,
            "port": self.port,
        }

    def terms(self) -> native.SessionTerms:
        return native.SessionTerms(
            peer_asn=self.asn,
            local_asn=LOCAL_ASN,
            four_octet_as=True,
            families=FAMILIES,
            add_path_receive=FAMILIES if self.add_path else (),
            local_router_id=ROUTER_ID,
            aigp=self.aigp,
            extended_next_hop=((1, 1),) if self.extended else (),
            role=self.role,
            confederation=(CONFEDERATION, LOCAL_ASN) if self.inside else None,
        )


@dataclass(frozen=True)
class Terms:
    """Of an export, beyond what the peer is."""

    afi: int
    local_address: str
    local_link: str | None = None
    max_message: int = 4096
    extended_next_hop: bool = False
    aigp: bool = False
    role: int | None = None
    cluster_id: str | None = None
    llgr: bool = False
    next_hop_unchanged: bool = False
    private_as: str | None = None
    as_override: bool = False
    shared: tuple[str, ...] = ()
    add_path: int = 0


IPV4, IPV6 = Terms(1, "10.0.0.254"), Terms(2, "2001:db8:1::fe")
ALL_PATHS = Terms(1, "10.0.0.254", add_path=255)
OTHER_TERMS = (
    IPV4,
    IPV6,
    Terms(1, "10.0.1.254"),
    Terms(1, "10.0.0.254", aigp=True),
    Terms(2, "2001:db8:1::fe", "fe80::fe", aigp=True),
    Terms(1, "2001:db8:1::fe", "fe80::fe", extended_next_hop=True),
    Terms(1, "2001:db8:1::fe", "fe80::fe"),
    Terms(1, "10.0.0.254", max_message=70),
    *(Terms(1, "10.0.0.254", role=role) for role in range(5)),
    Terms(2, "2001:db8:1::fe", role=4),
    Terms(1, "10.0.0.254", llgr=True),
    Terms(2, "2001:db8:1::fe", llgr=True),
    Terms(2, "2001:db8:1::fe", max_message=95),
    Terms(1, "10.0.0.254", cluster_id="9.0.0.7"),
    Terms(1, "10.0.0.254", next_hop_unchanged=True, as_override=True),
    Terms(1, "10.0.0.254", private_as="replace", shared=("10.0.0.0/24",), aigp=True),
    Terms(2, "2001:db8:1::fe", "fe80::fe", private_as="remove", shared=("2001:db8:1::/48",)),
    ALL_PATHS,
    Terms(1, "10.0.1.254", add_path=255),
    Terms(1, "10.0.0.254", add_path=2),
    Terms(1, "10.0.0.254", add_path=255, llgr=True),
    Terms(1, "10.0.0.254", aigp=True, add_path=1),
    Terms(1, "10.0.0.254", max_message=75, add_path=255),
    Terms(2, "2001:db8:1::fe", add_path=255),
    Terms(2, "2001:db8:1::fe", "fe80::fe", add_path=2),
)
