"""This box: what the kernel says of it goes to the model and to the controller, what the controller wants goes to the
kernel.

Owns the facts and the application of ``BoxConfig``, one at a time, the latest wins.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Protocol

import structlog

from fibd.facts import Facts, PortRow
from fibd.message import Message
from fibd.messages import BoxConfig
from kernel import box as kernel_box
from kernel.links import RECEIVE_BUFFER, Address, Change, Gone, Link, Neighbour, Observer, Seen
from kernel.router_discovery import Discovery
from routingd.agent.state import Store

log = structlog.get_logger("ncpd.box")

_SETTLE: Final = 0.05
_TRY_AGAIN: Final = 5.0


class PortModel(Protocol):
    """``native.AgentFib`` as far as ports matter to it."""

    def set_port(self, name: str, ifindex: int, up: bool) -> None: ...
    def remove_port(self, name: str) -> None: ...
    def set_fabric(self, port: str | None, peers: dict[str, tuple[bytes | None, bytes | None]]) -> None: ...


class Box:
    """``tell`` sends facts if a controller is there; ``changed`` says that the model may have work for the kernel,
    ``doubt`` that the kernel may hold other nexthops than the model believes, and why."""

    def __init__(
        self,
        store: Store,
        model: PortModel,
        tell: Callable[[Iterable[Message]], None],
        changed: Callable[[], None],
        rng: random.Random,
        doubt: Callable[[str], None] = lambda reason: None,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> None:
        self.facts = Facts()
        self.observer = Observer(self._observed, lambda: doubt("events of links were lost"), receive_buffer)
        self.config = store.box()
        self.problems: list[str] = []
        self._store = store
        self._model = model
        self._tell = tell
        self._changed = changed
        self._doubt = doubt
        self._downs: dict[int, int] = {}
        """By ifindex: how often each port had lost carrier."""
        self._names: dict[int, str] = {}
        self._addresses: dict[int, dict[tuple[bytes, int], bool]] = {}
        self._added = store.added()
        self._rng = rng
        self._discovery: Discovery | None = None
        self._down: frozenset[str] = frozenset()
        """Ports that are kept down."""
        self._deaf: list[str] = []
        """Why there is none although it is wanted."""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._note(kernel_box.set_sysctls())
        await self.observer.start()
        self._fabric()
        self._task = asyncio.get_running_loop().create_task(self._keep_applied())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._discovery is not None:
            self._discovery.close()
        await self.observer.stop()

    def configure(self, config: BoxConfig) -> None:
        config = self.config = _still_known(config, self.config)
        self._down = frozenset()
        self._store.save_box(config)
        self._fabric()
        self._discover()
        self._changed()
        self._wake.set()

    def isolate(self, way: bytes) -> None:
        """No controller says what to forward any more: neighbors see our ports go down, until one has said what the
        box shall be. The fabric stays, and the port with the address ``way``, by which the controller may return."""
        config = self.config
        if config is not None:
            kept = {port for port, address, _ in self.facts.addresses if address == way}
            self._down = frozenset(config.interfaces) - kept - {config.fabric_port, "lo"}
            self._wake.set()

    def adopt_model(self, model: PortModel) -> None:
        """The model was made anew: tell it what it must know before it reads what the kernel holds."""
        self._model = model
        for name, row in self.facts.ports.items():
            model.set_port(name, row[0], row[1] and row[2])
        self._fabric()

    def _fabric(self) -> None:
        if self.config is None:
            return
        peers = {
            name: (pair[0] or None, pair[1] or None)
            for name, pair in self.config.fabric_peers.items()
            if len(pair) == 2
        }
        self._model.set_fabric(self.config.fabric_port or None, peers)

    # --- facts --------------------------------------------------------------------------------------------------------

    def _observed(self, change: Change) -> None:
        match change:
            case Seen():
                messages = self._seen(change)
            case Link():
                messages = self._link(change)
            case Address():
                messages = self._address(change)
            case Neighbour():
                messages = self._neighbour(change)
            case Gone(Link() as link):
                messages = self._link_gone(link)
            case Gone(Address() as address):
                messages = self._address_gone(address)
            case Gone(Neighbour() as entry):
                name = self._names.get(entry.ifindex)
                messages = self.facts.neighbour_gone((name, entry.address)) if name is not None else []
        if messages:
            self._discover()
            self._tell(messages)

    def _seen(self, seen: Seen) -> list[Message]:
        for index in set(self._names) - {link.ifindex for link in seen.links}:
            self._model.remove_port(self._names[index])
        self._names = {link.ifindex: link.name for link in seen.links}
        self._addresses = {}
        for a in seen.addresses:
            self._addresses.setdefault(a.ifindex, {})[(a.address, a.length)] = a.usable
        for link in seen.links:
            self._model.set_port(link.name, link.ifindex, link.admin_up and link.carrier)
            self._unseen_loss(link, self.facts.ports.get(link.name))
        names = self._names
        messages = self.facts.replace(
            {link.name: _row(link) for link in seen.links},
            {(names[a.ifindex], a.address, a.length): a.usable for a in seen.addresses if a.ifindex in names},
            {(names[n.ifindex], n.address): (n.mac, n.state) for n in seen.neighbours if n.ifindex in names},
        )
        self._changed()
        self._wake.set()
        return messages

    def _link(self, link: Link) -> list[Message]:
        messages: list[Message] = []
        old = self._names.get(link.ifindex)
        if old is not None and old != link.name:
            self._model.remove_port(old)
            messages += self.facts.port_gone(old)
        before = self.facts.ports.get(link.name)
        self._names[link.ifindex] = link.name
        messages += self.facts.port(link.name, _row(link))
        self._unseen_loss(link, before)
        if messages:
            up = link.admin_up and link.carrier
            self._model.set_port(link.name, link.ifindex, up)
            self._changed()
            if before is None or (before[1] and before[2]) != up:
                log.info("port.up" if up else "port.down", port=link.name)
                self._wake.set()
        if old is not None and old != link.name:
            for (address, length), usable in self._addresses.get(link.ifindex, {}).items():
                messages += self.facts.address((link.name, address, length), usable)
        return messages

    def _unseen_loss(self, link: Link, before: PortRow | None) -> None:
        """It was up and is up, but lost carrier in between: the kernel may have deleted the nexthops over it."""
        up = before is not None and before[1] and before[2] and link.admin_up and link.carrier
        if up and self._downs.get(link.ifindex, link.downs) != link.downs:
            self._doubt(f"port {link.name} lost carrier unseen")
        self._downs[link.ifindex] = link.downs

    def _link_gone(self, link: Link) -> list[Message]:
        name = self._names.pop(link.ifindex, None)
        self._downs.pop(link.ifindex, None)
        self._addresses.pop(link.ifindex, None)
        if name is None:
            return []
        log.info("port.removed", port=name)
        self._model.remove_port(name)
        self._changed()
        return self.facts.port_gone(name)

    def _address(self, a: Address) -> list[Message]:
        self._addresses.setdefault(a.ifindex, {})[(a.address, a.length)] = a.usable
        name = self._names.get(a.ifindex)
        if name is None:
            return []
        messages = self.facts.address((name, a.address, a.length), a.usable)
        row = self.facts.ports.get(name)
        if messages and row is not None:
            # The kernel refuses a nexthop whose gateway is not on link yet: with the address it may take it.
            self._model.set_port(name, row[0], row[1] and row[2])
            self._changed()
        return messages

    def _address_gone(self, a: Address) -> list[Message]:
        self._addresses.get(a.ifindex, {}).pop((a.address, a.length), None)
        name = self._names.get(a.ifindex)
        if name is None:
            return []
        self._wake.set()
        return self.facts.address_gone((name, a.address, a.length))

    def _neighbour(self, entry: Neighbour) -> list[Message]:
        name = self._names.get(entry.ifindex)
        return self.facts.neighbour((name, entry.address), (entry.mac, entry.state)) if name is not None else []

    # --- neighbors by router advertisements ---------------------------------------------------------------------------

    def _discover(self) -> None:
        """On the ports that are wanted for it and up."""
        wanted = self.config.discover if self.config is not None else []
        ports = {name: row[0] for name, row in self.facts.ports.items() if name in wanted and row[1] and row[2]}
        for name in self.facts.routers.keys() - ports.keys():
            self.facts.routers_gone(name)
        if self._discovery is None and ports:
            try:
                self._discovery = Discovery(self._heard, self._rng)
            except OSError as error:
                others = [problem for problem in self.problems if problem not in self._deaf]
                self._deaf = [f"router advertisements: {error.strerror}"]
                self._note([*others, *self._deaf])
            else:
                self._deaf = []
        if self._discovery is not None:
            self._discovery.watch(ports.values())

    def _heard(self, index: int, address: bytes) -> bool:
        name = self._names.get(index)
        messages = self.facts.router(name, address) if name is not None else []
        if messages:
            log.info("router.heard", port=name, address=str(ipaddress.ip_address(address)))
            self._tell(messages)
        return bool(messages)

    # --- configuration ------------------------------------------------------------------------------------------------

    async def _keep_applied(self) -> None:
        """Again whenever the configuration, a port or an address changes: what it names may have appeared or been
        taken away."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_SETTLE)
            self._wake.clear()
            if self.config is None:
                continue
            try:
                await self._apply(self.config)
            except OSError as error:
                log.error("box.apply", error=str(error), retry=_TRY_AGAIN)
                asyncio.get_running_loop().call_later(_TRY_AGAIN, self._wake.set)

    async def _apply(self, config: BoxConfig) -> None:
        wanted = {port: list(addresses) for port, addresses in config.interfaces.items()}
        if config.fabric_port:
            wanted.setdefault(config.fabric_port, [])
            if config.fabric_address and config.fabric_address not in wanted[config.fabric_port]:
                wanted[config.fabric_port].append(config.fabric_address)
        problems = kernel_box.set_sysctls()
        for port, addresses in wanted.items():
            wanted[port], wrong = _valid(port, addresses)
            problems += wrong
        indexes = {name: row[0] for name, row in self.facts.ports.items()}
        present = {(port, _text(address, length)) for port, address, length in self.facts.addresses}
        applied = await kernel_box.apply(wanted, indexes, present, self._added, self._down)
        self._added = applied.added
        self._store.save_added(applied.added)
        self._note(problems + applied.problems + self._deaf)

    def _note(self, problems: list[str]) -> None:
        for problem in problems:
            if problem not in self.problems:
                log.error("box.problem", problem=problem)
        self.problems = problems


def _row(link: Link) -> tuple[int, bool, bool, int, bytes, str]:
    return link.ifindex, link.admin_up, link.carrier, link.mtu, link.mac, link.kind


def _text(address: bytes, length: int) -> str:
    return f"{ipaddress.ip_address(address)}/{length}"


def _valid(port: str, addresses: list[str]) -> tuple[list[str], list[str]]:
    good, wrong = [], []
    for text in addresses:
        try:
            good.append(str(ipaddress.ip_interface(text)))
        except ValueError as error:
            wrong.append(f"port {port}: {error}")
    return good, wrong


def _still_known(config: BoxConfig, before: BoxConfig | None) -> BoxConfig:
    """A controller that has just started has not heard the link-local addresses of all boxes: what it does not know yet
    is as it was, so that IPv6 routes over the fabric stay."""
    if before is None or before.fabric_port != config.fabric_port:
        return config
    known = {name: pair[1] for name, pair in before.fabric_peers.items() if len(pair) == 2}
    peers = {
        name: [pair[0], pair[1] or known.get(name, b"")] if len(pair) == 2 else pair
        for name, pair in config.fabric_peers.items()
    }
    return replace(config, fabric_peers=peers)
