"""A daemon with canned answers behind the real control server, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from routingd.control.protocol import CommandFailed
from routingd.control.server import Arguments, ControlServer, Handler
from tests.routingd.cli import canned


@contextmanager
def serving(
    path: Path,
    handlers: dict[tuple[str, ...], Handler] | None = None,
    live: frozenset[tuple[str, ...]] = frozenset(),
    **options: Any,
) -> Iterator[ControlServer]:
    """The server, answering until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = ControlServer(path, **options)
    for words, handler in (handlers if handlers is not None else HANDLERS).items():
        server.add(words, handler, live=words in live)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.close(0.2), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def always(result: object) -> Handler:
    async def handler(args: Arguments) -> object:
        return result

    return handler


async def _neighbor(args: Arguments) -> object:
    address = args.get("address")
    if address is None:
        return {"neighbors": list(canned.NEIGHBORS.values())}
    if address not in canned.NEIGHBORS:
        raise CommandFailed("not-found", f"no BGP neighbor {address} is configured")
    return {"neighbors": [canned.NEIGHBORS[address]]}


async def _order(args: Arguments) -> object:
    await _neighbor(args)
    return {"address": args["address"], "state": "Idle" if args.get("message") else "Connect"}


async def _routes(args: Arguments) -> AsyncIterator[object]:
    rows = [
        r for r in (canned.ALL_PATHS if args.get("all") else canned.ROUTES)
        if args.get("protocol") in (None, r["protocol"]) and args.get("neighbor") in (None, r["source_name"])
    ]  # fmt: skip
    if args.get("within") or args.get("covering"):
        rows = [r for r in rows if r["prefix"] in (args.get("within"), args.get("covering"))]
    if args.get("community") is not None:
        rows = [r for r in rows if r["attributes"] and args["community"] in r["attributes"]["communities"]]
    if args.get("family") == "ipv6-unicast":
        rows = []
    limit = args.get("limit") or len(rows)
    for start in range(0, max(1, min(limit, len(rows))), 2):
        page = rows[start : min(start + 2, limit)]
        yield {"routes": page, "truncated": start + 2 >= limit and limit < len(rows)}


async def _next_hops(args: Arguments) -> AsyncIterator[object]:
    rows = [row for row in canned.NEXT_HOPS if args.get("address") in (None, row["address"])]
    if not rows:
        raise CommandFailed("not-found", f"no path has the next hop {args['address']}, so it is not tracked")
    for row in rows:
        yield {"next_hops": [row]}


async def _groups(args: Arguments) -> AsyncIterator[object]:
    rows = [row for row in canned.GROUPS if args.get("id") in (None, row["id"])]
    if not rows:
        raise CommandFailed("not-found", f"there is no next-hop group {args['id']}")
    yield {"groups": rows}


async def _advertised(args: Arguments) -> AsyncIterator[object]:
    if args["address"] != canned.TRANSIT["address"]:
        raise CommandFailed("not-found", f"no BGP neighbor {args['address']} is configured")
    yield {"routes": canned.ADVERTISED, "truncated": False}


async def _monitor(args: Arguments) -> AsyncIterator[object]:
    """Some changes and then nobody's end: the block of the page ends here, a real one does not."""
    for page in canned.CHANGES:
        yield page


async def _events(args: Arguments) -> AsyncIterator[object]:
    for page in canned.EVENTS:
        yield page


async def _detail(args: Arguments) -> object:
    if args["prefix"] not in ("203.0.113.0/24", "203.0.113.7"):
        raise CommandFailed("not-found", f"no route for {args['prefix']}")
    return {"asked": args["prefix"], "route": canned.LOOKUP, "sources": canned.SOURCES}


async def _fib(args: Arguments) -> AsyncIterator[object]:
    rows = [r for r in canned.FIB if args.get("ncp") in (None, r["ncp"])]
    if args.get("prefix") not in (None, "203.0.113.0/24"):
        rows = [
            {**r, "prefix": args["prefix"], "nhg": None, "kernel_group": None, "state": "absent", "members": []}
            for r in rows
        ]
    yield {"routes": rows, "truncated": False}


async def _ncp(args: Arguments) -> object:
    return {"ncps": [row for row in canned.NCPS if args.get("name") in (None, row["name"])]}


async def _details(args: Arguments) -> object:
    return {"ncps": [row for row in canned.NCP_DETAILS if args.get("name") in (None, row["name"])]}


async def _consistency(args: Arguments) -> object:
    rows = [row for row in canned.CONSISTENCY["ncps"] if args.get("ncp") in (None, row["ncp"])]
    return {**canned.CONSISTENCY, "ncps": rows}


async def _route_at_boxes(args: Arguments) -> object:
    await _detail(args)
    rows = [row for row in canned.AT_NCPS["ncps"] if args.get("ncp") in (None, row["ncp"])]
    return {**canned.AT_NCPS, "asked": args["prefix"], "ncps": rows}


async def _explain(args: Arguments) -> object:
    return canned.ABSENT if args["prefix"] == canned.ABSENT["asked"] else canned.EXPLAIN


async def _shutdown(args: Arguments) -> object:
    return {"flush": args["flush"], "ncps": ["ncp1", "ncp2"]}


HANDLERS: dict[tuple[str, ...], Handler] = {
    ("show", "bgp", "summary"): always(canned.SUMMARY),
    ("bgp", "start"): _order,
    ("bgp", "stop"): _order,
    ("bgp", "reset"): _order,
    ("bgp", "refresh"): _order,
    ("show", "bgp", "neighbor"): _neighbor,
    ("show", "route"): _routes,
    ("show", "route", "detail"): _detail,
    ("show", "bgp", "advertised"): _advertised,
    ("show", "next-hop"): _next_hops,
    ("show", "group"): _groups,
    ("show", "export-group"): always({"groups": canned.EXPORT_GROUPS}),
    ("show", "memory"): always(canned.MEMORY),
    ("monitor", "route"): _monitor,
    ("monitor", "bgp"): _events,
    ("show", "route", "ncp"): _route_at_boxes,
    ("show", "fib"): _fib,
    ("show", "fib", "consistency"): _consistency,
    ("show", "ncp", "detail"): _details,
    ("show", "ncp"): _ncp,
    ("show", "interfaces"): always({"interfaces": canned.INTERFACES}),
    ("show", "version"): always(canned.VERSION),
    ("explain",): _explain,
    ("shutdown",): _shutdown,
}
