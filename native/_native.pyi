"""What the compiled core offers to Python. Blocking calls release the GIL; no call takes the GIL while it holds the core's lock.

Addresses are bytes of 4 or 16; a prefix is (address bytes, length); families are (AFI, SAFI) as IANA numbers them.
"""

from collections.abc import Sequence
from typing import Any, final

PATH_ROW_KEYS: tuple[str, ...]

@final
class Updates:
    """A run of whole UPDATE messages, exactly as received. Opaque."""

    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int: ...

@final
class Framer:
    """Cuts one direction of a BGP session's byte stream into messages (RFC 4271 4.1)."""

    max_message: int
    def __init__(self, max_message: int = 4096) -> None: ...
    def feed(self, data: bytes) -> Framed: ...

@final
class Framed:
    """What one read held. ``items`` is in wire order: Updates, or (type, body without header) for OPEN, NOTIFICATION, ROUTE-REFRESH
    and unknown types; consecutive UPDATEs are one item and KEEPALIVEs are only counted. ``error`` is the (code, subcode, data) of the
    NOTIFICATION that a broken header asks for (RFC 4271 6.1); nothing after it was read."""

    items: list[Updates | tuple[int, bytes]]
    keepalives: int
    updates: int
    error: tuple[int, int, bytes] | None

@final
class Boundary:
    """Where one BGP message ends and the next begins in what a stream has received (RFC 4271 4.1), and the beginning of one that has not ended
    yet: another controller starts to read at its first octet."""

    @property
    def tail(self) -> bytes:
        """At most one message without its last octet."""

    def __init__(self) -> None: ...
    def passed(self, data: bytes) -> None:
        """``data`` was received. A header with a length that cannot be ends the session, so nothing is kept of it."""

@final
class SessionTerms:
    """What was agreed on a session, as far as reading UPDATEs needs it."""

    def __init__(
        self, *, peer_asn: int, local_asn: int, four_octet_as: bool, families: Sequence[tuple[int, int]],
        add_path_receive: Sequence[tuple[int, int]] = (), max_message: int = 4096, local_router_id: bytes = b"\0\0\0\0", cluster_id: bytes | None = None,
        aigp: bool = False, extended_next_hop: Sequence[tuple[int, int]] = (), role: int | None = None,
        enforce_first_as: bool = False, allow_own_as: int = 0, max_as_path: int | None = None, max_attributes: int | None = None,
        confederation: tuple[int, int] | None = None,
    ) -> None:
        """``aigp``: AIGP is taken from this peer (RFC 7311 3.2), else dropped. ``extended_next_hop``: families whose next hops in MP_REACH_NLRI may
        be IPv6 although the prefixes are IPv4 (RFC 8950); of any other, such a next hop has a wrong length (RFC 7606 7.11). ``role``: ours, by its
        code (RFC 9234 4.1); by it routes get OTC, or are refused as leaks (5). ``cluster_id``: ours (RFC 4456 7), else ``local_router_id``.
        ``enforce_first_as``: an external peer's AS stands first in AS_PATH (RFC 4271 6.3). ``allow_own_as``: how often local_asn may
        stand there. ``max_as_path``: its greatest length, as RFC 4271 9.1.2.2 a counts; ``max_attributes``: octets of a route's attributes but NEXT_HOP and MP_*, AS numbers of four octets.
        ``confederation``: ours (RFC 5065), as its identifier and our Member-AS; a peer to which ``local_asn`` is the latter is in it."""

@final
class Changes:
    """Canonical changes decoded from UPDATEs: the input of ``Engine.apply``. ``rows`` turns them into Python objects for the reference."""

    updates: int
    announced: int
    withdrawn: int
    end_of_rib: list[tuple[int, int]]
    refused: dict[str, int]
    """Well-formed announcements taken as withdrawals: "own-as" (RFC 4271 9.1.2), "own-originator" and "cluster-loop" (RFC 4456 8), "otc-leak" (RFC 9234 5),
    "first-as" (RFC 4271 6.3), "as-path-too-long", "attributes-too-long"; of ``Engine.receive``
    "too-many-paths": of one prefix more than 255 from this peer."""
    faults: list[dict[str, Any]]
    """Kinds of findings: code (0: the message), disposition (0 a prefix ignored, 1 discard .. 4 reset, RFC 7606 2), subcode, rfc, count, and of the first of the kind
    bytes (the attribute with its header, at most 256; of a missing one all attributes) and message (the UPDATE with its header, at most 4096)."""
    error: tuple[int, int, bytes] | None  # NOTIFICATION that resets the session; changes before it still count
    def rows(self) -> list[dict[str, Any]]:
        """Each change in order: {"op": "announce"|"withdraw", "afi", "safi", "prefix": (bytes, len), "path_id", "attributes": dict|None}."""

