"""The commands of the control socket: arguments checked, the right view asked, errors turned into answers."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from protocols.bgp.errors import Cease, CeaseSubcode
from routingd.asked import RouteQuery, families, number, protocols, required, text, within
from routingd.bgp_views import BgpViews
from routingd.consistency_view import ConsistencyView
from routingd.control.protocol import CommandFailed
from routingd.control.server import Arguments, ControlServer, Handler
from routingd.control.shapes import Shutdown, Version
from routingd.controller import Controller
from routingd.explain_view import ExplainView
from routingd.fib_views import FibViews
from routingd.monitor import monitor
from routingd.ncp_views import NcpViews
from routingd.peer import Peer
from routingd.queries import AgentSilentError
from routingd.rib_views import RibViews
from routingd.route_views import RouteViews
from routingd.views import NotFoundError, Views

Pages = AsyncGenerator[Any, None]


Order = Callable[[Peer, str], None]


def start(peer: Peer, message: str) -> None:
    peer.start()


def stop(peer: Peer, message: str) -> None:
    peer.stop(Cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, message))


def reset(peer: Peer, message: str) -> None:
    peer.stop(Cease(CeaseSubcode.ADMINISTRATIVE_RESET, message))
    peer.start()


def refresh(peer: Peer, message: str) -> None:
    if not peer.refresh():
        raise NotFoundError(
            f"{peer.name} cannot be asked: its session is {peer.session.state}, or has no route refresh"
        )


ORDERS: Final[dict[str, Order]] = {"start": start, "stop": stop, "reset": reset, "refresh": refresh}


class Commands:
    def __init__(self, controller: Controller, config: Path, shutdown: Callable[[], None]) -> None:
        self._controller = controller
        self._config = config
        self._shutdown = shutdown
        self._begun = controller.clock()
        self._views = Views(controller)
        self._bgp = BgpViews(controller)
        self._routes = RouteViews(controller)
        self._rib = RibViews(controller)
        self._fib = FibViews(controller)
        self._ncps = NcpViews(controller, self._views)
        self._consistency = ConsistencyView(controller)
        self._explain = ExplainView(controller, self._fib)

    def register(self, server: ControlServer) -> None:
        views, bgp, routes, rib, explain = self._views, self._bgp, self._routes, self._rib, self._explain
        server.add(("show", "bgp", "summary"), answer(lambda args: bgp.summary()))
        server.add(("show", "bgp", "neighbor"), answer(lambda args: bgp.neighbors(text(args, "address"))))
        for word, order in ORDERS.items():
            server.add(("bgp", word), answer(partial(self._order, order)))
        server.add(("show", "bgp", "advertised"), stream(self._advertised))
        server.add(("show", "ncp"), answer(lambda args: views.ncps(text(args, "name"))))
        server.add(("show", "ncp", "detail"), answer(lambda args: self._ncps.details(text(args, "name"))))
        server.add(("show", "interfaces"), answer(self._interfaces))
        server.add(("show", "route"), stream(self._show_route))
        server.add(("show", "route", "detail"), answer(lambda args: routes.detail(required(args, "prefix"))))
        server.add(("show", "next-hop"), stream(lambda args: rib.next_hops(text(args, "address"))))
        server.add(("show", "group"), stream(lambda args: rib.groups(number(args, "id"))))
        server.add(("show", "export-group"), answer(lambda args: rib.export_groups()))
        server.add(("show", "memory"), answer(lambda args: rib.memory()))
        server.add(("show", "route", "ncp"), answer(self._route_at_boxes))
        server.add(("show", "fib"), stream(self._show_fib))
        server.add(("show", "fib", "consistency"), answer(self._show_consistency))
        server.add(("explain",), answer(lambda args: explain.explain(required(args, "prefix"))))
        server.add(("monitor", "route"), stream(self._monitor), live=True)
        server.add(("monitor", "bgp"), stream(lambda args: bgp.follow(text(args, "address"))), live=True)
        server.add(("show", "version"), self._show_version)
        server.add(("shutdown",), self._stop)

    def _order(self, order: Order, args: Arguments) -> Awaitable[object]:
        message = text(args, "message") or ""
        return self._bgp.order(required(args, "address"), lambda peer: order(peer, message))

    async def _interfaces(self, args: Arguments) -> object:
        return self._views.interfaces(text(args, "ncp"))

    def _advertised(self, args: Arguments) -> Pages:
        return self._rib.advertised(required(args, "address"), families(args, None), number(args, "limit"))

    def _show_route(self, args: Arguments) -> Pages:
        covering = text(args, "covering")
        return self._routes.routes(RouteQuery.of(args)) if covering is None else self._routes.covering(covering)

    def _show_fib(self, args: Arguments) -> Pages:
        asked = text(args, "prefix"), text(args, "ncp"), families(args, None), number(args, "limit")
        return self._fib.fib(*asked)

    def _route_at_boxes(self, args: Arguments) -> Awaitable[object]:
        return self._fib.at_boxes(required(args, "prefix"), text(args, "ncp"))

    def _show_consistency(self, args: Arguments) -> Awaitable[object]:
        return self._consistency.consistency(text(args, "ncp"), audit=bool(args.get("audit")))

    def _monitor(self, args: Arguments) -> Pages:
        inside = within(args)
        initial = bool(args.get("initial"))
        return monitor(self._controller, families(args, inside), protocols(args), inside, initial)

    async def _show_version(self, args: Arguments) -> Version:
        plan = self._controller.plan
        return {
            "version": metadata.version("routingd"),
            "router": plan.name,
            "router_id": ".".join(map(str, plan.router_id)),
            "asn": plan.asn,
            "pid": os.getpid(),
            "uptime": self._controller.clock() - self._begun,
            "python": platform.python_version(),
            "config": str(self._config),
        }

    async def _stop(self, args: Arguments) -> Shutdown:
        """With flush every agent empties its kernel and ends; without, boxes go on forwarding."""
        flush = bool(args.get("flush"))
        told = self._controller.flush("routingctl shutdown --flush") if flush else []
        self._shutdown()
        return {"flush": flush, "ncps": told}


@contextmanager
def worded() -> Iterator[None]:
    """What a view raises, as the answer of the control protocol."""
    try:
        yield
    except NotFoundError as error:
        raise CommandFailed("not-found", str(error)) from None
    except ValueError as error:
        raise CommandFailed("usage", str(error)) from None
    except AgentSilentError as error:
        raise CommandFailed("busy", str(error)) from None


def answer(view: Callable[[Arguments], Awaitable[object]]) -> Handler:
    async def handler(args: Arguments) -> object:
        with worded():
            return await view(args)

    return handler


def stream(view: Callable[[Arguments], Pages]) -> Handler:
    async def handler(args: Arguments) -> AsyncIterator[object]:
        with worded():
            # Closed with the answer, not when it is collected: a monitor holds a place in the engine.
            async with aclosing(view(args)) as pages:
                async for page in pages:
                    yield page

    return handler
