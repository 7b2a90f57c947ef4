"""From a box's facts to connected routes: what counts, what does not."""

from __future__ import annotations

from ipaddress import ip_interface

from fibd.wire import Addresses, Ports
from routingd.boxes import Box, Boxes, Port
from routingd.facts import Connected, Picture, connected_routes

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
