"""The commands of the control socket: arguments checked, the right view asked, errors turned into answers."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from routingd.control.protocol import CommandFailed
from routingd.control.server import Arguments, ControlServer
from routingd.control.shapes import FibPage, RoutesPage, Shutdown, Version
from routingd.controller import Controller
from routingd.queries import AgentSilentError
from routingd.route_views import FAMILIES, RouteViews
from routingd.views import NotFoundError, Views

T = TypeVar("T")


class Commands:
    def __init__(self, controller: Controller, config: Path, shutdown: Callable[[], None]) -> None:
        self._controller = controller
        self._config = config
        self._shutdown = shutdown
        self._begun = controller.clock()
        self._views = Views(controller)
        self._routes = RouteViews(controller)

    def register(self, server: ControlServer) -> None:
        server.add(("show", "bgp", "summary"), lambda args: self._answer(self._views.bgp_summary()))
        server.add(
            ("show", "bgp", "neighbor"), lambda args: self._answer(self._views.bgp_neighbors(text(args, "address")))
        )
        server.add(("show", "ncp"), lambda args: self._answer(self._views.ncps(text(args, "name"))))
        server.add(("show", "interfaces"), lambda args: self._answer(self._interfaces(text(args, "ncp"))))
        server.add(("show", "route"), self.show_route)
        server.add(
            ("show", "route", "detail"), lambda args: self._answer(self._routes.detail(required(args, "prefix")))
        )
        server.add(("show", "fib"), self.show_fib)
        server.add(("explain",), lambda args: self._answer(self._routes.explain(required(args, "prefix"))))
        server.add(("show", "version"), self.show_version)
        server.add(("shutdown",), self.shutdown)

    async def _answer(self, view: Awaitable[T]) -> T:
        try:
            return await view
        except NotFoundError as error:
            raise CommandFailed("not-found", str(error)) from None
        except ValueError as error:
            raise CommandFailed("usage", str(error)) from None
        except AgentSilentError as error:
            raise CommandFailed("busy", str(error)) from None

    async def _interfaces(self, ncp: str | None) -> object:
        return self._views.interfaces(ncp)

    async def show_route(self, args: Arguments) -> AsyncIterator[RoutesPage]:
        limit = number(args, "limit")
        if args.get("longer"):
            yield await self._answer(self._routes.longer(required(args, "prefix"), limit))
            return
        empty = True
        async for page in self._routes.routes(family(args), text(args, "protocol"), limit):
            empty = False
            yield page
        if empty:
            yield {"routes": [], "truncated": False}

    async def show_fib(self, args: Arguments) -> AsyncIterator[FibPage]:
        empty = True
        pages = self._routes.fib(text(args, "prefix"), text(args, "ncp"), family(args), number(args, "limit"))
        try:
            async for page in pages:
                empty = False
                yield page
        except NotFoundError as error:
            raise CommandFailed("not-found", str(error)) from None
        except ValueError as error:
            raise CommandFailed("usage", str(error)) from None
        except AgentSilentError as error:
            raise CommandFailed("busy", str(error)) from None
        if empty:
            yield {"routes": [], "truncated": False}

    async def show_version(self, args: Arguments) -> Version:
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

    async def shutdown(self, args: Arguments) -> Shutdown:
        """With flush every agent empties its kernel and ends; without, boxes go on forwarding."""
        flush = bool(args.get("flush"))
        told = self._controller.flush("routingctl shutdown --flush") if flush else []
        self._shutdown()
        return {"flush": flush, "ncps": told}


def text(args: Arguments, name: str) -> str | None:
    value: Any = args.get(name)
    if value is not None and not isinstance(value, str):
        raise CommandFailed("usage", f"{name} must be text")
    return value


def required(args: Arguments, name: str) -> str:
    value = text(args, name)
    if value is None:
        raise CommandFailed("usage", f"{name} is missing")
    return value


def number(args: Arguments, name: str) -> int | None:
    value: Any = args.get(name)
    if value is not None and (type(value) is not int or value < 0):
        raise CommandFailed("usage", f"{name} must be a number, 0 or more")
    return value


def family(args: Arguments) -> str | None:
    value = text(args, "family")
    if value is not None and value not in FAMILIES:
        raise CommandFailed("usage", f"family {value} is not known: use {' or '.join(FAMILIES)}")
    return value
