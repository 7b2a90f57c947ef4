"""``monitor bgp``: what watchers are told, and what a watcher that does not read costs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from protocols.effects import Refused, Send, StateChanged
from routingd.session_events import KEPT, SessionEvents
from tests.routingd.fake_agent import FakeAgent
from tests.routingd.test_controller import controller, established, run

STATE = StateChanged("Idle", "Connect", "started")


def test_a_watcher_is_told_of_its_neighbor_only_and_of_what_tells_something() -> None:
    async def test() -> None:
        events = SessionEvents()
        one, all_of_them = events.follow("192.0.2.2"), events.follow(None)
        reading = [asyncio.ensure_future(anext(one)), asyncio.ensure_future(anext(all_of_them))]
        await asyncio.sleep(0)
        events.tell("192.0.2.3", Refused(1, "the session is stopped"))
        events.tell("192.0.2.2", Send(1, b""))
        events.tell("192.0.2.2", STATE)
        mine, everything = await asyncio.gather(*reading)
        assert [(e["neighbor"], e["event"]) for e in mine["events"]] == [("192.0.2.2", "state")]
        assert [(e["neighbor"], e["event"]) for e in everything["events"]] == [
            ("192.0.2.3", "refused"), ("192.0.2.2", "state"),
        ]  # fmt: skip
        assert mine["events"][0]["text"] == "Idle -> Connect: started"
        await one.aclose()
        await all_of_them.aclose()

    run(test)


def test_a_watcher_that_does_not_read_keeps_the_latest_and_hears_how_many_it_missed() -> None:
    async def test() -> None:
        events = SessionEvents()
        following = events.follow(None)
        reading = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        for at in range(KEPT + 5):
            events.tell("192.0.2.2", StateChanged("Idle", "Connect", str(at)))
        page = await reading
        assert (len(page["events"]), page["lost"]) == (KEPT, 5)
        assert page["events"][-1]["details"]["reason"] == str(KEPT + 4)
        events.tell("192.0.2.2", STATE)
        assert [(len(page["events"]), page["lost"]) for page in [await anext(following)]] == [(1, 0)]
        await following.aclose()

    run(test)


def test_nothing_is_kept_once_nobody_watches() -> None:
    async def test() -> None:
        events = SessionEvents()
        following = events.follow(None)
        reading = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        events.tell("192.0.2.2", STATE)
        await reading
        await following.aclose()
        assert not events._watchers

    run(test)


def test_a_session_that_comes_up_is_followed_from_the_first_state(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            following = one.peers.events.follow(None)
            reading = asyncio.ensure_future(anext(following))
            await asyncio.sleep(0)
            await established(tmp_path, FakeAgent("ncp1"))
            seen = (await reading)["events"]
            while not any(event["event"] == "established" for event in seen):
                seen += (await anext(following))["events"]
            states = [event["details"]["new"] for event in seen if event["event"] == "state"]
            assert states[:4] == ["Connect", "OpenSent", "OpenConfirm", "Established"][: len(states)]
            up = next(event for event in seen if event["event"] == "established")
            assert up["details"]["families"] == ["ipv4-unicast"]
            await following.aclose()

    run(test)