def decode(updates: Updates, terms: SessionTerms) -> Changes:
    """Decode UPDATEs by RFC 4271 4.3, 4760, 6793, 7606, without any table: the pure half of ``Engine.receive``."""

@final
class MrtReader:
    """An MRT recording (RFC 6396, RFC 8050; not compressed) as runs of UPDATEs, peer by peer.

    BGP4MP and BGP4MP_ET messages come as they were recorded; table dumps (TABLE_DUMP, TABLE_DUMP_V2, IPv4 and IPv6 unicast) as UPDATEs
    that say the same, in the order of the file, with attributes as stored."""

    def __init__(self, data: bytes) -> None: ...
    def read(self, max_records: int = 10000) -> list[tuple[int, Updates]] | None:
        """UPDATEs of up to ``max_records`` more records: one run per peer that spoke, with its index in ``peers``; None at the end.
        ValueError with the offset of what is malformed, once everything before that record has been read."""
    @property
    def peers(self) -> list[dict[str, Any]]:
        """Who was read so far: {"address": bytes, "asn", "router_id": 4 bytes | None, "local_asn": int | None, "four_octet_as", "add_path"}.
        The last two say how to decode its UPDATEs; a speaker recorded in two ways is two rows. Of the LOCAL subtypes the recorder
        is the speaker, and "local_asn" is the AS of whom it spoke to."""
    @property
    def skipped(self) -> int:
        """Records of other types and families, and table entries without a next hop."""

