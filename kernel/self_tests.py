"""What the design leans on of this kernel, tried out at the agent's start in a namespace of its own: whether it holds,
what was measured, and what it means for a person where it does not.

Owns no decision: ``wide_weights`` says what the model may write, everything else is for people.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal, Protocol

from kernel import scratch
from kernel.netlink import NetlinkError
from kernel.scratch import Scratch

PATIENCE: Final = 0.8
"""Seconds for all of them; what is not known by then stays unknown."""
_ROUTES: Final = 4096
_FREE: Final = 0.05e-6
"""Seconds for each route, below which a change costs the same however many there are."""
_ROUNDS: Final = 3
_V4: Final = [bytes([10, 0, 0, n]) for n in range(1, 4)]
_V6: Final = [bytes([0xFE, 0x80, *bytes(13), n]) for n in range(1, 4)]
_NEAR, _FAR = "facts0", "facts1"
_WIDE: Final = 65535

Severity = Literal["info", "warning", "alarm"]


class Conditions(Protocol):
    def set(self, code: str, severity: Severity, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Fact:
    code: str
    holds: bool | None
    """None: not known."""
    measured: str
    means: str
    """For a person, where it does not hold."""
    severity: Severity | None
    """Of the condition that this is where it does not hold; None: there is none, as there is another way."""


@dataclass(frozen=True, slots=True)
class KernelFacts:
    facts: tuple[Fact, ...] = ()
    untested: str = ""
    """Why some of them, or all, are not known."""

    def rows(self) -> list[list[Any]]:
        """[code, whether it holds (None: not known), what was measured, what it means where it does not]"""
        known = [[fact.code, fact.holds, fact.measured, fact.means] for fact in self.facts]
        return known + [[test.code, None, self.untested, test.means] for test in _TESTS[len(known) :]]

    def judge(self, conditions: Conditions) -> None:
        """What does not hold, and what is not known, as conditions of this box."""
        for fact in self.facts:
            if fact.severity and not fact.holds:
                conditions.set(f"kernel-{fact.code}", fact.severity, f"{fact.means} ({fact.measured})")
        if self.untested:
            conditions.set("kernel-unknown", "info", f"the kernel was not tried out: {self.untested}")

    @property
    def wide_weights(self) -> bool:
        return any(fact.code == "weights-of-16-bits" and fact.holds for fact in self.facts)


Verdict = tuple[bool, str]
"""Whether it holds, what was measured."""


@dataclass(frozen=True, slots=True)
class _Test:
    code: str
    try_out: Callable[[Scratch, int], Verdict]
    means: str
    severity: Severity | None


def run(patience: float = PATIENCE) -> KernelFacts:
    """In a thread, whose namespace goes with it. Never raises, and never takes longer than ``patience``."""
    found: list[Fact] = []
    trouble: list[str] = []
    thread = threading.Thread(target=_try_all, args=(found, trouble), name="kernel-facts", daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        trouble.append(f"they took longer than {patience:g} s")
    return KernelFacts(tuple(found), trouble[0] if trouble else "")


def _try_all(found: list[Fact], trouble: list[str]) -> None:
    try:
        scratch.enter()
        box = Scratch()
    except OSError as error:
        trouble.append(f"no network namespace to try them in: {error.strerror or error}")
        return
    try:
        box.power("lo", True)  # without a local table no IPv4 gateway is one
        port = box.pair(_NEAR, _FAR)
        for test in _TESTS:
            found.append(_tried(test, box, port))
            for number in box.nexthops():
                box.one(scratch.delete(number))
    except OSError as error:
        trouble.append(f"the namespace to try them in: {error.strerror or error}")
    finally:
        box.close()


def _tried(test: _Test, box: Scratch, port: int) -> Fact:
    try:
        holds, measured = test.try_out(box, port)
    except NetlinkError:
        raise
    except OSError as error:
        holds, measured = False, error.strerror or str(error)
    return Fact(test.code, holds, measured, test.means, test.severity)


# --- what is tried ----------------------------------------------------------------------------------------------------


def _objects(box: Scratch, port: int) -> Verdict:
    codes = [box.one(scratch.singleton(1, _V4[0], port)), box.one(scratch.group(10, {1: 1}))]
    codes.append(box.one(scratch.route(bytes([20, 0, 0, 0]), 24, 10)))
    return not any(codes), _said(next((code for code in codes if code), 0))


def _members(box: Scratch, port: int, gateways: list[bytes]) -> None:
    """Singletons 1 to 3, group 10 of the first two."""
    for number, gateway in enumerate(gateways, 1):
        box.must(scratch.singleton(number, gateway, port))
    box.must(scratch.group(10, {1: 1, 2: 1}))


def _fill(box: Scratch, family: int) -> None:
    batch = []
    for n in range(_ROUTES):
        tail = n.to_bytes(2, "big")
        if family == socket.AF_INET:
            batch.append(scratch.route(bytes([20, *tail, 0]), 24, 10))
        else:
            batch.append(scratch.route(bytes([0x20, 1, *tail, *bytes(12)]), 32, 10))
    if failed := box.all(batch):
        raise OSError(failed[min(failed)], "routes were refused: " + _said(failed[min(failed)]))


def _usual(box: Scratch, changes: list[list[bytes]]) -> float:
    """Seconds of CPU of the usual one of several changes: who else runs here counts for little."""
    spent = []
    for change in changes:
        start = time.thread_time()
        failed = box.all(change)
        spent.append(time.thread_time() - start)
        if failed:
            raise OSError(failed[min(failed)], _said(failed[min(failed)]))
    return median(spent)


def _each(box: Scratch, family: int, changes: list[list[bytes]]) -> Verdict:
    """Whether these changes cost the same under many routes as under none."""
    alone = _usual(box, changes)
    _fill(box, family)
    return _judged(alone, _usual(box, changes))


def _judged(alone: float, crowded: float) -> Verdict:
    figures = f"{crowded * 1e3:.3f} ms under {_ROUTES} routes, {alone * 1e3:.3f} ms under none, of CPU"
    return (crowded - alone) / _ROUTES < _FREE, figures


def _replaced(number: int = 10) -> list[list[bytes]]:
    there_and_back = [[scratch.group(number, {1: 1})], [scratch.group(number, {1: 1, 2: 1})]]
    return there_and_back * _ROUNDS


def _ipv4_groups(box: Scratch, port: int) -> Verdict:
    box.sysctl("ipv4/nexthop_compat_mode", "0")
    _members(box, port, _V4)
    return _each(box, socket.AF_INET, _replaced())


def _ipv6_groups(box: Scratch, port: int) -> Verdict:
    _members(box, port, _V6)
    return _each(box, socket.AF_INET6, _replaced())


def _ipv6_members(box: Scratch, port: int) -> Verdict:
    """One at a time out of group 10, which keeps the last."""
    count = 2 * _ROUNDS + 1
    for number in range(1, count + 1):
        box.must(scratch.singleton(number, bytes([*_V6[0][:15], number]), port))
    box.must(scratch.group(10, dict.fromkeys(range(1, count + 1), 1)))
    leave = [[scratch.delete(number)] for number in range(1, count)]
    alone = _usual(box, leave[:_ROUNDS])
    _fill(box, socket.AF_INET6)
    return _judged(alone, _usual(box, leave[_ROUNDS:]))


def _wide(box: Scratch, port: int) -> Verdict:
    _members(box, port, _V4)
    if code := box.one(scratch.group(10, {1: _WIDE, 2: 1})):
        return False, _said(code)
    kept = int.from_bytes(box.nexthops()[10][2][4:6], "little") + 1
    return kept == _WIDE, f"{_WIDE} is kept as {kept}"


def _mixed(box: Scratch, port: int) -> Verdict:
    box.must(scratch.singleton(1, _V6[0], port))
    box.must(scratch.group(10, {1: 1}))
    code = box.one(scratch.route(bytes([20, 0, 0, 0]), 24, 10))
    return not code, _said(code)


def _one_by_one(box: Scratch, port: int) -> Verdict:
    """The second and the fourth of five are wrong: a nexthop that is not there."""
    _members(box, port, _V4)
    prefixes = [bytes([20, 0, n, 0]) for n in range(5)]
    failed = box.all([scratch.route(prefix, 24, 99 if n % 2 else 10) for n, prefix in enumerate(prefixes)])
    there = [n for n, prefix in enumerate(prefixes) if not box.one(scratch.withdraw(prefix, 24))]
    named = ", ".join(f"{place + 1} ({_said(code)})" for place, code in sorted(failed.items()))
    return list(failed) == [1, 3] and there == [0, 2, 4], f"refused of five: {named or 'none'}"


def _withdrawn(box: Scratch, port: int) -> Verdict:
    _members(box, port, _V4)
    box.must(scratch.route(bytes([20, 0, 0, 0]), 24, 10))
    code = box.one(scratch.withdraw(bytes([20, 0, 0, 0]), 24))
    return not code and not box.routes(), _said(code)


def _shrinks(box: Scratch, port: int) -> Verdict:
    """Group 10 has a member elsewhere, group 11 has not."""
    other = box.pair("facts2", "facts3")
    box.must(scratch.singleton(1, _V4[0], port))
    box.must(scratch.singleton(2, _V4[1], other))
    box.must(scratch.group(10, {1: 1, 2: 1}))
    box.must(scratch.group(11, {2: 1}))
    box.power("facts3", False)
    patience = time.monotonic() + PATIENCE / 4
    while 2 in (left := box.nexthops()) and time.monotonic() < patience:
        time.sleep(0.001)  # the kernel tells of lost carrier from a thread of its own
    kept = len(left[10][2]) // 8 if 10 in left else 0
    return set(left) == {1, 10} and kept == 1, f"{kept} of two members left, the other group is " + (
        "still there" if 11 in left else "gone"
    )


def _told(box: Scratch, port: int) -> Verdict:
    listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    with listener:
        listener.bind((0, 0))
        listener.settimeout(PATIENCE / 4)
        listener.setsockopt(270, 1, 32)  # NETLINK_ADD_MEMBERSHIP, RTNLGRP_NEXTHOP
        box.must(scratch.singleton(1, _V4[0], port))
        box.must(scratch.delete(1))
        try:
            kinds = [int.from_bytes(listener.recv(4096)[4:6], "little") for _ in range(2)]
        except TimeoutError:
            return False, "silence"
    return kinds == [104, 105], "an addition and a deletion were told"


def _said(code: int) -> str:
    return errno.errorcode.get(code, str(code)) if code else "done"


_TESTS: Final = (
    _Test("nexthop-objects", _objects, "no route can be written: Linux 5.3 or newer is needed", "alarm"),
    _Test(
        "errors-by-message", _one_by_one,
        "what the kernel refuses cannot be told from what it took: routes may be missing unseen", "alarm",
    ),
    _Test(
        "deletion-by-prefix", _withdrawn, "routes that are withdrawn may stay in the kernel", "alarm",
    ),
    _Test("ipv4-over-ipv6", _mixed, "IPv4 routes with IPv6 next hops are refused", "warning"),
    _Test(
        "weights-of-16-bits", _wide,
        "weights have 8 bits: unequal shares are coarse, and a weighted backup carries 1 flow in 256", "info",
    ),
    _Test(
        "carrier-loss-shrinks-groups", _shrinks,
        "a port without carrier takes traffic until the agent has rewritten its groups", "warning",
    ),
    _Test("changes-are-told", _told, "nexthop objects that others delete are missed until the next audit", "warning"),
    _Test(
        "ipv4-groups-cost-no-routes", _ipv4_groups,
        "group changes cost O(routes) here: convergence will be slow (net.ipv4.nexthop_compat_mode must be 0)",
        "warning",
    ),
    _Test(
        "ipv6-members-cost-no-routes", _ipv6_members,
        "a next hop that fails under IPv6 routes costs O(routes): convergence will be slow", "warning",
    ),
    _Test(
        "ipv6-groups-cost-no-routes", _ipv6_groups,
        "replacing an IPv6 group costs O(routes), as on all kernels known: the agent removes members or changes "
        "singletons where that suffices", None,
    ),
)  # fmt: skip
