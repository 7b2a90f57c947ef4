"""What other implementations do when everything is told again, measured: the table of docs/restart.md, by which
sessions are adopted or restarted.

A peer of bare bytes has a session with each, with graceful restart and without, asks it for a refresh, and tells its
own routes again between markers, without one of them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from protocols.bgp.capabilities import EnhancedRouteRefresh, GracefulRestart, RouteRefresh, encode_capability
from protocols.bgp.messages import MessageType, Open, RouteRefreshMessage, decode_open
from tests.lab import updates
from tests.lab.attributes import Attributes
from tests.lab.bird import Bird
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig, Restarts
from tests.lab.raw_peer import RawPeer
from tests.lab.waiting import LabTimeoutError, wait_for

pytestmark = pytest.mark.netns

PAGE = Path(__file__).parents[2] / "docs" / "restart.md"
DAEMONS: tuple[tuple[str, type[Peer]], ...] = (
    ("BIRD 2.0.12", Bird), ("FRR 8.4.4", Frr), ("GoBGP 3.10", GoBgp), ("OpenBGPD 7.7", OpenBgpd),
)  # fmt: skip
PATIENCE = 5.0
"""Seconds for an answer."""
STAYS, GOES = "203.0.113.0/25", "203.0.113.128/25"
THEIRS = "198.51.100.0/24"
REQUEST, BEGINS, ENDS = (RouteRefreshMessage(1, 1, subtype).encode() for subtype in (0, 1, 2))


@dataclass
class Subject:
    """One daemon in one configuration, and the session that we have with it."""

    name: str
    graceful: bool
    number: int
    daemon: type[Peer]

    @property
    def us(self) -> str:
        return f"10.{self.number}.0.2"

    @property
    def them(self) -> str:
        return f"10.{self.number}.0.1"

    def start(self, lab: Lab) -> None:
        box, ours = lab.box(f"{self.daemon.kind}{self.number}"), lab.namespaces["us"]
        ours_and_theirs = {"a_addresses": [f"{self.us}/24"], "b_addresses": [f"{self.them}/24"]}
        lab.link(ours, f"eth{self.number}", box, "eth0", **ours_and_theirs)
        said = Restarts(60, end_of_rib=True) if self.graceful else None
        neighbor = Neighbor(self.us, 65001, self.them, families=(4,), restarts=said, hold_time=240)
        config = PeerConfig(65020, f"10.0.0.{self.number}", [neighbor], (Announcement(THEIRS),))
        self.peer = self.daemon(box, config)
        self.peer.start()

    def connect(self, lab: Lab) -> None:
        more = [RouteRefresh(), EnhancedRouteRefresh()]
        offered = [*more, GracefulRestart(False, False, 120, ((1, 1, True),))] if self.graceful else more

        def attempt() -> RawPeer | None:
            raw = RawPeer(
                lab.namespaces["us"], local=self.us, remote=self.them, asn=65001, families=(1,), hold_time=240,
                more=b"".join(map(encode_capability, offered)),
            )  # fmt: skip
            if raw.up():
                raw.send(self.update(STAYS) + self.update(GOES) + updates.END_OF_RIB_IPV4)
                if until(lambda: THEIRS in self.told(raw)):
                    return raw
            raw.close()
            return None

        found = wait_for(f"a session with {self.name}", attempt)
        assert found is not None
        self.raw = found
        wait_for(f"our routes at {self.name}", self.held, lambda held: held == {STAYS, GOES})

    def update(self, prefix: str) -> bytes:
        attributes = Attributes(origin="igp", as_path="65001", next_hop=self.us)
        return b"".join(updates.announcements([updates.parse_prefix(prefix)], attributes))

    def held(self) -> set[str]:
        return {prefix for prefix, _ in self.peer.routes(self.us, 4)}

    def told(self, raw: RawPeer, since: int = 0) -> set[str]:
        replay = updates.Replay()
        for kind, body in raw.heard[since:]:
            if kind == MessageType.UPDATE:
                replay.feed(updates.message(kind, body))
        return set(replay.routes)

    def offers(self) -> Open:
        return decode_open(next(body for kind, body in self.raw.heard if kind == MessageType.OPEN))

    def row(self) -> str:
        said = self.offers().capabilities
        graceful = [c for c in said if isinstance(c, GracefulRestart)]
        kept = "no" if not graceful else "with routes" if graceful[0].families else "helper"
        enhanced = any(isinstance(c, EnhancedRouteRefresh) for c in said)

        asked = len(self.raw.heard)
        self.raw.send(REQUEST)
        answers = until(lambda: THEIRS in self.told(self.raw, asked))
        marked = until(lambda: self.markers(asked) == [1, 2]) if answers else False
        self.raw.send(BEGINS + self.update(STAYS) + ENDS)
        swept = until(lambda: self.held() == {STAYS})
        fate = "adopted" if self.graceful and graceful and enhanced and marked and swept else "graceful restart"
        if not self.graceful:
            fate = "new session"
        cells = [
            self.name, "yes" if self.graceful else "no", kept, yes(any(isinstance(c, RouteRefresh) for c in said)),
            yes(enhanced), yes(answers), yes(marked), yes(swept), fate,
        ]  # fmt: skip
        return f"| {' | '.join(cells)} |"

    def markers(self, since: int) -> list[int]:
        return [struct.unpack("!HBB", b)[1] for kind, b in self.raw.heard[since:] if kind == MessageType.ROUTE_REFRESH]


def yes(seen: bool) -> str:
    return "yes" if seen else "no"


def until(condition: Callable[[], bool]) -> bool:
    """Whether it comes true in time."""
    try:
        return wait_for("an answer", condition, timeout=PATIENCE, every=0.02)
    except LabTimeoutError:
        return False


def test_what_peers_do_when_everything_is_told_again_is_what_the_page_says(lab: Lab) -> None:
    pairs = [(name, daemon, graceful) for name, daemon in DAEMONS for graceful in (True, False)]
    subjects = [Subject(name, graceful, n, daemon) for n, (name, daemon, graceful) in enumerate(pairs, 1)]
    lab.box("us")
    for subject in subjects:
        subject.start(lab)
    for subject in subjects:
        subject.connect(lab)
    with ThreadPoolExecutor(len(subjects)) as pool:  # most answers are waited for in vain
        rows = list(pool.map(Subject.row, subjects))
    said = re.findall(r"^\| (?:BIRD|FRR|GoBGP|OpenBGPD) .*\|$", PAGE.read_text(), re.M)
    assert said == rows, "measured now, for the page:\n" + "\n".join(rows)
