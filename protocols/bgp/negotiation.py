"""What we offer in an OPEN, whether the peer's is acceptable, and what both then mean together.

RFC 4271 6.2 and 4.2, 5492, 6286 (identifiers), 6793 (AS numbers), 7607 (AS 0), 7911 (several paths), 8654 (long
messages), 9234 (roles).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import native
from protocols.bgp.capabilities import (
    AddPath,
    AddPathMode,
    BgpRole,
    Capability,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    Fqdn,
    Multiprotocol,
    RouteRefresh,
    SoftwareVersion,
    code_of,
    encode_capability,
)
from protocols.bgp.config import Confederation, Demands, FamilyConfig, PeerConfig
from protocols.bgp.errors import OpenSubcode, open_error
from protocols.bgp.family import AFI_IPV6, IPV4_UNICAST, Family, family_name
from protocols.bgp.graceful import NOTHING_KEPT, Forwarding, Graceful, agree_graceful, offer_graceful
from protocols.bgp.messages import AS_TRANS, MAX_EXTENDED_MESSAGE, MAX_MESSAGE, Open
from protocols.bgp.role import Role, role_label


@dataclass(frozen=True, slots=True)
class Agreed:
    """What holds on an open session."""

    local_asn: int
    peer_asn: int
    local_router_id: bytes
    peer_router_id: bytes
    hold_time: int
    four_octet_as: bool
    families: tuple[Family, ...]
    route_refresh: bool
    max_receive: int
    """Longest message the peer may send."""
    max_send: int
    """Longest message it takes."""
    extended_next_hop: tuple[Family, ...] = ()
    """Families whose next hops may be IPv6 although their prefixes are not (RFC 8950)."""
    enhanced_refresh: bool = False
    """The peer follows markers around a refresh (RFC 7313 4)."""
    role: Role | None = None
    """Ours (RFC 9234), whether the peer told its own or not."""
    add_path_receive: tuple[Family, ...] = ()
    """Families whose prefixes come with path identifiers (RFC 7911)."""
    add_path_send: tuple[Family, ...] = ()
    """Families whose prefixes go with them."""
    cluster_id: bytes = b""
    """Ours (RFC 4456 7); empty: our router id."""
    graceful: Graceful | None = None
    """What the peer says about its restarts (RFC 4724), where both sides offered the capability."""
    confederation: Confederation | None = None
    """The one that we are in (RFC 5065)."""

    @property
    def ebgp(self) -> bool:
        """The peer is of another AS, outside a confederation of ours."""
        return self.peer_asn != self.local_asn and not self.member

    @property
    def member(self) -> bool:
        """The peer is of another Member-AS of our confederation."""
        inside = self.confederation is not None and self.local_asn == self.confederation.member
        return inside and self.peer_asn != self.local_asn

    @property
    def keepalive_interval(self) -> float:
        """RFC 4271 4.4: a third of the hold time; 0 where no KEEPALIVE is to be sent."""
        return self.hold_time / 3

    def terms(self, *, aigp: bool = False, demands: Demands = Demands()) -> native.SessionTerms:
        return native.SessionTerms(
            peer_asn=self.peer_asn,
            local_asn=self.local_asn,
            four_octet_as=self.four_octet_as,
            families=self.families,
            add_path_receive=self.add_path_receive,
            max_message=self.max_receive,
            local_router_id=self.local_router_id,
            cluster_id=self.cluster_id or None,
            aigp=aigp,
            extended_next_hop=self.extended_next_hop,
            role=self.role,
            confederation=(self.confederation.identifier, self.confederation.member) if self.confederation else None,
            enforce_first_as=demands.first_as,
            allow_own_as=demands.own_as,
            max_as_path=demands.as_path,
            max_attributes=demands.attributes,
        )

    def describe(self) -> dict[str, Any]:
        return {
            "hold_time": self.hold_time,
            "keepalive": self.keepalive_interval,
            "four_octet_as": self.four_octet_as,
            "route_refresh": self.route_refresh,
            "enhanced_refresh": self.enhanced_refresh,
            "families": [family_name(*f) for f in self.families],
            "extended_next_hop": [family_name(*f) for f in self.extended_next_hop],
            "max_message_receive": self.max_receive,
            "max_message_send": self.max_send,
            "role": None if self.role is None else self.role.label,
            "add_path_receive": [family_name(*f) for f in self.add_path_receive],
            "add_path_send": [family_name(*f) for f in self.add_path_send],
            "graceful_restart": None if self.graceful is None else self.graceful.describe(),
        }


def offer(config: PeerConfig, forwarding: Forwarding = NOTHING_KEPT) -> tuple[Capability, ...]:
    """Our capabilities, in ascending order of their codes."""
    offered: list[Capability] = [Multiprotocol(f.afi, f.safi) for f in config.families]
    offered.append(RouteRefresh())
    if config.extended_next_hop:
        offered.append(ExtendedNextHop(((*IPV4_UNICAST, AFI_IPV6),)))
    if config.extended_message:
        offered.append(ExtendedMessage())
    if config.role is not None:
        offered.append(BgpRole(config.role))
    offered.append(FourOctetAs(config.local_asn))
    several = tuple((*f.family, mode) for f in config.families if (mode := _add_path_mode(f)))
    if several:
        offered.append(AddPath(several))
    offered.append(EnhancedRouteRefresh())
    offered += offer_graceful(
        [f.family for f in config.families], config.graceful_restart, config.restart_time,
        config.long_lived_stale_time, forwarding,
    )  # fmt: skip
    if config.host_name:
        host, _, domain = config.host_name.partition(".")
        offered.append(Fqdn(host.encode()[:64], domain.encode()[:64]))
    if config.software_version:
        offered.append(SoftwareVersion(config.software_version.encode()[:64]))
    return tuple(sorted(offered, key=code_of))


def negotiate(config: PeerConfig, offered: Sequence[Capability], received: Open) -> Agreed:
    """RFC 4271 6.2, in the order of its paragraphs; raises SessionError with the NOTIFICATION it asks for."""
    peer_asn = _check_asn(config, received)
    if received.hold_time in (1, 2):
        reason = f"the peer offers a hold time of {received.hold_time} s; it must be 0 or at least 3"
        raise open_error(OpenSubcode.UNACCEPTABLE_HOLD_TIME, reason)
    _check_router_id(config, received, peer_asn)
    _check_role(config, received)
    families = _agree_families(offered, received)
    return Agreed(
        local_asn=config.local_asn,
        peer_asn=peer_asn,
        local_router_id=config.router_id,
        peer_router_id=received.router_id,
        # RFC 4271 4.2: the smaller of both; 0 on either side wins, as it is the smallest.
        hold_time=min(config.hold_time, received.hold_time),
        four_octet_as=_has(offered, FourOctetAs) and _has(received.capabilities, FourOctetAs),
        families=families,
        route_refresh=_has(offered, RouteRefresh) and _has(received.capabilities, RouteRefresh),
        enhanced_refresh=_has(received.capabilities, EnhancedRouteRefresh),
        # RFC 8654 4: each direction depends on what its receiver advertised, not on both.
        max_receive=MAX_EXTENDED_MESSAGE if _has(offered, ExtendedMessage) else MAX_MESSAGE,
        max_send=MAX_EXTENDED_MESSAGE if _has(received.capabilities, ExtendedMessage) else MAX_MESSAGE,
        # RFC 8950 4: used where both sides advertised it for the family.
        extended_next_hop=tuple(sorted(_extended(offered) & _extended(received.capabilities))),
        role=config.role,
        # RFC 7911 4: one side has said that it sends, the other that it receives.
        add_path_receive=_agree_add_path(offered, AddPathMode.RECEIVE, received.capabilities, AddPathMode.SEND),
        add_path_send=_agree_add_path(offered, AddPathMode.SEND, received.capabilities, AddPathMode.RECEIVE),
        cluster_id=config.cluster_id,
        graceful=agree_graceful(offered, received.capabilities, families, config.long_lived_stale_time),
        confederation=config.confederation,
    )


def _has(capabilities: Sequence[Capability], kind: type[Any]) -> bool:
    return any(isinstance(c, kind) for c in capabilities)


def _extended(capabilities: Sequence[Capability]) -> set[Family]:
    entries = (e for c in capabilities if isinstance(c, ExtendedNextHop) for e in c.entries)
    return {(afi, safi) for afi, safi, next_hop in entries if next_hop == AFI_IPV6}


def _add_path_mode(family: FamilyConfig) -> AddPathMode:
    receive = AddPathMode.RECEIVE if family.add_path_receive else AddPathMode(0)
    return receive | (AddPathMode.SEND if family.add_path_send else AddPathMode(0))


def _add_path(capabilities: Sequence[Capability], mode: AddPathMode) -> set[Family]:
    modes = {(afi, safi): m for c in capabilities if isinstance(c, AddPath) for afi, safi, m in c.entries}
    return {family for family, m in modes.items() if m & mode}


def _agree_add_path(
    ours: Sequence[Capability], our_mode: AddPathMode, theirs: Sequence[Capability], their_mode: AddPathMode
) -> tuple[Family, ...]:
    return tuple(sorted(_add_path(ours, our_mode) & _add_path(theirs, their_mode)))


def peer_asn_of(received: Open) -> int:
    """RFC 6793 4.1: the capability where it is there, else the two-octet field."""
    return next((c.asn for c in received.capabilities if isinstance(c, FourOctetAs)), received.asn)


def _check_asn(config: PeerConfig, received: Open) -> int:
    asn = peer_asn_of(received)
    if asn == 0 or received.asn == 0:
        raise open_error(OpenSubcode.BAD_PEER_AS, "the peer says it is AS 0 (RFC 7607)")
    if config.remote_asn is None:
        within = config.confederation
        if asn == config.local_asn or (within and asn in (within.member, *within.others)):
            raise open_error(OpenSubcode.BAD_PEER_AS, f"the peer says AS {asn}, our own; any other is configured")
    elif asn != config.remote_asn:
        said = "AS_TRANS (23456), without the four-octet AS capability" if asn == AS_TRANS else f"AS {asn}"
        raise open_error(OpenSubcode.BAD_PEER_AS, f"the peer says it is {said}; AS {config.remote_asn} is configured")
    return asn


def _check_router_id(config: PeerConfig, received: Open, peer_asn: int) -> None:
    if not any(received.router_id):
        raise open_error(OpenSubcode.BAD_BGP_IDENTIFIER, "the peer's BGP identifier is 0.0.0.0")
    if received.router_id == config.router_id and peer_asn == config.local_asn:
        # RFC 6286 2.2: unique within an AS; towards another AS an equal one is no error.
        identifier = ipaddress.ip_address(received.router_id)
        reason = f"the peer has our BGP identifier {identifier}; change router-id on one of both"
        raise open_error(OpenSubcode.BAD_BGP_IDENTIFIER, reason)


def _check_role(config: PeerConfig, received: Open) -> None:
    """RFC 9234 4.2. Without a role of ours the peer's says nothing."""
    theirs = {c.code for c in received.capabilities if isinstance(c, BgpRole)}
    if config.role is None or (not theirs and not config.role_strict):
        return
    if theirs != {config.role.counterpart}:
        said = " and ".join(map(role_label, sorted(theirs))) or "no role"
        reason = f"the peer says it is {said}; to our {config.role.label} it must be {config.role.counterpart.label}"
        raise open_error(OpenSubcode.ROLE_MISMATCH, reason)


def _agree_families(offered: Sequence[Capability], received: Open) -> tuple[Family, ...]:
    theirs = {(c.afi, c.safi) for c in received.capabilities if isinstance(c, Multiprotocol)}
    # RFC 4760 8: a peer without the capability speaks IPv4 unicast; so do we when we had to leave capabilities out.
    theirs = theirs or {IPV4_UNICAST}
    ours = [(c.afi, c.safi) for c in offered if isinstance(c, Multiprotocol)] or [IPV4_UNICAST]
    agreed = tuple(f for f in ours if f in theirs)
    if not agreed:
        # RFC 5492 5: the data lists the capabilities whose absence ends the session, as they would be in an OPEN.
        data = b"".join(encode_capability(Multiprotocol(*f)) for f in ours)
        names = ", ".join(family_name(*f) for f in sorted(theirs))
        wanted = ", ".join(family_name(*f) for f in ours)
        reason = f"no common address family: the peer has {names}; we want {wanted}"
        raise open_error(OpenSubcode.UNSUPPORTED_CAPABILITY, reason, data)
    return agreed
