"""What this box shall be: forwarding sysctls, ports brought up, addresses added and removed. Idempotent.

Owns writing to links and addresses (rtnetlink, RFC 3549) and to /proc/sys/net of this network namespace. Routes are
``kernel.routes``'s.
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

SYSCTLS: Final = {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
    # Replacing a next-hop group under a million IPv4 routes takes 0.02 to 0.08 ms with it off, seconds with it on.
    "ipv4/nexthop_compat_mode": "0",
    # Flows, not addresses, choose a path.
    "ipv4/fib_multipath_hash_policy": "1",
    "ipv6/fib_multipath_hash_policy": "1",
}
_NET: Final = Path("/proc/sys/net")
_IFA_F_NODAD: Final = 0x02
_STRICT: Final = "1"
_LOOSE: Final = "2"


@dataclass(slots=True)
class Applied:
    """What came of it."""

    added: set[tuple[str, str]] = field(default_factory=set)
    """(port, "a/len") that are there because of us."""
    problems: list[str] = field(default_factory=list)


def set_sysctls() -> list[str]:
    """Make this namespace a router. Returns what could not be set, for a person."""
    problems = []
    for name, value in SYSCTLS.items():
        path = _NET / name
        try:
            if path.read_text().strip() != value:
                path.write_text(value)
        except OSError as error:
            key = "net." + name.replace("/", ".")
            problems.append(f"sysctl {key}={value}: {error.strerror}; routes may be slow or not used")
    problems.extend(_relax_reverse_path())
    return problems


def _relax_reverse_path() -> list[str]:
    """What enters at one box leaves at another, so the way back rarely is the way in: strict filtering (RFC 3704 2.2)
    would drop it. The kernel uses the larger of "all" and the port's own, so a loose "all" (RFC 3704 2.4) is enough;
    off stays off."""
    try:
        values = [path.read_text().strip() for path in sorted(_NET.glob("ipv4/conf/*/rp_filter"))]
        if _STRICT in values:
            (_NET / "ipv4/conf/all/rp_filter").write_text(_LOOSE)
    except OSError as error:
        return [f"sysctl net.ipv4.conf.all.rp_filter={_LOOSE}: {error.strerror}; packets between boxes may be dropped"]
    return []


async def apply(
    wanted: Mapping[str, Iterable[str]],
    indexes: Mapping[str, int],
    present: set[tuple[str, str]],
    ours: set[tuple[str, str]],
    down: frozenset[str] = frozenset(),
) -> Applied:
    """Bring ports up, or ``down``, and make their addresses so. ``present`` is what they have, ``ours`` what an earlier
    call added: only that is ever removed. A port that does not exist is not a problem: it is tried again when it
    appears."""
    result = Applied(added=set(ours))
    targets = {(port, _canonical(address)) for port, addresses in wanted.items() for address in addresses}
    async with AsyncIPRoute() as route:
        for port, text in sorted(ours - targets):
            if port in indexes and (port, text) in present:
                await _address(route, "del", indexes[port], text, result)
            result.added.discard((port, text))
        for port in wanted:
            if port in indexes:
                await _bring(route, port, indexes[port], "down" if port in down else "up", result)
        for port, text in sorted(targets - present):
            if port in indexes and await _address(route, "add", indexes[port], text, result):
                result.added.add((port, text))
    return result


def _canonical(text: str) -> str:
    return str(ipaddress.ip_interface(text))


async def _bring(route: AsyncIPRoute, port: str, index: int, state: str, result: Applied) -> None:
    try:
        await route.link("set", index=index, state=state)
    except (NetlinkError, OSError) as error:
        result.problems.append(f"port {port} cannot be brought {state}: {error}")


async def _address(route: AsyncIPRoute, operation: str, index: int, text: str, result: Applied) -> bool:
    interface = ipaddress.ip_interface(text)
    options = {"index": index, "address": str(interface.ip), "prefixlen": interface.network.prefixlen}
    if interface.version == 6 and operation == "add":
        options["flags"] = _IFA_F_NODAD  # a router's address must be usable now: the configuration vouches for it
    try:
        await route.addr(operation, **options)
    except NetlinkError as error:
        if error.code in (errno.EEXIST, errno.EADDRNOTAVAIL):
            return operation == "del"
        result.problems.append(f"address {text}: {operation} failed: {error}")
        return False
    except OSError as error:
        result.problems.append(f"address {text}: {operation} failed: {error}")
        return False
    return True
