"""What a BGP session is told about its peer: the speaker's own type, built from the schema by the daemon."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final

from protocols.bgp.family import IPV4_UNICAST, IPV6_UNICAST, Family, family_name
from protocols.bgp.graceful import Mode
from protocols.bgp.limits import PrefixLimit
from protocols.bgp.role import Role

BGP_PORT: Final = 179
DELAY_OPEN_MAX: Final = 240
"""As long as a peer may take to send its OPEN (RFC 4271 8.2.2: the large hold time)."""
ALL_PATHS: Final = 255
"""Instead of a number of paths: all of them."""


@dataclass(frozen=True, slots=True)
class FamilyConfig:
    """One address family towards a peer. RFC 8212: without a policy nothing is imported, nothing exported."""

    afi: int
    safi: int
    import_policy: str | None = None
    export_policy: str | None = None
    add_path_send: int = 0
    """Tell so many paths of a prefix at most, the best ones, where the peer takes several (RFC 7911); 0: the best one
    without an identifier."""
    add_path_receive: bool = False
    """Offer to take several."""
    maximum: PrefixLimit | None = None
    """Paths it may have with us; None: any number."""

    @property
    def family(self) -> Family:
        return (self.afi, self.safi)


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of a peer's routes beyond being well-formed; others become withdrawals, counted by reason."""

    first_as: bool = False
    """An external peer's AS stands first in AS_PATH (RFC 4271 6.3)."""
    own_as: int = 0
    """How often our own AS may stand in AS_PATH; not at all by RFC 4271 9.1.2."""
    as_path: int | None = None
    """The longest AS_PATH, as RFC 4271 9.1.2.2 a counts; None: any."""
    attributes: int | None = None
    """Octets that a route's attributes may take; None: what fits into a message."""