@final
class Engine:
    """The controller's RIB: tables, sources, best path, next-hop resolution, groups, feeds. One writer (the engine thread); any thread may call."""

    def __init__(self, *, router_id: bytes, asn: int, digest_key: bytes, seed: int = 0, fib: bool = True) -> None:
        """``fib``: as of ``add_instance``, for instance 0."""

    def set_options(self, *, instance: int = 0, **options: bool | int) -> None:
        """The knobs of an instance; names not given keep their value, and everything is chosen again by ``step``.

        bool: always_compare_med, missing_med_as_worst, as_path_ignore, compare_router_id (True), prefer_oldest, multipath_relax, weighted (True),
        backup, resolve_via_default (True), advertise_installed. int: default_local_pref (100), multipath_ebgp and multipath_ibgp (1; 1 to 64).
        ValueError: no such option or instance, or a value out of range."""
    def set_time(self, seconds: int) -> None:
        """The clock of the paths' ``since``: u32 seconds, any origin; a smaller value than before is ignored."""

    # --- sources: numbers the caller keeps; 0 is reserved -------------------------------------------------------------------
    def add_instance(self, *, fib: bool = True) -> int:
        """A new network instance; number 0 exists from the start. With ``fib`` False its tables are in no FIB stream."""
    def add_leak(
        self, *, source: int, target: int, protocols: Sequence[str] = (), prefixes: Sequence[tuple[bytes, int, int, int]] = (),
    ) -> int:
        """Every path that a source of instance ``source`` gives is a path of instance ``target`` too, under the same (source, path id). What
        was leaked is not leaked again, and no local address is. protocols: "connected", "static", "bgp"; prefixes: (address, length, ge, le),
        prefixes inside the first two of ge to le bits; empty is all. Several leaks between the same instances add up. ``step`` copies what
        is there already. ValueError: unknown or equal instances, unknown protocol."""
    def remove_leak(self, leak: int) -> None:
        """``step`` takes back what no other leak justifies. ValueError: no such leak."""
    def add_connected_source(self, *, instance: int = 0) -> int: ...
    def add_static_source(self, *, instance: int = 0) -> int: ...
    def add_peer(
        self, *, address: bytes, asn: int, router_id: bytes, ebgp: bool, member: bool = False, client: bool = False, import_accept: bool = True, distance: int | None = None, weight: int = 0,
        instance: int = 0, ncp: str = "", port: str = "",
    ) -> int:
        """A BGP peer as a source (one per Established session; distance defaults to 20 eBGP, 200 iBGP). The higher weight (u16) wins first.
        ncp and port say where the peer is: that is where its link-local next hops are. ``client``: of our reflection (RFC 4456 5), internal.
        ``member``: of another Member-AS of our confederation (RFC 5065), and not ``ebgp``: its routes count as internal."""
    def renew_peer(
        self, source: int, *, address: bytes, asn: int, router_id: bytes, ebgp: bool, member: bool = False, client: bool = False, import_accept: bool = True,
        distance: int | None = None, weight: int = 0, ncp: str = "", port: str = "",
    ) -> None:
        """The peer's session is a new one: its paths stay, and what about it is different is compared and told anew by ``step``.
        ValueError: no such source, no peer, or external and internal differ."""
    def set_limit(self, source: int, *, afi: int, paths: int | None) -> None:
        """While the peer has more paths of the family than this, stale ones aside, what it announces is not taken (RFC 4271 6.7): so it
        never has more than one too many. None: any number, as at first."""
    def mark_stale(self, source: int, *, afi: int) -> None:
        """Every path of the family that the peer gave so far is stale until given again (RFC 4724 4.2): used, told and withdrawn as ever.
        To be given again unchanged makes a path fresh and changes nothing else."""
    def sweep_stale(self, source: int, *, afi: int) -> None:
        """Stale paths count no longer, and ``step`` takes them out."""
    def set_long_lived(self, source: int, *, afi: int, on: bool) -> None:
        """The paths that are stale now lose to any other from here on (RFC 9494 4.3), are told with LLGR_STALE, to such peers only as take
        it, and go if they have NO_LLGR. Off: they are stale like others."""
    def set_port(self, ncp: str, port: str, up: bool) -> None:
        """A next hop with this port does not resolve while it is down. Ports never mentioned are up. Connected routes are not touched."""
    def remove_source(self, source: int) -> None:
        """Withdraw everything the source gave, in bounded slices run by ``step``; the number is not reused while paths remain."""
    def step(self, budget: int = 4096) -> bool:
        """Do up to ``budget`` units of deferred work (peer loss, re-selection); True while more is waiting."""

    # --- BGP in ------------------------------------------------------------------------------------------------------------
    def receive(self, source: int, updates: Updates, terms: SessionTerms) -> Changes:
        """decode + apply in one call, GIL released throughout. The Changes handed back keep counts and faults only."""
    def apply(self, source: int, changes: Changes) -> None: ...

    # --- other sources -----------------------------------------------------------------------------------------------------
    def put_connected(self, source: int, prefix: tuple[bytes, int], ncp: str, port: str, *, local: bool = False, metric: int = 0) -> None: ...
    def delete(self, source: int, prefix: tuple[bytes, int]) -> None: ...
    def put_static(
        self, source: int, prefix: tuple[bytes, int], next_hops: Sequence[dict[str, Any]], *,
        kind: str = "via", distance: int = 1, metric: int = 0, tag: int = 0,
    ) -> None:
        """kind: "via", "blackhole" or "unreachable". A next hop: {"address": bytes, "ncp": str|None, "port": str|None, "weight": int}."""
    def set_networks(self, afi: int, prefixes: Sequence[tuple[bytes, int]], *, instance: int = 0) -> None:
        """Prefixes that BGP originates whenever the RIB holds a non-BGP route for them (``bgp: networks``)."""
    def set_redistribute(self, protocols: Sequence[str], *, instance: int = 0) -> None:
        """BGP also originates the best routes of these protocols ("connected", "static"), but for local addresses, with ORIGIN
        incomplete; ``networks`` comes first. ``step`` tells the peers."""

    # --- FIB feed: one cursor per NCP ----------------------------------------------------------------------------------------
    def fib_open(self) -> int:
        """A new consumer, at the start of a snapshot."""
    def fib_resume(self, sums: Sequence[tuple[int, bytes]]) -> tuple[int, list[tuple[int, bytes]]]:
        """A new consumer whose agent has these routes: (table, 1,024 sums as u64 LE; ``rib.digest``). What is in a shard with an equal sum
        is not read; groups and adjacencies all are. (consumer, [(table, the equal shards as 128 bytes, bit ``n & 7`` of byte ``n >> 3``)])."""
    def fib_close(self, consumer: int) -> None: ...
    def fib_read(self, consumer: int, max_routes: int = 8192) -> FibDelta | None:
        """The next part of the stream, groups before the routes that use them; None when there is nothing to send."""
    def fib_reads(self, consumer: int) -> int:
        """The number of its last read that is to be answered; 0 before the first, and while no instance has ``advertise_installed``."""
    def fib_installed(self, consumer: int, read: int) -> None:
        """The box has installed everything up to this read, but for what ``fib_failed`` named. A prefix new to the FIB of an instance with
        ``advertise_installed`` is told to peers under our own next hop once all boxes that are waited for have it."""
    def fib_wait(self, consumer: int, wait: bool) -> None:
        """Whether the box is waited for; it is at first. While no box is, nothing waits; before the first has come, everything does."""
    def fib_failed(self, consumer: int, table: int, prefix: tuple[bytes, int], failed: bool) -> None:
        """The box could not install a prefix of a table (instance << 8 | AFI), or has it now. Said before the ``fib_installed`` that
        covers it; one that peers were told of is withdrawn."""
    def fib_snapshot_state(self, consumer: int) -> tuple[bool, int, int]:
        """(snapshot complete: the cursor stands at the tail, routes in the FIB, digest of them as u64). Of a number that is no
        consumer: (False, the same numbers)."""

    # --- export: one cursor per peer, bytes shared by peers of one group at the same position ---------------------------------
    def export_open(
        self, *, peer_source: int, afi: int, safi: int, ebgp: bool, local_asn: int, peer_asn: int, next_hop_self: bool,
        local_address: bytes, local_link: bytes | None, four_octet_as: bool, max_message: int = 4096, extended_next_hop: bool = False,
        aigp: bool = False, role: int | None = None, member: bool = False, client: bool = False, cluster_id: bytes | None = None, llgr: bool = False,
        next_hop_unchanged: bool = False, private_as: str | None = None, as_override: bool = False, shared: Sequence[tuple[bytes, int]] = (),
        add_path: int = 0,
    ) -> int:
        """A new Adj-RIB-Out for one peer and family; peers whose terms differ in their own addresses at most share encoded bytes.
        ``aigp``: AIGP may be told (RFC 7311 3.2). A route that came without LOCAL_PREF goes to iBGP peers with ``default_local_pref`` as it
        is now. ``role``: ours, by its code (RFC 9234 4.1): routes with OTC are not told to providers, peers and route servers, and others
        get it towards customers, peers and clients (5). What one internal peer told goes to another if one of them is a ``client``, then with
        ORIGINATOR_ID, ``cluster_id`` (else our router id) in front of CLUSTER_LIST, and the next hop that it has (RFC 4456 8, 10).
        External peers: next hops are told as they came with ``next_hop_unchanged``; else, but for ``next_hop_self`` and routes with AIGP, those on
        the subnets ``shared`` with the peer (RFC 4271 5.1.3; not its own address; where ``local_link`` is told, only with their link-local
        address, RFC 2545 3); else ours. In AS_PATH private AS numbers (RFC 6996) but for the peer's are left out or replaced by ours
        (``private_as``: "remove", "replace"), and with ``as_override`` the peer's is replaced by ours.
        ``llgr``: routes that are long-lived stale, here or by their LLGR_STALE, may be told (RFC 9494 4.5).
        ``add_path``: the peer takes several paths of a prefix, each under an identifier (RFC 7911): at most so many, the best usable
        ones of BGP, 255 for all; 0: the best path, without."""
    def export_again(self, consumer: int) -> None:
        """The whole table comes again, End-of-RIB behind it (RFC 2918 4): what waits is not lost, and path identifiers stay."""
    def export_close(self, consumer: int) -> None: ...
    def export_read(self, consumer: int, max_routes: int = 8192) -> tuple[bytes, int] | None:
        """Whole UPDATE messages, the next of this peer's stream, and how many they are; (b"", 0) when a stretch held nothing for this
        peer; None when nothing is left. The End-of-RIB marker (RFC 4724 2) follows the initial table by itself."""
    def export_backlog(self, consumer: int) -> int: ...
    def export_count(self, consumer: int) -> int:
        """Paths this peer is told of, by the tables as they are now; a walk over the table."""
    def export_groups(self) -> list[dict[str, Any]]:
        """Who shares bytes: {"afi", "safi", "ebgp", "member", "instance", "members": [{"consumer", "peer_source", "backlog"}], "encoded": stretches
        encoded, "shared": stretches that a member had of another's bytes}."""

    # --- watching: best routes of one table, per consumer --------------------------------------------------------------------
    def watch_open(
        self, afi: int, *, instance: int = 0, protocols: Sequence[str] = (), within: tuple[bytes, int] | None = None, initial: bool = True,
    ) -> int:
        """A new reader of the best routes for which the criteria hold; ``initial`` False: of what changes from now on."""
    def watch_read(self, consumer: int, max_routes: int = 256) -> list[dict[str, Any]] | None:
        """{"op": "put", **row as of ``page``} or {"op": "delete", "prefix"}, at least one; None when there is nothing to tell. The last state
        of each prefix; a deletion only of what was told (without ``initial``: or was there before). A route that uses another group is told again,
        one whose group comes to something else is not. May tell again what did not change."""
    def watch_close(self, consumer: int) -> None: ...

    # --- asking --------------------------------------------------------------------------------------------------------------
    def counts(self) -> dict[str, Any]: ...
    def memory(self) -> dict[str, int]:
        """Bytes allocated, by kind: prefixes, paths, attribute_sets, groups, next_hops, logs (and what readers of logs note), total."""
    def source_counts(self, source: int) -> dict[str, int]:
        """{"ipv4": paths, "ipv6": paths, "ipv4_stale": how many of them are stale, "ipv6_stale"}"""
    def lookup(self, prefix: tuple[bytes, int], *, instance: int = 0) -> dict[str, Any] | None:
        """Exact: every path with its standing (best, step against it), the deciding step, resolution tree, group; "waits": a peer that would
        send us packets for it is not told until all boxes that are waited for have it (``fib_installed``). What ``explain`` prints."""
    def longest_match(self, address: bytes, *, instance: int = 0) -> tuple[bytes, int] | None: ...
    def page(self, afi: int, cursor: int, limit: int, *, instance: int = 0) -> tuple[list[dict[str, Any]], int | None]:
        """Up to ``limit`` best routes from a stable cursor (0 starts), as they lie in memory; the next cursor, None at the end. A row:
        {"prefix", "instance", "protocol", "source", "path_id", "distance", "metric", "tag", "since", "best", "role" ("best", "multipath",
        "backup" or ""), "leaked", "stale", "step" (the deciding one; of another path than the best the one it lost at, or why it is unusable),
        "next_hops" (adjacencies of the best route's group with weight and role), "group": id or None, "attributes": dict or None}."""
    def covering(self, prefix: tuple[bytes, int], *, instance: int = 0) -> list[dict[str, Any]]:
        """The best routes whose prefix covers this one, itself included, longest first; rows as of ``page``."""
    def query(
        self, afi: int, *, instance: int = 0, after: tuple[bytes, int] | None = None, limit: int = 100, best_only: bool = True,
        within: tuple[bytes, int] | None = None, protocols: Sequence[str] = (), source: int | None = None, communities: Sequence[str] = (),
        as_in_path: int | None = None, origin_as: int | None = None, neighbor_as: int | None = None,
    ) -> tuple[list[dict[str, Any]], tuple[bytes, int] | None]:
        """Rows as of ``page``, of paths for which all criteria hold, in the order of prefixes (address, then length) behind ``after``;
        the last prefix shown if more follow, else None. ``best_only`` False: every path, unusable ones too, those of a prefix by
        (source, path id) and never cut, so that the last prefix may exceed the limit. communities: each is present, as "65001:100",
        "a:b:c" or 16 hexadecimal digits; origin_as: the last AS of a path that does not end in a set; neighbor_as: as MED is compared,
        0 for none; as_in_path: anywhere. Paths of other protocols have no community and no AS. The first page of a large table is one pass over it; the second
        makes an order of it that further pages walk along.
        ValueError: no such instance or protocol, no community."""
    def next_hops(self) -> list[dict[str, Any]]:
        """Every next hop that is looked up: address, instance, resolved, via (prefix or None), protocol of that route, metric, adjacencies with
        weights, reason it is not resolved, sets (groups in use that name it), changed (seconds of ``set_time``) and change (its last one)."""
    def groups(self) -> list[dict[str, Any]]: ...
    def adj_rib_out(self, consumer: int, limit: int) -> list[dict[str, Any]]:
        """{"prefix", "path_id": None where the session has none, "attributes"} of up to ``limit`` paths that this peer is told of, by the
        tables as they are now."""

    @property
    def healthy(self) -> bool:
        """False once a call has panicked: the tables can no longer be trusted."""

