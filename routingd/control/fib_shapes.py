"""Shapes of the answers about how routes get from the RIB into each box's kernel; parts of
``routingd.control.shapes``."""

from __future__ import annotations

from typing import Literal, TypedDict

from routingd.control.route_shapes import FibRow

# --- show fib consistency (args: ncp, absent for all; audit, absent for no) ------------------------------------------


class FibSum(TypedDict):
    """What a forwarding table comes to."""

    ipv4: int
    """Routes."""
    ipv6: int
    digest: str
    """Of prefixes and their groups' keys, in hexadecimal; equal digests mean equal tables."""


class FibAudit(TypedDict):
    """The last time that an agent compared its kernel with its model."""

    ago: float
    """Seconds."""
    seconds: float
    """That it took."""
    compared: int
    """Routes."""
    drifted: int
    """Routes and nexthops that were missing, different or not ours to have."""
    repaired: int
    contested: int
    """Routes that drifted again and again, and are left alone."""


class FibStanding(TypedDict):
    """One box against the controller, and its kernel against the box's model."""

    ncp: str
    state: Literal["equal", "moving", "differs", "unknown"]
    """Moving: changes are on their way, so that the two are not of one moment. Unknown: the box cannot be asked."""
    reason: str
    advice: str
    """What to do, where it is not equal."""
    model: FibSum | None
    """The agent's; None where it is unknown."""
    installed: int
    pending: int
    failed: int
    outstanding: int
    """Transactions that the box has not acknowledged."""
    lag: float
    """Seconds: age of the oldest of those."""
    audit: FibAudit | None
    """None: there was none yet."""


class FibConsistency(TypedDict):
    install: bool
    """False: kernel install is off, so that the controller wants every FIB to be empty."""
    controller: FibSum
    ncps: list[FibStanding]


# --- show route ncp (args: prefix; ncp, absent or "all" for all) -----------------------------------------------------


class RouteAtNcps(TypedDict):
    asked: str
    prefix: str
    group: int | None
    """Of the RIB; None where the route is in no FIB."""
    key: str | None
    ncps: list[FibRow]


# --- show ncp detail: what it has beside the row of show ncp ---------------------------------------------------------


class NcpLatency(TypedDict):
    """Seconds from being readable in the RIB to installed in the kernel, since routingd began."""

    count: int
    median: float | None
    most: float | None
    """99 of 100."""
    longest: float | None


class ErrnoCount(TypedDict):
    """Routes that the box's kernel or agent refused, every attempt counted."""

    errno: int
    name: str
    text: str
    count: int


class NcpBeat(TypedDict):
    """The agent's last heartbeat."""

    queue_depth: int
    """Messages that wait for the kernel."""
    lag: float
    """Seconds by which its event loop was late."""
    last_audit: float | None
    """Seconds since its kernel was compared with its model."""


class NcpSession(TypedDict):
    """A BGP session whose socket is at this box."""

    address: str
    state: str
    local: str
    remote: str
