"""The peer restarts: which of its routes stay, for how long, and what makes them go (RFC 4724, 8538, 9494)."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.bgp.capabilities import (
    Capability,
    FourOctetAs,
    GracefulRestart,
    LongLivedGracefulRestart,
    Multiprotocol,
    RouteRefresh,
)
from protocols.bgp.config import PeerConfig
from protocols.bgp.errors import Cease, Notification
from protocols.bgp.fsm import State
from protocols.bgp.graceful import Mode
from protocols.bgp.limits import PrefixLimit
from protocols.bgp.messages import (
    KEEPALIVE,
    MessageType,
    Open,
    RouteRefreshMessage,
    encode_message,
    encode_notification,
)
from protocols.bgp.negotiation import offer
from protocols.bgp.session import Session
from protocols.effects import Close, Down, Effect, Established, Forget, LongLived, MarkStale, Notified, Send, SweepStale
from tests.protocols.bgp.peers import A, Verdict

IPV4, IPV6 = (1, 1), (2, 1)
BOTH = frozenset({IPV4, IPV6})
PEER, US = A.address, bytes([192, 0, 2, 1])
ROUTES = (MarkStale, SweepStale, LongLived, Forget, Down)
ADMINISTRATIVE_RESET = Notification(6, 4)


def restart(
    *, restarting: bool = False, notification: bool = False, lasts: int = 120, v4: bool = True, v6: bool = True
) -> GracefulRestart:
    """``v4``, ``v6``: the F bit."""
    return GracefulRestart(restarting, notification, lasts, ((*IPV4, v4), (*IPV6, v6)))


class Scene:
    """A session of ours and a peer that is bytes only; ``now`` is where the clock stands."""

    def __init__(self, *capabilities: Capability, config: PeerConfig = A) -> None:
        self.session = Session(replace(config, passive=True), Random(1))
        self.now = 0.0
        self.conn = -1
        self.sent: list[Effect] = []
        self.session.start(0.0)
        self.comes(*capabilities)

    def comes(self, *capabilities: Capability) -> list[Effect]:
        """The peer connects and goes through to Established; what happens to routes."""
        out = self.connects(*capabilities)
        return out + self.says(KEEPALIVE)

    def connects(self, *capabilities: Capability) -> list[Effect]:
        self.conn += 1
        out = self._seen(self.session.connected(self.conn, US, PEER, True, self.now))
        spoken = (Multiprotocol(*IPV4), Multiprotocol(*IPV6), FourOctetAs(65002), *capabilities)
        return out + self.says(Open(65002, 90, bytes([10, 0, 0, 2]), spoken).encode())

    def says(self, data: bytes, conn: int | None = None) -> list[Effect]:
        return self._seen(self.session.receive(self.conn if conn is None else conn, data, self.now))

    def ends(self) -> list[Effect]:
        return self._seen(self.session.closed(self.conn, "reset", self.now))

    def notifies(self, notification: Notification) -> list[Effect]:
        return self.says(encode_notification(notification))

    def refreshes(self, subtype: int) -> list[Effect]:
        return self.says(RouteRefreshMessage(*IPV4, subtype).encode())

    def end_of_rib(self, *families: tuple[int, int]) -> list[Effect]:
        return self._seen(self.session.routes_processed(self.conn, Verdict(end_of_rib=list(families)), self.now))

    def waits(self, seconds: float) -> list[Effect]:
        """Everything that is due until then."""
        until, out = self.now + seconds, []
        while (due := self.session.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            out += self._seen(self.session.timer(self.now))
        self.now = until
        return out

    def quiet(self, seconds: float) -> list[Effect]:
        """The same with a peer that keeps the session up."""
        out: list[Effect] = []
        for _ in range(int(seconds // 60)):
            out += self.says(KEEPALIVE) + self.waits(60)
        return out

    def _seen(self, out: list[Effect]) -> list[Effect]:
        self.sent += out
        return [e for e in out if isinstance(e, ROUTES)]


def kept(out: list[Effect]) -> frozenset[tuple[int, int]]:
    (down,) = [e for e in out if isinstance(e, Down)]
    return down.keep


SWEPT: list[Effect] = [SweepStale(*IPV4), SweepStale(*IPV6)]

# --- what stays -----------------------------------------------------------------------------------------------------


def test_a_peer_that_said_nothing_of_restarts_takes_its_routes_along() -> None:
    assert kept(Scene().ends()) == frozenset()


def test_only_families_that_the_peer_keeps_forwarding_stay() -> None:
    only_ipv4 = GracefulRestart(False, False, 120, ((*IPV4, False),))
    assert kept(Scene(only_ipv4).ends()) == {IPV4}
    aware = GracefulRestart(False, True, 120, ())
    assert kept(Scene(aware).ends()) == frozenset()
    assert kept(Scene(restart(lasts=0)).ends()) == frozenset()


def test_where_no_routes_are_taken_none_stay() -> None:
    families = (replace(A.families[0], import_policy=None), A.families[1])
    assert kept(Scene(restart(), config=replace(A, families=families)).ends()) == {IPV6}


def test_a_helper_and_a_restarter_keep_routes_and_one_that_is_off_does_not() -> None:
    for mode, stay in ((Mode.ON, BOTH), (Mode.HELPER, BOTH), (Mode.OFF, frozenset())):
        assert kept(Scene(restart(), config=replace(A, graceful_restart=mode)).ends()) == stay


@pytest.mark.parametrize(
    ("notification", "told", "stay"),
    [
        pytest.param(False, ADMINISTRATIVE_RESET, frozenset(), id="without the N bit none"),
        pytest.param(True, ADMINISTRATIVE_RESET, BOTH, id="with the N bit all"),
        pytest.param(True, ADMINISTRATIVE_RESET.hard_reset(), frozenset(), id="after a hard reset none"),
    ],
)
def test_what_a_notification_leaves(notification: bool, told: Notification, stay: frozenset[tuple[int, int]]) -> None:
    assert kept(Scene(restart(notification=notification)).notifies(told)) == stay


@pytest.mark.parametrize(("notification", "stay"), [(False, frozenset()), (True, BOTH)])
def test_routes_outlive_the_hold_timer_only_with_the_n_bit(
    notification: bool, stay: frozenset[tuple[int, int]]
) -> None:
    scene = Scene(restart(notification=notification))
    assert kept(scene.waits(91)) == stay
    (told,) = [e for e in scene.sent if isinstance(e, Notified)]
    assert told.notification == Notification(4, 0)


def test_a_stop_of_ours_leaves_nothing_and_says_so() -> None:
    scene = Scene(restart(notification=True))
    out = scene.session.stop(Cease(message="gone"), 1)
    assert kept([e for e in out if isinstance(e, Down)]) == frozenset()
    assert [e.data for e in out if isinstance(e, Send)] == [
        encode_notification(Notification(6, 9, b"\x06\x02\x04gone"))
    ]
    assert scene.waits(1000) == []


def test_too_many_prefixes_are_a_hard_reset() -> None:
    families = (replace(A.families[0], maximum=PrefixLimit(1)), A.families[1])
    for notification, told in ((True, (6, 9)), (False, (6, 1))):
        scene = Scene(restart(notification=notification), config=replace(A, families=families))
        out = scene.session.routes_processed(scene.conn, Verdict(), 1, {IPV4: 2})
        assert kept([e for e in out if isinstance(e, Down)]) == frozenset()
        assert [(e.notification.code, e.notification.subcode) for e in out if isinstance(e, Notified)] == [told]


def test_a_stop_while_the_peer_is_away_lets_its_routes_go() -> None:
    scene = Scene(restart())
    assert kept(scene.ends()) == BOTH
    assert Forget() in scene.session.stop(Cease(), 1)
    assert scene.waits(1000) == []


# --- how long -------------------------------------------------------------------------------------------------------


def test_a_peer_that_does_not_come_back_loses_its_routes_after_its_restart_time() -> None:
    scene = Scene(restart(lasts=30))
    scene.ends()
    assert scene.waits(29.9) == []
    assert [row["waits_for"] for row in scene.session.describe(scene.now)["retained"]] == ["restart", "restart"]
    assert scene.waits(0.2) == [SweepStale(*IPV4), SweepStale(*IPV6), Forget()]
    assert scene.session.describe(scene.now)["retained"] == []


def test_end_of_rib_ends_it_for_its_family() -> None:
    scene = Scene(restart())
    scene.ends()
    scene.now = 10
    assert scene.comes(restart(restarting=True)) == []
    assert scene.end_of_rib(IPV4) == [SweepStale(*IPV4)]
    assert scene.end_of_rib(IPV4) == []
    assert scene.end_of_rib(IPV6) == [SweepStale(*IPV6)]
    assert scene.quiet(1200) == []


def test_end_of_rib_is_not_waited_for_forever() -> None:
    scene = Scene(restart())
    scene.ends()
    scene.comes(restart(restarting=True))
    assert scene.quiet(300) == []
    assert scene.quiet(120) == [SweepStale(*IPV4), SweepStale(*IPV6)]


@pytest.mark.parametrize(
    ("back", "gone"),
    [
        pytest.param((restart(restarting=True, v4=False),), [SweepStale(*IPV4)], id="without the F bit of one"),
        pytest.param((GracefulRestart(True, False, 120, ((*IPV4, True),)),), [SweepStale(*IPV6)], id="a family less"),
        pytest.param((), [SweepStale(*IPV4), SweepStale(*IPV6)], id="without the capability"),
    ],
)
def test_what_the_peer_did_not_keep_goes_as_soon_as_it_says_so(
    back: tuple[Capability, ...], gone: list[Effect]
) -> None:
    scene = Scene(restart())
    scene.ends()
    assert scene.comes(*back) == gone


@pytest.mark.parametrize(
    ("back", "gone"),
    [
        pytest.param((restart(v4=False),), [], id="it has not restarted, so the F bit says nothing"),
        pytest.param((restart(restarting=True, v4=False),), [SweepStale(*IPV4)], id="it has restarted too"),
        pytest.param((GracefulRestart(False, False, 120, ((*IPV4, False),)),), [SweepStale(*IPV6)], id="a family less"),
        pytest.param((), [SweepStale(*IPV4), SweepStale(*IPV6)], id="without the capability"),
    ],
)
def test_a_session_lost_with_our_box_s_agent_leaves_its_routes_as_they_are(
    back: tuple[Capability, ...], gone: list[Effect]
) -> None:
    scene = Scene(restart())
    scene.session.closed(scene.conn, "the agent is gone", scene.now, ours=True)
    assert scene.comes(*back) == gone
    assert scene.end_of_rib(IPV4, IPV6) == [effect for effect in SWEPT if effect not in gone]


def test_when_our_box_loses_its_agent_twice_nothing_goes_before_end_of_rib() -> None:
    scene = Scene(restart())
    scene.session.closed(scene.conn, "the agent is gone", scene.now, ours=True)
    assert scene.comes(restart()) == []
    out = scene.session.closed(scene.conn, "the agent is gone", scene.now, ours=True)
    assert SweepStale(*IPV4) not in out
    assert kept([e for e in out if isinstance(e, Down)]) == BOTH
    assert scene.comes(restart()) == [], "it is not refused: nobody has made an error"
    assert scene.end_of_rib(IPV4, IPV6) == SWEPT


def test_an_attempt_that_fails_before_it_is_established_changes_nothing() -> None:
    scene = Scene(restart(lasts=30))
    scene.ends()
    scene.now = 5
    scene.connects(restart(restarting=True))
    assert scene.ends() == []
    assert scene.waits(24) == []
    assert SweepStale(*IPV4) in scene.waits(2)


def test_a_second_restart_before_end_of_rib_drops_what_was_stale_already_unless_the_peer_has_the_n_bit() -> None:
    for notification in (False, True):
        scene = Scene(restart(notification=notification))
        scene.ends()
        scene.comes(restart(restarting=True, notification=notification))
        scene.end_of_rib(IPV6)
        out = scene.ends()
        assert kept(out) == BOTH
        assert out[:-1] == ([] if notification else [SweepStale(*IPV4)])


def test_with_the_n_bit_restarts_do_not_keep_a_route_for_ever() -> None:
    scene = Scene(restart(notification=True))
    swept = []
    for _ in range(6):
        swept += [e for e in scene.ends() if isinstance(e, SweepStale)]
        scene.waits(100)
        scene.comes(restart(restarting=True, notification=True))
    assert swept == [SweepStale(*IPV4), SweepStale(*IPV6)]


# --- a connection beside the session --------------------------------------------------------------------------------


def test_a_peer_that_connects_again_has_restarted() -> None:
    scene = Scene(restart())
    scene.now = 60
    scene.says(KEEPALIVE)
    out = scene.connects(restart(restarting=True))
    assert kept(out) == BOTH
    assert Close(0, "the peer connected again", reset=True) in scene.sent
    assert not [e for e in scene.sent if isinstance(e, Notified)]
    assert scene.session.state is State.OPEN_CONFIRM
    scene.says(KEEPALIVE)
    assert [e.conn for e in scene.sent if isinstance(e, Established)] == [0, 1]


def test_a_connection_without_an_open_ends_no_session() -> None:
    scene = Scene(restart())
    scene.now = 60
    scene.says(KEEPALIVE)
    assert scene.session.connected(1, US, PEER, True, 60)
    assert scene.session.state is State.ESTABLISHED
    assert scene.session.closed(1, "reset", 61) == []
    assert scene.session.state is State.ESTABLISHED


def test_a_connection_that_crossed_the_session_is_a_collision_and_so_is_one_of_a_peer_that_does_not_restart() -> None:
    for capability, now in ((restart(), 1.0), (GracefulRestart(False, True, 120, ()), 60.0)):
        scene = Scene(capability)
        scene.now = now
        assert scene.connects(capability) == []
        (told,) = [e for e in scene.sent if isinstance(e, Notified)]
        assert (told.conn, told.notification) == (1, Notification(6, 7))
        assert scene.session.state is State.ESTABLISHED


# --- long-lived -----------------------------------------------------------------------------------------------------

LONG = replace(A, long_lived_stale_time=3600)


def long_lived(seconds: int = 7200, kept: bool = True) -> LongLivedGracefulRestart:
    return LongLivedGracefulRestart(((*IPV4, kept, seconds),))


def test_after_the_restart_time_routes_are_a_last_resort_for_at_most_our_time() -> None:
    scene = Scene(restart(lasts=30), long_lived(), config=LONG)
    scene.ends()
    assert scene.waits(31) == [LongLived(*IPV4), SweepStale(*IPV6)]
    (row,) = scene.session.describe(scene.now)["retained"]
    assert (row["family"], row["waits_for"], row["remaining"]) == ("ipv4-unicast", "long-lived", 3599)
    assert scene.waits(3598) == []
    assert scene.waits(2) == [SweepStale(*IPV4), Forget()]


def test_without_a_restart_time_they_are_one_at_once() -> None:
    scene = Scene(restart(lasts=0), long_lived(), config=LONG)
    out = scene.ends()
    assert kept(out) == {IPV4}
    assert out[-1] == LongLived(*IPV4)


def test_long_lived_needs_both_sides() -> None:
    scene = Scene(restart(lasts=30), long_lived())
    scene.ends()
    assert Forget() in scene.waits(31)
    assert Scene(long_lived(), config=LONG).ends() == [Down(0, "TCP connection closed: reset")]


@pytest.mark.parametrize(
    ("back", "gone"),
    [
        ((restart(v4=False), long_lived()), []),
        ((restart(), long_lived(kept=False)), [SweepStale(*IPV4)]),
        ((restart(),), [SweepStale(*IPV4)]),
    ],
)
def test_the_f_bit_of_its_own_capability_counts_for_a_last_resort(
    back: tuple[Capability, ...], gone: list[Effect]
) -> None:
    scene = Scene(restart(lasts=30), long_lived(), config=LONG)
    scene.ends()
    scene.waits(31)
    assert scene.comes(*back) == gone
    if not gone:
        assert scene.end_of_rib(IPV4) == [SweepStale(*IPV4)]


def test_a_restart_during_the_long_lived_time_deletes_nothing_and_does_not_prolong_it() -> None:
    scene = Scene(restart(lasts=30), long_lived(), config=LONG)
    scene.ends()
    scene.waits(31)
    scene.comes(restart(), long_lived())
    scene.waits(69)
    out = scene.ends()
    assert kept(out) == BOTH
    assert [e for e in out if not isinstance(e, Down)] == [LongLived(*IPV4)]
    assert scene.waits(3500) == [SweepStale(*IPV6)]
    assert scene.waits(31) == [SweepStale(*IPV4), Forget()]


# --- refresh --------------------------------------------------------------------------------------------------------


def test_what_a_refresh_does_not_tell_again_goes_at_its_end() -> None:
    scene = Scene()
    assert scene.refreshes(1) == [MarkStale(*IPV4)]
    assert scene.refreshes(2) == [SweepStale(*IPV4)]
    assert scene.refreshes(2) == []


def test_the_end_of_a_refresh_is_not_waited_for_forever() -> None:
    scene = Scene()
    scene.refreshes(1)
    assert scene.quiet(420) == [SweepStale(*IPV4)]


def test_a_refresh_before_end_of_rib_does_not_count() -> None:
    scene = Scene(restart())
    scene.ends()
    scene.comes(restart(restarting=True))
    assert scene.refreshes(1) + scene.refreshes(2) == []
    assert scene.end_of_rib(IPV4) == [SweepStale(*IPV4)]
    assert scene.refreshes(1) == [MarkStale(*IPV4)]


def test_a_peer_is_asked_for_every_family_that_was_agreed_if_it_takes_requests() -> None:
    assert Scene().session.refresh() == []
    scene = Scene(RouteRefresh())
    asked = [RouteRefreshMessage(*family).encode() for family in (IPV4, IPV6)]
    assert scene.session.refresh() == [Send(0, message) for message in asked]
    scene.ends()
    assert scene.session.refresh() == []


def test_markers_of_other_families_and_unknown_ones_are_ignored() -> None:
    scene = Scene()
    for body in ("0001 01 02", "0001 03 01", "0019 01 46"):
        assert scene.says(encode_message(MessageType.ROUTE_REFRESH, bytes.fromhex(body))) == []


# --- our own OPENs --------------------------------------------------------------------------------------------------


def offered(session: Session) -> GracefulRestart:
    (found,) = [c for c in offer(session.config, session.forwarding) if isinstance(c, GracefulRestart)]
    return found


def test_our_open_says_that_boxes_forward_once_there_was_a_session_or_after_a_restart() -> None:
    scene = Scene(restart())
    first = [c for c in scene.session.connections[0].offered if isinstance(c, GracefulRestart)]
    assert first == [GracefulRestart(False, True, 120, ((*IPV4, False), (*IPV6, False)))]
    assert offered(scene.session) == GracefulRestart(False, True, 120, ((*IPV4, True), (*IPV6, True)))

    again = Session(A, Random(1))
    again.start(0, restarting=frozenset({IPV4}))
    assert offered(again) == GracefulRestart(True, True, 120, ((*IPV4, True), (*IPV6, False)))
    again.recovered()
    assert not offered(again).restarting


def test_a_helper_offers_no_family_and_long_lived_times_are_offered_where_configured() -> None:
    def of(config: PeerConfig) -> list[Capability]:
        return [c for c in offer(config) if isinstance(c, GracefulRestart | LongLivedGracefulRestart)]

    assert of(replace(A, graceful_restart=Mode.OFF, long_lived_stale_time=60)) == []
    assert of(replace(A, graceful_restart=Mode.HELPER)) == [GracefulRestart(False, True, 0, ())]
    assert of(LONG)[1] == LongLivedGracefulRestart(((*IPV4, False, 3600), (*IPV6, False, 3600)))


# --- whatever happens -----------------------------------------------------------------------------------------------

EVENTS = (
    "connect",
    "open",
    "keepalive",
    "close",
    "notify",
    "hard",
    "wait",
    "end of rib",
    "begin",
    "end",
    "stop",
    "start",
)


@given(st.data(), st.booleans(), st.sampled_from((0, 20, 120)), st.sampled_from((0, 300)))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_the_rib_holds_routes_of_an_established_session_or_of_families_that_are_kept(
    data: st.DataObject, notification: bool, lasts: int, long: int
) -> None:
    said = (restart(restarting=True, notification=notification, lasts=lasts), long_lived(long))
    scene = Scene(*said, config=LONG if long else A)
    session, conn, held = scene.session, 0, True
    connections: list[int] = [0]

    def take(out: list[Effect]) -> None:
        nonlocal held
        for effect in out:
            match effect:
                case Established():
                    held = True
                case Down(keep=keep):
                    assert held
                    assert keep == session.retention.keeps
                    held = bool(keep)
                case MarkStale() | SweepStale() | LongLived():
                    assert held
                case Forget():
                    assert held
                    held = False
                case Close(number) if number in connections:
                    connections.remove(number)
        assert held == (session.state is State.ESTABLISHED or bool(session.retention.keeps))
        assert not session.retention.keeps or session.next_deadline() is not None

    opened = Open(
        65002, 90, bytes([10, 0, 0, 2]), (Multiprotocol(*IPV4), Multiprotocol(*IPV6), FourOctetAs(65002), *said)
    )
    told = {
        "open": opened.encode(),
        "keepalive": KEEPALIVE,
        "notify": encode_notification(ADMINISTRATIVE_RESET),
        "hard": encode_notification(ADMINISTRATIVE_RESET.hard_reset()),
        "begin": RouteRefreshMessage(*IPV4, 1).encode(),
        "end": RouteRefreshMessage(*IPV4, 2).encode(),
    }
    for event in data.draw(st.lists(st.sampled_from(EVENTS), max_size=40)):
        at = data.draw(st.sampled_from(connections)) if connections else conn
        match event:
            case "connect":
                conn += 1
                connections.append(conn)
                take(session.connected(conn, US, PEER, True, scene.now))
            case "close":
                if at in connections:
                    connections.remove(at)
                take(session.closed(at, "reset", scene.now))
            case "wait":
                scene.now += data.draw(st.sampled_from((1, 10, 60, 400)))
                take(session.timer(scene.now))
            case "end of rib":
                take(session.routes_processed(at, Verdict(end_of_rib=[IPV4]), scene.now))
            case "stop":
                take(session.stop(Cease(), scene.now))
            case "start":
                take(session.start(scene.now))
            case _:
                take(session.receive(at, told[event], scene.now))