@dataclass(frozen=True, slots=True)
class AoKey:
    """A master key of TCP-AO (RFC 5925 3.1)."""

    send_id: int
    receive_id: int
    algorithm: str
    """As the configuration names it."""
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Confederation:
    """RFC 5065: ASes that those outside take for one."""

    identifier: int
    """Its AS number outside."""
    member: int
    """Our Member-AS."""
    others: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class PeerConfig:
    address: bytes
    remote_asn: int | None
    """None: any but ours."""
    local_asn: int
    """What we are to it: outside a confederation of ours its identifier, within it our Member-AS."""
    router_id: bytes
    """Ours."""
    families: tuple[FamilyConfig, ...] = (FamilyConfig(*IPV4_UNICAST),)
    hold_time: int = 90
    """Seconds; 0: neither KEEPALIVEs nor a hold timer."""
    send_hold_time: int | None = None
    """Seconds for which the peer may take nothing of what waits for it (RFC 9687); 0: any; None: as the RFC says."""
    connect_retry: float = 10.0
    """The longest pause between attempts to connect; the first pauses are shorter."""
    passive: bool = False
    """Wait for the peer to connect."""
    delay_open: float = 0.0
    """Seconds to wait for the peer's OPEN before sending ours (RFC 4271 8.1.1 DelayOpen); 0: none."""
    port: int = BGP_PORT
    source: bytes = b""
    """Our address for the session; empty: the system chooses."""
    device: str = ""
    """The port a link-local peer is on, in the words of whoever configured it; empty: its address says enough."""
    unnumbered: bool = False
    """Known by its port; the address is learned, and unspecified until then."""
    ttl: int = 0
    """TTL to send; 0: 1 towards a peer of another AS, else 64."""
    ttl_security: bool = False
    """RFC 5082: send 255, accept nothing below."""
    password: str = field(default="", repr=False)
    """TCP-MD5 key (RFC 2385); empty: none."""
    ao_keys: tuple[AoKey, ...] = field(default=(), repr=False)
    """TCP-AO keys (RFC 5925), of which the first signs; empty: none."""
    next_hop_self: bool = False
    """Towards an external peer: even where a router on its subnet could be told."""
    next_hop_unchanged: bool = False
    private_as: str | None = None
    """What becomes of private AS numbers in paths told to an external peer: "remove", "replace"."""
    as_override: bool = False
    """In paths told to an external peer ours stands in the place of its AS."""
    route_reflector_client: bool = False
    """What it tells goes to internal peers, and what they tell to it (RFC 4456 5)."""
    cluster_id: bytes = b""
    """Of us and the other reflectors of our clients (RFC 4456 7); empty: our router id."""
    confederation: Confederation | None = None
    """The one that we are in."""
    weight: int = 0
    """Preference of its paths here, before everything that BGP carries; the highest wins."""
    distance: int | None = None
    """Administrative distance of its routes; None: the default of its kind."""
    aigp: bool = False
    """AIGP may pass, both ways (RFC 7311 3.1)."""
    extended_next_hop: bool = False
    """Offer IPv6 next hops for IPv4 routes (RFC 8950)."""
    role: Role | None = None
    """Ours towards the peer (RFC 9234); None: routes pass whoever is whose customer."""
    role_strict: bool = False
    """The peer must tell its role too."""
    demands: Demands = Demands()
    graceful_restart: Mode = Mode.ON
    restart_time: int = 120
    """Seconds in which we are back after a restart (RFC 4724 3)."""
    long_lived_stale_time: int = 0
    """Seconds for which stale routes, ours there and the peer's here, may be a last resort (RFC 9494); 0: none."""
    stale_time: float = 360.0
    """Seconds for which End-of-RIB is waited for with stale routes."""
    description: str = ""
    extended_message: bool = True
    host_name: str = ""
    """Offered as the FQDN capability where not empty."""
    software_version: str = ""
    """Offered as a capability where not empty."""

    def __post_init__(self) -> None:
        if len(self.address) not in (4, 16):
            raise ValueError("address: 4 or 16 octets are needed")
        if self.source and len(self.source) != len(self.address):
            raise ValueError(f"{self.name}: the source address must be of the peer's address family")
        for what, asn in (("asn of the peer", self.remote_asn), ("local asn", self.local_asn)):
            if asn is not None and not 1 <= asn <= 0xFFFFFFFF:
                raise ValueError(f"{self.name}: {what} must be 1 to 4294967295 (RFC 7607), not {asn}")
        if len(self.router_id) != 4 or not any(self.router_id):
            raise ValueError(f"{self.name}: the router id must be an IPv4 address other than 0.0.0.0 (RFC 6286)")
        if self.hold_time != 0 and not 3 <= self.hold_time <= 65535:
            raise ValueError(f"{self.name}: hold time must be 0 or 3 to 65535 seconds, not {self.hold_time}")
        if self.send_hold_time and not self.hold_time < self.send_hold_time <= 65535:
            # RFC 9687 5.
            raise ValueError(
                f"{self.name}: send hold time must be 0 or more than the hold time, not {self.send_hold_time}"
            )
        if not self.connect_retry > 0:
            raise ValueError(f"{self.name}: connect retry must be more than 0 seconds, not {self.connect_retry}")
        if not 0 <= self.delay_open <= DELAY_OPEN_MAX:
            raise ValueError(f"{self.name}: delay open must be 0 to {DELAY_OPEN_MAX} seconds, not {self.delay_open}")
        if not 0 <= self.weight <= 65535:
            raise ValueError(f"{self.name}: the weight must be 0 to 65535, not {self.weight}")
        if not 0 < self.restart_time <= 4095:
            raise ValueError(f"{self.name}: the restart time must be 1 to 4095 seconds, not {self.restart_time}")
        if not 0 <= self.long_lived_stale_time <= 0xFFFFFF:
            seconds = self.long_lived_stale_time
            raise ValueError(f"{self.name}: the long-lived stale time must be 0 to 16777215 seconds, not {seconds}")
        if self.role is not None and not self.ebgp:
            raise ValueError(f"{self.name}: a role is for external sessions (RFC 9234 4.1)")
        if self.route_reflector_client and self.remote_asn != self.local_asn:
            raise ValueError(f"{self.name}: a route reflector client is an internal peer (RFC 4456 5)")
        if not self.families:
            raise ValueError(f"{self.name}: at least one address family is needed")
        for family in self.families:
            if family.family not in (IPV4_UNICAST, IPV6_UNICAST):
                given = family_name(family.afi, family.safi)
                raise ValueError(f"{self.name}: {given} is not supported; use ipv4-unicast or ipv6-unicast")
        if len({f.family for f in self.families}) != len(self.families):
            raise ValueError(f"{self.name}: an address family is given twice")
        for family in self.families:
            if not 0 <= family.add_path_send <= ALL_PATHS:
                raise ValueError(f"{self.name}: paths to send must be 0 to 255, not {family.add_path_send}")

    @property
    def name(self) -> str:
        """The peer's address as text, with its port where it is link-local; of an unnumbered one the port."""
        if self.unnumbered:
            return self.device
        address = ipaddress.ip_address(self.address)
        return f"{address}%{self.device}" if self.device else str(address)

    @property
    def ebgp(self) -> bool:
        """It is of another AS, outside a confederation of ours."""
        return self.remote_asn != self.local_asn and not self.member

    @property
    def member(self) -> bool:
        """It is of another Member-AS of our confederation (RFC 5065)."""
        inside = self.confederation is not None and self.local_asn == self.confederation.member
        return inside and self.remote_asn != self.local_asn

    def send_hold(self, hold_time: int) -> int:
        """RFC 9687 3 and 5: the send hold time beside an agreed hold time; 0: none, as with a hold time of 0."""
        if hold_time == 0:
            return 0
        return max(480, 2 * hold_time) if self.send_hold_time is None else self.send_hold_time

    @property
    def send_ttl(self) -> int:
        if self.ttl_security:
            return 255
        return self.ttl or (64 if self.remote_asn == self.local_asn else 1)

    @property
    def minimum_ttl(self) -> int:
        """What the socket must refuse below; 0: nothing."""
        return 255 if self.ttl_security else 0
