"""From a box's facts to connected routes: what counts, what does not."""

from __future__ import annotations

from ipaddress import ip_interface

from fibd.wire import Addresses, BoxConfig, FactsComplete, Ports
from routingd.boxes import Box, Boxes, Port
from routingd.facts import ISOLATED, Connected, FactBook, Picture, PrefixBytes, connected_routes

BOX = Box("ncp1", ports={"eth0": Port(("192.0.2.1/24",)), "eth1": Port(), "lo": Port()}, fabric_port="fab0")


def picture(*addresses: tuple[str, str], down: tuple[str, ...] = (), unusable: tuple[str, ...] = ()) -> Picture:
    made = Picture()
    names = ("lo", "eth0", "eth1", "eth9", "fab0")
    made.apply(Ports(1, [[n, i, True, n not in down and n != "lo", 1500, b"", ""] for i, n in enumerate(names)]))
    rows = []
    for port, text in addresses:
        interface = ip_interface(text)
        rows.append([port, interface.ip.packed, interface.network.prefixlen, text not in unusable])
    made.apply(Addresses(2, rows))
    return made


def shown(routes: dict[tuple[bytes, int], Connected]) -> set[str]:
    return {
        f"{ip_interface((address, length)).ip}/{length} {route.port}{' local' if route.local else ''}"
        for (address, length), route in routes.items()
    }


def test_a_port_gives_its_subnet_and_its_own_address() -> None:
    assert shown(connected_routes(BOX, picture(("eth0", "192.0.2.1/24")))) == {
        "192.0.2.0/24 eth0",
        "192.0.2.1/32 eth0 local",
    }


def test_a_loopback_gives_own_addresses_only_and_never_the_loopback_range() -> None:
    routes = connected_routes(
        BOX, picture(("lo", "127.0.0.1/8"), ("lo", "::1/128"), ("lo", "10.255.0.1/32"), ("lo", "10.9.9.1/24"))
    )
    assert shown(routes) == {"10.255.0.1/32 lo local", "10.9.9.1/32 lo local"}


def test_ports_not_configured_the_fabric_and_ports_without_carrier_give_nothing() -> None:
    seen = picture(("eth9", "198.51.100.1/24"), ("fab0", "169.254.100.1/24"), ("eth1", "10.0.0.1/24"), down=("eth1",))
    assert connected_routes(BOX, seen) == {}


def test_link_local_and_tentative_addresses_give_nothing() -> None:
    seen = picture(("eth0", "fe80::1/64"), ("eth0", "2001:db8::1/64"), unusable=("2001:db8::1/64",))
    assert connected_routes(BOX, seen) == {}


def test_one_subnet_on_two_ports_belongs_to_the_lowest_name() -> None:
    seen = picture(("eth1", "192.0.2.7/24"), ("eth0", "192.0.2.1/24"))
    assert "192.0.2.0/24 eth0" in shown(connected_routes(BOX, seen))


def test_the_place_of_a_peer_is_the_port_in_its_subnet_or_the_port_of_the_source() -> None:
    lo = Port(("10.255.0.1/32", "2001:db8:ffff::1/128"))
    boxes = Boxes([Box("ncp1", ports={"eth0": Port(("192.0.2.1/24", "2001:db8:1::1/64")), "lo": lo})])
    place = boxes.place("ncp1", ip_interface("192.0.2.9").ip.packed)
    assert (place.port, place.local) == ("eth0", bytes([192, 0, 2, 1]))
    assert boxes.own_address(place, 16) == ip_interface("2001:db8:1::1").ip.packed
    far = boxes.place("ncp1", bytes([203, 0, 113, 9]), bytes([10, 255, 0, 1]))
    assert (far.port, far.local) == ("lo", bytes([10, 255, 0, 1]))
    assert boxes.place("ncp1", bytes([203, 0, 113, 9])).local == b""


class Told:
    """What the engine would be told."""

    def __init__(self) -> None:
        self.ports: list[tuple[str, bool]] = []
        self.out: list[tuple[str, str]] = []
        self.connected: set[PrefixBytes] = set()

    def set_port(self, ncp: str, port: str, up: bool) -> None:
        self.ports.append((f"{ncp}/{port}", up))

    def put_connected(self, ncp: str, prefix: PrefixBytes, port: str, local: bool) -> None:
        self.connected.add(prefix)

    def delete_connected(self, ncp: str, prefix: PrefixBytes) -> None:
        self.connected.discard(prefix)

    def box_config(self, ncp: str, config: BoxConfig) -> None:
        pass

    def left_out(self, ncp: str, reason: str) -> None:
        self.out.append((ncp, reason))

    def facts_used(self, ncp: str, sequence: int) -> None:
        pass