@final
class FibDelta:
    """One stretch of the FIB stream, in the order an agent must apply it."""

    adjacencies: list[tuple[int, str, str, bytes, int]]   # id, owner NCP, port, gateway (b"" on-link), kind 0 ip 1 drop 2 local 3 unreachable
    groups: list[tuple[int, bytes, int, bytes]]           # id, 16-byte key, kind (as adjacency), members: per member u32 adjacency, u16 weight, u8 role 0/1, u8 0; LE
    routes: list[tuple[int, bytes, bytes, bytes, bytes]]  # table, dst column, plen column, nhg column (u32 LE), op column (1 put, 0 delete)
    dead_groups: list[int]
    dead_adjacencies: list[int]
    urgent: bool
    count: int                                            # routes in it

def routes_among(
    routes: Sequence[tuple[int, bytes, bytes, bytes, bytes]], keys: dict[tuple[int, bytes, int], Any]
) -> list[tuple[int, bytes, int]]:
    """Which of these (table, address, length) the routes of a stretch of the FIB are; as ``FibDelta.routes`` has them."""

def netlink_dump_part(chunk: bytes, sequence: int) -> tuple[int, bool, bool, int]:
    """What one read of a netlink dump holds: (bytes of its whole messages, at its end, broken by a change, errno)."""

