"""What the control socket tells of the RIB: the real commands over the reference engine, which has the native one's
interface and meaning."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from native import Engine
from routingd.boxes import Box, Boxes, Port
from routingd.commands import Commands
from routingd.control.protocol import PAGE_ROWS, CommandFailed
from routingd.control.server import ControlServer, Handler
from routingd.controller import Controller, Secrets
from routingd.statics import RibPlan, StaticNextHop, StaticRoute
from tests.rib.building import announce, engine, ip, peer, prefix, withdraw
from tests.routingd.fake_agent import until
from tests.routingd.test_controller import plan as router_plan

PEER = "192.0.2.2"
FAR = StaticRoute(prefix("10.255.0.2/32"), next_hops=(StaticNextHop(ip("192.0.2.9")),), tag=7)
BOXES = Boxes([Box("ncp1", ports={"eth0": Port(("192.0.2.1/24",))})])


class Router:
    """The daemon without boxes: what they would have told is put into the engine by the tests."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.handlers: dict[tuple[str, ...], Handler] = {}
        self.live: set[tuple[str, ...]] = set()
        Commands(controller, Path("r1.yaml"), lambda: None).register(cast(ControlServer, self))

    def add(self, words: tuple[str, ...], handler: Handler, *, live: bool = False) -> None:
        self.handlers[words] = handler
        if live:
            self.live.add(words)

    async def put(self, *rows: dict[str, Any]) -> None:
        """From the peer."""
        await self.controller.engine.call(lambda engine: engine.apply(self.peer, cast(Any, rows)))

    async def connected(self, where: str, port: str = "eth0") -> None:
        source = self.controller.connected_sources["ncp1"]
        await self.controller.engine.call(lambda engine: engine.put_connected(source, prefix(where), "ncp1", port))

    async def up(self, **more: Any) -> None:
        """The one configured session is Established."""
        self.peer = await self.controller.engine.call(lambda engine: peer(engine, PEER, asn=65002, **more))
        agreed = SimpleNamespace(
            peer_asn=65002, ebgp=True, member=False, peer_router_id=ip("1.1.1.1"), families=((1, 1),)
        )
        session: Any = SimpleNamespace(membership=SimpleNamespace(source=self.peer), agreed=agreed, readers={}, conn=0)
        self.controller.peers.all[0].up = session

    async def ask(self, words: str, **args: Any) -> Any:
        return await cast(Awaitable[Any], self.handlers[tuple(words.split())](args))

    def pages(self, words: str, **args: Any) -> AsyncGenerator[Any, None]:
        return cast(AsyncGenerator[Any, None], self.handlers[tuple(words.split())](args))

    async def rows(self, words: str, key: str, **args: Any) -> list[dict[str, Any]]:
        return [row async for page in self.pages(words, **args) for row in page[key]]

    async def routes(self, **args: Any) -> list[str]:
        return [row["prefix"] for row in await self.rows("show route", "routes", **args)]

    async def refused(self, words: str, **args: Any) -> tuple[str, str]:
        with pytest.raises(CommandFailed) as caught:
            await self.rows(words, "routes", **args)
        return caught.value.code, caught.value.message


@asynccontextmanager
async def router(directory: Path, rib: RibPlan) -> AsyncIterator[Router]:
    problems: list[BaseException] = []
    plan = router_plan(boxes=list(BOXES.all.values()))
    plan = type(plan)(plan.name, plan.router_id, plan.asn, plan.boxes, plan.neighbors, rib)
    secrets = Secrets(5, b"s" * 16, b"k" * 16)
    controller = Controller(plan, cast(Engine, engine()), secrets, problems.append)
    await controller.start(directory)
    try:
        yield Router(controller)
    finally:
        for one in controller.peers.all:
            one.up = None
        await controller.stop("test over")
    assert problems == []


def run(
    directory: Path, test: Callable[[Router], Awaitable[None]], *, statics: tuple[StaticRoute, ...] = (), **options: Any
) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60), router(directory, RibPlan(statics=statics, options=options)) as one:
            await one.connected("192.0.2.0/24")
            await one.up()
            await test(one)

    asyncio.run(bounded())


