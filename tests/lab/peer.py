"""What every real peer offers, whichever daemon it is: start, stop, kill, sessions, and its routes in the canonical
form."""

from __future__ import annotations

import abc
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.attributes import Attributes, Route, assert_same, family
from tests.lab.commands import LabError
from tests.lab.lab import Namespace
from tests.lab.process import Process
from tests.lab.waiting import LabTimeoutError, wait_for


@dataclass(frozen=True, slots=True)
class Restarts:
    """What the peer says about restarts of its own (RFC 4724, RFC 8538, RFC 9494); BIRD, FRR and GoBGP."""

    seconds: int = 60
    """Restart Time."""
    long_lived: int = 0
    """Long-Lived Stale Time; 0: not offered."""
    end_of_rib: bool = False
    """FRR says End-of-RIB. Where it restarts itself it must not, and where it does not it answers no request for a
    refresh."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """The other end of one session, seen from the peer."""

    address: str
    asn: int
    local: str
    families: tuple[int, ...] = (4, 6)
    """IPv4 and IPv6 unicast."""
    passive: bool = False
    next_hop_self: bool = True
    hold_time: int = 30
    export: bool = True
    """Announce to this neighbour what the configuration originates."""
    transit: bool = False
    """Announce to it what was learned from others too (BIRD and FRR can leave it out; GoBGP and OpenBGPD always do
    it)."""
    multihop: bool = False
    password: str = ""
    """TCP MD5 key (RFC 2385)."""
    ttl_security: bool = False
    """GTSM (RFC 5082), one hop."""
    unnumbered: bool = False
    """The address is the name of a port, the AS may be a word; FRR."""
    extended_next_hop: bool = False
    """IPv6 next hops for IPv4 routes (RFC 8950); BIRD and FRR."""
    add_path: str = ""
    """Several paths of a prefix (RFC 7911), as the peer has it: "send", "receive" or "both"."""
    delay_open: int = 0
    """Seconds for which it waits for our OPEN (RFC 4271 8.1.1); FRR."""
    host_name: bool = False
    """The peer tells its name (FRR and GoBGP always do)."""
    maximum: int | None = None
    """Prefixes that the peer takes from us, in each family; one more ends the session there. Not ExaBGP."""
    role: str = ""
    """The peer's own (RFC 9234), in our words; BIRD, FRR and OpenBGPD."""
    role_strict: bool = False
    transparent: bool = False
    """Leave its own AS out of AS_PATH, as route servers do (RFC 7947); not GoBGP."""
    client: bool = False
    """The peer reflects for us (RFC 4456); not ExaBGP."""
    restarts: Restarts | None = None
    two_octet: bool = False
    """Without AS numbers of four octets (RFC 6793); BIRD, OpenBGPD and ExaBGP."""
    extended_messages: bool = False
    """RFC 8654; FRR offers it always, GoBGP and OpenBGPD do not have it."""
    other_local: str | None = None
    """The peer's address of the other family on this link: where it must be written into the configuration as a next
    hop."""

    @property
    def name(self) -> str:
        return "n" + re.sub(r"\W", lambda mark: {":": "x", "%": "on"}.get(mark.group(), "_"), self.address)


@dataclass(frozen=True, slots=True)
class Announcement:
    """A route the peer originates from its configuration. Attributes beyond these are the session's business."""

    prefix: str
    path: tuple[int, ...] = ()
    """AS numbers behind the peer's own."""
    med: int | None = None
    communities: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    origin: str = "igp"
    path_id: int | None = None
    """Path identifier (RFC 7911); ExaBGP."""

    def as_sent(self, *, asn: int, ebgp: bool, next_hop: str) -> Route:
        """What a session with the announcing peer must carry."""
        path = (asn, *self.path) if ebgp else self.path
        return self.prefix, Attributes(
            origin=self.origin,
            as_path=" ".join(map(str, path)),
            next_hop=next_hop,
            med=self.med,
            local_pref=None if ebgp else 100,
            communities=self.communities,
            large=self.large,
        )


@dataclass(slots=True)
class PeerConfig:
    """What all configuration builders read."""

    asn: int
    router_id: str
    neighbors: list[Neighbor]
    announce: Sequence[Announcement] = field(default_factory=tuple)
    cluster_id: str = ""
    """Of a reflector; empty: its router id."""
    confederation: int | None = None
    """Its number (RFC 5065); BIRD, FRR and GoBGP."""
    members: tuple[int, ...] = ()
    """Its other Member-ASes."""