@final
class AgentFib:
    """The agent's model of one box: what the controller wants, what this box's ports allow, what the kernel holds. Plain state;
    netlink bytes out, verdict bytes in. Kernel ids are this object's own."""

    def __init__(self, *, ncp: str, table: int = 254, protocol: int = 201, metric: int = 50, id_base: int = 0x20000000) -> None: ...
    # facts of this box
    def set_port(self, name: str, ifindex: int, up: bool) -> None:
        """A port appeared or changed. Going down forgets the nexthops the kernel has deleted with it; coming up writes them again."""
    def remove_port(self, name: str) -> None: ...
    def set_fabric(self, port: str | None, peers: dict[str, tuple[bytes | None, bytes | None]]) -> None:
        """This box's fabric port and each other NCP's fabric (IPv4, IPv6) address on it."""
    def set_weights(self, *, wide: bool, backup: bool) -> None:
        """Whether this kernel's weights have 16 bits (Linux 6.12), not 8; whether this box's backups stand beside its primaries at the
        least weight there is, so that losing a primary's carrier moves routes with no action of ours."""
    # the stream
    def put_adjacencies(self, rows: Sequence[tuple[int, str, str, bytes, int]]) -> None: ...
    def put_groups(self, rows: Sequence[tuple[int, bytes, int, bytes]]) -> None: ...
    def put_routes(self, table: int, dst: bytes, plen: bytes, nhg: bytes, op: bytes) -> list[tuple[int, str]]:
        """Apply columns to the model. Returns (index, reason) of rows refused: unknown group, bad length. Raises ValueError on unequal columns."""
    def drop_groups(self, ids: Sequence[int]) -> None: ...
    def drop_adjacencies(self, ids: Sequence[int]) -> None: ...
    def snapshot_begin(self, kept: Sequence[tuple[int, bytes]] = ()) -> None:
        """Mark everything stale (wire ids of the new stream replace the old ones as they arrive) but the routes in shards of ``kept``,
        which are as if put again: (table, a bit per shard as of ``Engine.fib_resume``)."""
    def shard_sums(self) -> list[tuple[int, bytes]]:
        """(table, 1,024 sums as u64 LE) of the routes whose group's key is known, stale ones too: what ``Engine.fib_resume`` takes."""
    def retry_failed(self) -> int:
        """Try again what the kernel refused, so many routes: what fails again is among the failures of ``batch_done`` again."""
    def snapshot_end(self, count: int, digest: int, sweep: bool = True) -> tuple[bool, int, int]:
        """(count and digest agree, own count, own digest). Sweeps what was not marked only when they agree."""
    def set_digest_key(self, key: bytes) -> None: ...
    # what the kernel had when the agent started: raw dump bytes of own nexthops and routes; everything found is stale until a snapshot marks it
    def adopt_nexthops(self, dump: bytes) -> int: ...
    def adopt_routes(self, dump: bytes) -> int: ...
    def memory(self) -> bytes:
        """What its next life must know beside the kernel: whose key each kernel group is, routes without a nexthop object, ids used up."""
    @property
    def unsaved(self) -> bool:
        """Whether ``memory`` would say something else than it last did."""
    def recall(self, memory: bytes) -> int:
        """After the dumps: give what they found the keys it has in a memory. Number of routes whose key is known now, so that they count in
        ``shard_sums``. Bytes that make no sense are ignored."""
    # netlink
    def next_batch(self, max_bytes: int = 262144, position: int = 0) -> tuple[bytes, int, int] | None:
        """(messages, first sequence, last sequence) of the next batch, NLM_F_ACK on its last message only; None when the kernel has all.
        One batch may be outstanding. ``position``: the stream has been put in up to there, and perhaps further."""
    @property
    def reached(self) -> int:
        """The last such position up to which the kernel has answered for everything, as long as nothing has to be looked at again."""
    def batch_done(self, replies: bytes) -> list[tuple[int, bytes, int, int, str]]:
        """Feed every reply to the outstanding batch. Returns failures: (table, address, length, errno, text); ESRCH on delete and EEXIST are no failures."""
    # the kernel held to the model
    def audit_begin(self, routes: bool) -> None:
        """Of routes, or else of nexthops, before they are dumped: what is written from here on is not judged."""
    def audit_routes(self, dump: bytes) -> None:
        """A slice of a dump of routes, whole messages."""
    def audit_doubtful(self) -> bool:
        """IPv6 routes are missing: a dump may leave some out while the tree changes; dump IPv6 routes once more."""
    def audit_nexthops(self, dump: bytes) -> None:
        """A slice of a dump of nexthops, whole messages; all of it, and none of one that a change broke."""
    def audit_end(self) -> tuple[dict[str, Any], list[tuple[int, bytes, int, int, str]]]:
        """After every event the kernel sent meanwhile was taken. Counts {compared, missing, different, foreign, nexthops_missing, nexthops_different,
        nexthops_foreign, held, contested} with "names" of contested prefixes, and failures as of batch_done: routes held back as they drifted before.
        What is to be repaired is pending."""
    def audit_abandon(self) -> None: ...
    def nexthop_events(self, events: bytes) -> tuple[int, int]:
        """Notifications about nexthops from others: (of ours deleted, of ours changed). What is to be repaired is pending."""
    @property
    def pending(self) -> int: ...
    @property
    def installed(self) -> int: ...
    def counts(self) -> dict[str, int]: ...
    def failed_by_errno(self) -> dict[int, int]:
        """How many routes the kernel refuses now, by errno. Looks at every route."""
    def digest(self) -> tuple[int, int]: ...
    def route(self, table: int, prefix: tuple[bytes, int]) -> dict[str, Any] | None:
        """{"nhg", "state": "installed"|"pending"|"failed"|"unresolved"|"stale", "errno", "kernel_group", "members": [...]}"""
    def page(self, table: int, cursor: int, limit: int) -> tuple[list[dict[str, Any]], int | None]: ...
