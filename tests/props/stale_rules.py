"""Rules: sessions end and come back while what they told is kept (RFC 4724, RFC 9494); some may give only so much
(RFC 4271 6.7)."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.props.machine import Machine, settle_or_not
from tests.props.peers import PeerConfig
from tests.props.pools import fitting, of_pool
from tests.props.source_rules import which_one

some_families = st.sampled_from(((1, 2), (1,), (2,)))


class StaleRules(Machine):
    @precondition(lambda self: self.peers)
    @rule(which=which_one, afis=some_families, times=st.sampled_from((1, 1, 1, 2, 300)), settle=settle_or_not)
    def mark_stale(self, which: int, afis: tuple[int, ...], times: int, settle: bool) -> None:
        for afi in afis * times:
            self.pair.call("mark_stale", self.peer(which).number, afi=afi)
        self.done(settle)

    @precondition(lambda self: any(peer.said for peer in self.peers))
    @rule(which=which_one, newest=st.integers(0, 3), settle=settle_or_not)
    def announce_again(self, which: int, newest: int, settle: bool) -> None:
        telling = [peer for peer in self.peers if peer.said]
        peer = telling[which % len(telling)]
        family, row, path_id = peer.said[-1 - newest % len(peer.said)]
        self.pair.announce(peer.number, peer.config, family, fitting(row, family[0], peer.config), path_id)
        self.done(settle)

    @precondition(lambda self: self.peers)
    @rule(which=which_one, afis=some_families, settle=settle_or_not, slices=st.integers(0, 3))
    def sweep_stale(self, which: int, afis: tuple[int, ...], settle: bool, slices: int) -> None:
        for afi in afis:
            self.pair.call("sweep_stale", self.peer(which).number, afi=afi)
        for _ in range(slices):
            self.pair.native.step(2)
        self.done(settle)

    @precondition(lambda self: self.peers)
    @rule(which=which_one, afis=some_families, on=st.booleans(), settle=settle_or_not)
    def set_long_lived(self, which: int, afis: tuple[int, ...], on: bool, settle: bool) -> None:
        for afi in afis:
            self.pair.call("set_long_lived", self.peer(which).number, afi=afi, on=on)
        self.done(settle)

    @precondition(lambda self: self.peers)
    @rule(which=which_one, afis=some_families, paths=st.sampled_from((None, 0, 1, 2, 5)))
    def set_limit(self, which: int, afis: tuple[int, ...], paths: int | None) -> None:
        for afi in afis:
            self.pair.call("set_limit", self.peer(which).number, afi=afi, paths=paths)

    @precondition(lambda self: self.peers)
    @rule(which=which_one, config=of_pool("peers"), settle=settle_or_not)
    def renew_peer(self, which: int, config: PeerConfig, settle: bool) -> None:
        """It comes back as somebody else, if need be; its consumers stay as they are."""
        like = [peer for peer in self.peers if peer.config.related == config.related]
        if not like:
            return
        peer = like[which % len(like)]
        self.pair.call("renew_peer", peer.number, **config.source())
        peer.config = config
        self.done(settle)