class Peer(abc.ABC):
    """A routing daemon of somebody else's, alone in its box."""

    kind = "peer"

    def __init__(self, box: Namespace, config: PeerConfig) -> None:
        self.box = box
        self.config = config
        self.directory: Path = box.directory / self.kind
        self.directory.mkdir(exist_ok=True)
        self.processes: list[Process] = []
        self.recovers = False
        """Its next start is one after a restart through which its box kept forwarding (R and F bits of RFC 4724)."""

    @abc.abstractmethod
    def start(self) -> None:
        """Start it and wait until it answers its own tool."""

    @abc.abstractmethod
    def session(self, neighbor: str) -> str:
        """``established``, or the daemon's own word for what is in the way, in lower case."""

    @abc.abstractmethod
    def routes(self, neighbor: str, of: int = 4) -> set[Route]:
        """What it has received from ``neighbor`` (IPv4 or IPv6 unicast), read with the daemon's own tool."""

    def up_since(self, neighbor: str) -> str:
        """Stays the same for as long as the session stays up, as the daemon itself tells it."""
        raise LabError(f"{self.kind} is not asked for how long its sessions have been up")

    def withdraw(self, net: str) -> None:
        """One of its routes, for good; each daemon that can has its own words for it."""
        self.config.announce = tuple(a for a in self.config.announce if a.prefix != net)

    def told_name(self, neighbor: str) -> str:
        """What it shows as the neighbour's name (FQDN capability), and perhaps more."""
        raise LabError(f"{self.kind} does not show names of neighbours, so not that of {neighbor}")

    def shut(self, neighbor: str, message: str) -> None:
        """Administrative shutdown with a message (RFC 9003)."""
        raise LabError(f"{self.kind} has no command that ends a session with {neighbor} and tells {message!r}")

    def kept(self, neighbor: str, of: int = 4) -> set[Route]:
        """Routes of a neighbor whose session is down."""
        return self.routes(neighbor, of)

    def last_error(self, neighbor: str) -> str:
        """In the daemon's words, what was told or said when a session with ``neighbor`` ended."""
        raise LabError(f"{self.kind} does not tell why a session with {neighbor} ended")

    def link_local(self, where: str) -> str | None:
        """The link-local next hop of its path for an IPv6 prefix (RFC 2545 3), "" if it has none; None where the
        daemon's tool does not tell."""
        return None

    def neighbor(self, address: str) -> Neighbor:
        return next(n for n in self.config.neighbors if n.address == address)

    def is_ebgp(self, address: str) -> bool:
        return self.neighbor(address).asn not in (self.config.asn, *self.config.members)

    def received(self, neighbor: str, attributes: Attributes) -> Attributes:
        """LOCAL_PREF is not carried over eBGP (RFC 4271 5.1.5): the 100 a tool shows there is the daemon's own
        default."""
        return attributes._replace(local_pref=None) if self.is_ebgp(neighbor) else attributes

    def can_tell(self, attributes: Attributes) -> Attributes:
        """An attribute set as far as the daemon's own tool shows it."""
        return attributes

    def announced(self, neighbor: str, of: int = 4, *, next_hop: str) -> set[Route]:
        """What the configuration makes it announce to ``neighbor``."""
        return {
            a.as_sent(asn=self.config.asn, ebgp=self.is_ebgp(neighbor), next_hop=next_hop)
            for a in self.config.announce
            if family(a.prefix) == of
        }

    def wait_established(self, *neighbors: str, timeout: float = 40.0) -> None:
        for address in neighbors or [n.address for n in self.config.neighbors]:
            wait_for(
                f"{self.kind} in {self.box.name}: session with {address}",
                lambda address=address: self.session(address),  # type: ignore[misc]
                lambda state: state == "established",
                timeout=timeout,
            )

    def wait_routes(self, neighbor: str, of: int, expected: set[Route], timeout: float = 30.0) -> None:
        """Until it holds exactly ``expected`` from ``neighbor``; the first ten differences otherwise."""
        wanted = {(p, self.can_tell(a)) for p, a in expected}
        try:
            wait_for(
                "routes", lambda: self.routes(neighbor, of), lambda found: found == wanted, timeout=timeout, every=0.2
            )
        except LabTimeoutError:
            assert_same(
                wanted, self.routes(neighbor, of), f"{self.kind} in {self.box.name}: IPv{of} routes from {neighbor}"
            )

    def restart_session(self, neighbor: str) -> None:
        """End the session by the daemon's own command, where it has one (ExaBGP has none); it comes back by itself."""
        raise LabError(f"{self.kind} has no command that restarts a session with {neighbor}")

    def stop(self) -> None:
        for process in self.processes:
            process.stop()
        self.processes.clear()

    def kill(self) -> None:
        """kill -9: no NOTIFICATION, the kernel closes its sockets."""
        for process in self.processes:
            process.kill()
        self.processes.clear()

    def peak_memory(self) -> int:
        return sum(process.peak_memory() for process in self.processes)