def book(*named: tuple[str, str]) -> tuple[FactBook, Told]:
    """Of a box with eth0 up and eth1 without carrier, that has told all of it."""
    told = Told()
    one = FactBook(Boxes([BOX]), told, named)
    one.agent_up("ncp1")
    one.apply("ncp1", ports(1, eth0=True, eth1=False, lo=False))
    one.apply("ncp1", Addresses(2, [["eth0", bytes([192, 0, 2, 1]), 24, True]]))
    assert told.ports == []
    one.apply("ncp1", FactsComplete(3))
    return one, told


def ports(sequence: int, **carrier: bool) -> Ports:
    return Ports(sequence, [[name, 2, True, up, 1500, b"", ""] for name, up in carrier.items()])


def test_ports_that_are_down_or_not_there_are_told_once_the_box_has_told_everything() -> None:
    _, told = book(("ncp1", "eth9"))
    assert sorted(told.ports) == [("ncp1/eth1", False), ("ncp1/eth9", False)]


def test_a_port_that_goes_down_comes_back_or_vanishes_is_told_each_time_it_changes() -> None:
    one, told = book()
    told.ports.clear()
    for fact in (
        ports(4, eth0=False),
        ports(5, eth0=False),
        ports(6, eth0=True),
        ports(7, eth9=True),
        ports(8, eth9=False),
    ):
        one.apply("ncp1", fact)
    one.apply("ncp1", Ports(9, [], ["eth0"]))
    assert told.ports == [("ncp1/eth0", False), ("ncp1/eth0", True), ("ncp1/eth9", False), ("ncp1/eth0", False)]


def test_a_box_that_is_away_keeps_its_ports_and_one_that_is_lost_keeps_nothing() -> None:
    one, told = book()
    told.ports.clear()
    one.agent_up("ncp1")
    assert (told.ports, len(told.connected)) == ([], 2)
    one.lost("ncp1")
    assert told.connected == set()
    assert ("ncp1/eth0", False) in told.ports
    assert "ncp1" not in one.complete


def cluster() -> tuple[FactBook, Told]:
    """Two boxes with a fabric, both up."""
    told = Told()
    boxes = [Box(name, ports={"eth0": Port((f"192.0.{n}.1/24",))}, fabric_port="fab0") for n, name in NAMES]
    one = FactBook(Boxes(boxes), told)
    for n, name in NAMES:
        one.agent_up(name)
        one.apply(name, ports(1, eth0=True, fab0=True))
        one.apply(name, Addresses(2, [["eth0", bytes([192, 0, n, 1]), 24, True]]))
        one.apply(name, FactsComplete(3))
    assert (len(told.connected), told.out) == (4, [])
    return one, told


NAMES = ((1, "ncp1"), (2, "ncp2"))
SECOND = {(bytes([192, 0, 2, 0]), 24), (bytes([192, 0, 2, 1]), 32)}


def test_the_ports_of_a_box_that_lags_leave_routing_until_it_has_caught_up() -> None:
    one, told = cluster()
    one.lags("ncp2", True)
    assert not told.connected & SECOND
    assert ("ncp2/eth0", False) in told.ports
    assert [ncp for ncp, reason in told.out if reason] == ["ncp2"]
    one.apply("ncp2", ports(4, eth0=True))
    assert not told.connected & SECOND
    one.lags("ncp2", False)
    assert told.connected >= SECOND
    assert told.ports[-1] == ("ncp2/fab0", True)
    assert told.out[-1] == ("ncp2", "")


def test_one_box_always_stays() -> None:
    one, told = cluster()
    one.lags("ncp2", True)
    one.lags("ncp1", True)
    assert set(one.out) == {"ncp2"}
    one.lags("ncp2", False)
    assert set(one.out) == {"ncp1"}
    assert told.connected == SECOND
    alone, told = book()
    alone.lags("ncp1", True)
    assert (alone.out, len(told.connected)) == ({}, 2)


def test_a_box_whose_fabric_port_is_down_is_cut_off_and_of_two_on_one_wire_the_first_stays() -> None:
    one, told = cluster()
    one.apply("ncp2", ports(4, fab0=False))
    assert one.out == {"ncp2": ISOLATED}
    one.apply("ncp1", ports(4, fab0=False))
    assert one.out == {"ncp2": ISOLATED}
    assert not told.connected & SECOND
    one.apply("ncp2", ports(5, fab0=True))
    assert one.out == {"ncp1": ISOLATED}
    one.apply("ncp1", ports(5, fab0=True))
    assert one.out == {}
    assert len(told.connected) == 4


def test_a_box_in_trouble_leaves_routing_once_another_one_is_there() -> None:
    one, told = cluster()
    one.lost("ncp2")
    one.apply("ncp1", ports(4, fab0=False))
    assert one.out == {}
    one.agent_up("ncp2")
    one.apply("ncp2", ports(1, eth0=True, fab0=True))
    one.apply("ncp2", Addresses(2, [["eth0", bytes([192, 0, 2, 1]), 24, True]]))
    one.apply("ncp2", FactsComplete(3))
    assert one.out == {"ncp1": ISOLATED}
    assert told.connected == SECOND