def test_a_table_larger_than_a_page_comes_whole_and_in_the_order_of_prefixes(tmp_path: Path) -> None:
    wanted = [f"10.{n // 200}.{n % 200}.0/24" for n in range(2 * PAGE_ROWS + 10)]

    async def test(one: Router) -> None:
        await one.put(*(announce(where, PEER) for where in random.Random(7).sample(wanted, len(wanted))))
        sizes = [len(page["routes"]) async for page in one.pages("show route", within="10.0.0.0/8")]
        assert max(sizes) <= PAGE_ROWS
        assert await one.routes(within="10.0.0.0/8") == wanted
        assert await one.routes() == [*wanted, "192.0.2.0/24"]
        *_, last = [page async for page in one.pages("show route", limit=300)]
        assert last["truncated"]
        assert await one.routes(limit=300) == wanted[:300]
        *_, last = [page async for page in one.pages("show route", limit=len(wanted) + 1)]
        assert not last["truncated"]

    run(tmp_path, test)


def test_a_row_tells_its_age_by_the_engines_clock_and_its_source_by_name(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        await one.put(announce("203.0.113.0/24", PEER, "65002 65010"))
        begun = one.controller.clock()
        one.controller.clock = lambda: begun + 3600
        (row,) = await one.rows("show route", "routes", protocol="bgp")
        assert 3598 <= row["age"] <= 3601
        assert "since" not in row
        assert (row["source_name"], row["role"], row["step"]) == (PEER, "best", "only")
        detail = await one.ask("show route detail", prefix="203.0.113.7")
        assert (detail["route"]["prefix"], detail["sources"][0]["name"]) == ("203.0.113.0/24", PEER)
        assert 3598 <= detail["route"]["paths"][0]["age"] <= 3601

    run(tmp_path, test)


def test_every_criterion_must_hold(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        await one.put(
            announce("10.1.0.0/16", PEER, "65002 65010", communities=["65535:65281", "65001:7"]),
            announce("10.2.0.0/16", PEER, "65002 65011", large_communities=["65001:1:2"]),
            announce("2001:db8::/32", "::ffff:c000:202", "65002"),
        )
        for args, expected in (
            ({"protocol": "connected"}, ["192.0.2.0/24"]),
            ({"neighbor": PEER, "family": "ipv4-unicast"}, ["10.1.0.0/16", "10.2.0.0/16"]),
            ({"community": "no-export"}, ["10.1.0.0/16"]),
            ({"community": "65001:7,no-export"}, ["10.1.0.0/16"]),
            ({"community": "65001:1:2,no-export"}, []),
            ({"origin_as": 65011}, ["10.2.0.0/16"]),
            ({"as": 65010, "neighbor_as": 65002}, ["10.1.0.0/16"]),
            ({"within": "10.2.0.0/15", "protocol": "bgp"}, ["10.2.0.0/16"]),
            ({"family": "ipv6-unicast"}, []),
            ({"family": "ipv6-unicast", "all": True}, ["2001:db8::/32"]),
        ):
            assert await one.routes(**args) == expected, args

    run(tmp_path, test)


def test_what_cannot_be_asked_is_refused_with_what_to_write(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        for args, text in (
            ({"within": "x"}, "is neither a prefix"),
            ({"community": "blue"}, "not a community: 'blue' (standard 65001:100"),
            ({"community": "70000:1"}, "70000:1"),
            ({"protocol": "ospf"}, "protocol ospf is not known"),
            ({"as": -1}, "as must be a number"),
            ({"family": "ipv6-unicast", "within": "10.0.0.0/8"}, "is not of the family ipv6-unicast"),
            ({"covering": "x"}, "is neither a prefix"),
        ):
            code, message = await one.refused("show route", **args)
            assert (code, text in message) == ("usage", True), message
        assert await one.refused("show route", neighbor="192.0.2.77") == (
            "not-found",
            "no BGP neighbor 192.0.2.77 is configured",
        )
        one.controller.peers.all[0].up = None
        code, message = await one.refused("show route", neighbor=PEER)
        assert (code, message.startswith(f"no route from {PEER}: its session is ")) == ("not-found", True)

    run(tmp_path, test)


def test_what_covers_a_prefix_is_told_longest_first(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        await one.put(*(announce(where, PEER) for where in ("10.0.0.0/8", "0.0.0.0/0", "10.1.0.0/16", "10.1.2.0/24")))
        assert await one.routes(covering="10.1.2.3") == ["10.1.2.0/24", "10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"]
        assert await one.routes(covering="10.1.0.0/16") == ["10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"]

    run(tmp_path, test)


def test_explain_follows_a_next_hop_through_the_table_to_the_port(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        await one.put(
            announce("203.0.113.0/24", "10.255.0.2", "65002 65010"),
            announce("198.51.100.0/24", "10.77.0.1", "65002"),
        )
        told = await one.ask("explain", prefix="203.0.113.0/24")
        (resolution,) = told["resolution"]
        (hop,) = resolution["next_hops"]
        assert (resolution["role"], hop["address"], hop["via"], hop["protocol"]) == (
            "best", "10.255.0.2", "10.255.0.2/32", "static",
        )  # fmt: skip
        (below,) = hop["next_hops"]
        assert (below["address"], below["via"], below["protocol"], below["next_hops"]) == (
            "192.0.2.9", "192.0.2.0/24", "connected", [],
        )  # fmt: skip
        unusable = await one.ask("explain", prefix="198.51.100.0/24")
        ((hop,),) = [path["next_hops"] for path in unusable["resolution"]]
        assert (hop["resolved"], hop["reason"]) == (False, "no route")
        assert (await one.ask("explain", prefix="192.0.2.128/25"))["covering"] == "192.0.2.0/24"

    run(tmp_path, test, statics=(FAR,))


def test_a_backup_is_in_the_group_and_in_the_story(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        await one.put(announce("203.0.113.0/24", PEER, "65002"))
        other = await one.controller.engine.call(lambda engine: peer(engine, "192.0.2.3", asn=65003))
        second = cast(Any, [announce("203.0.113.0/24", "192.0.2.3", "65003 65002")])
        await one.controller.engine.call(lambda engine: engine.apply(other, second))
        (best,) = await one.rows("show route", "routes", protocol="bgp")
        assert [(hop["gateway"], hop["role"]) for hop in best["next_hops"]] == [(PEER, 0), ("192.0.2.3", 1)]
        assert [row["role"] for row in await one.rows("show route", "routes", protocol="bgp", all=True)] == [
            "best", "backup",
        ]  # fmt: skip
        told = await one.ask("explain", prefix="203.0.113.0/24")
        assert [path["role"] for path in told["resolution"]] == ["best", "backup"]
        (group,) = await one.rows("show group", "groups", id=best["group"])
        assert [(hop["address"], hop["role"], hop["givers"]) for hop in group["hops"]] == [
            (PEER, 0, [PEER]),
            ("192.0.2.3", 1, ["192.0.2.3"]),
        ]
        assert len(await one.rows("show group", "groups")) == 2

    run(tmp_path, test, backup=True)


def test_next_hops_are_told_in_order_with_what_resolves_them(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        await one.put(announce("10.0.0.0/8", "10.77.0.1"), announce("11.0.0.0/8", PEER), announce("12.0.0.0/8", PEER))
        rows = await one.rows("show next-hop", "next_hops")
        assert [(row["address"], row["via"], row["reason"]) for row in rows] == [
            ("10.77.0.1", None, "no route"),
            (PEER, "192.0.2.0/24", ""),
        ]
        assert [row["address"] for row in await one.rows("show next-hop", "next_hops", address=PEER)] == [PEER]
        assert (await one.refused("show next-hop", address="10.9.9.9"))[0] == "not-found"

    run(tmp_path, test)


def test_memory_is_told_with_the_number_of_objects(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        await one.put(announce("10.0.0.0/8", PEER))
        told = await one.ask("show memory")
        assert told["counts"] == {"prefixes": 2, "paths": 2, "groups": 2, "next_hops": 1}
        assert told["resident"] > 1 << 20
        assert await one.ask("show export-group") == {"groups": []}

    run(tmp_path, test)


def test_what_a_peer_is_told_is_its_adj_rib_out(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        await one.put(announce("10.0.0.0/8", PEER, "65002 65010"), announce("11.0.0.0/8", PEER))
        terms: dict[str, Any] = {
            "ebgp": True, "local_asn": 65001, "peer_asn": 65003, "next_hop_self": False, "local_link": None,
            "local_address": ip("192.0.2.1"), "four_octet_as": True,
        }  # fmt: skip
        other = await one.controller.engine.call(lambda engine: peer(engine, "192.0.2.3", asn=65003))
        number = await one.controller.engine.call(
            lambda engine: engine.export_open(peer_source=other, afi=1, safi=1, **terms)
        )
        up: Any = one.controller.peers.all[0].up
        up.membership.consumers = {(1, 1): number}
        rows = await one.rows("show bgp advertised", "routes", address=PEER)
        assert [(row["prefix"], row["attributes"]["as_path"]) for row in rows] == [
            ("10.0.0.0/8", "65001 65002 65010"),
            ("11.0.0.0/8", "65001 65001"),
        ]
        (page,) = [page async for page in one.pages("show bgp advertised", address=PEER, limit=1)]
        assert (len(page["routes"]), page["truncated"]) == (1, True)
        assert await one.rows("show bgp advertised", "routes", address=PEER, family="ipv6-unicast") == []
        one.controller.peers.all[0].up = None
        assert "is told nothing: its session is" in (await one.refused("show bgp advertised", address=PEER))[1]

    run(tmp_path, test)


def test_a_monitor_tells_each_change_once_in_its_last_state_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        await one.put(announce("10.1.0.0/16", PEER), announce("172.16.0.0/12", PEER))
        pages = one.pages("monitor route", within="10.0.0.0/8", initial=True)
        first = await anext(pages)
        assert [(c["op"], c["prefix"], c["source_name"]) for c in first["changes"]] == [("put", "10.1.0.0/16", PEER)]
        # Nobody reads now: what changes three times is told once.
        for change in (
            announce("10.2.0.0/16", PEER),
            withdraw("10.2.0.0/16"),
            announce("10.2.0.0/16", PEER, "7 9"),
        ):
            await one.put(change)
        await one.put(withdraw("10.1.0.0/16"), announce("172.17.0.0/16", PEER))
        changes: dict[str, Any] = {}
        while len(changes) < 2:
            changes |= {change["prefix"]: change for change in (await anext(pages))["changes"]}
        assert changes["10.1.0.0/16"] == {"op": "delete", "prefix": "10.1.0.0/16"}
        assert changes["10.2.0.0/16"]["attributes"]["as_path"] == "7 9"
        await pages.aclose()
        table: Any = one.controller.engine._engine
        await until(lambda: not table._watch_consumers, "the engine has closed the watch")
        assert one.controller.engine._consumers == []

    run(tmp_path, test)


def test_a_monitor_that_is_left_while_nothing_happens_is_closed(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        pages = one.pages("monitor route", protocol="static")
        waiting = asyncio.ensure_future(anext(pages))
        table: Any = one.controller.engine._engine
        await until(lambda: table._watch_consumers, "the watch is open")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await until(lambda: not table._watch_consumers, "the engine has closed the watch")

    run(tmp_path, test)


def test_a_client_that_does_not_read_is_told_the_last_state_and_not_all_that_was_between(tmp_path: Path) -> None:
    rounds, size = 80, 50

    async def test(one: Router) -> None:
        server = ControlServer(tmp_path / "control.sock")
        for words, handler in one.handlers.items():
            server.add(words, handler, live=words in one.live)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(server.path, limit=1 << 22)
        writer.write(b'{"id": 1, "command": ["monitor", "route"], "args": {"within": "10.0.0.0/8"}}\n')
        table: Any = one.controller.engine._engine
        await until(lambda: table._watch_consumers, "the watch is open")
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(rounds):
            await one.put(*(announce(f"10.{n}.0.0/16", PEER, f"65002 {1 + number}") for n in range(size)))
        await one.put(*(withdraw(f"10.{n}.0.0/16") for n in range(0, size, 2)))
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        known: dict[str, str] = {}
        told = 0
        final = {f"10.{n}.0.0/16": f"65002 {rounds}" for n in range(1, size, 2)}
        while known != final:
            for change in json.loads(await reader.readline())["result"]["changes"]:
                told += 1
                if change["op"] == "put":
                    known[change["prefix"]] = change["attributes"]["as_path"]
                else:
                    del known[change["prefix"]]
        assert told < rounds * size / 2
        writer.close()
        await until(lambda: not table._watch_consumers, "the engine has closed the watch")
        await server.close(0.1)

    run(tmp_path, test)


def test_only_the_monitors_are_live(tmp_path: Path) -> None:
    async def test(one: Router) -> None:
        assert one.live == {("monitor", "route"), ("monitor", "bgp")}

    run(tmp_path, test)
