"""What the words of a command line stand for: addresses, prefixes, names that the daemon knows."""

from __future__ import annotations

from typing import Any, Final

import click

FAMILIES: Final = {
    "ipv4": "ipv4-unicast",
    "ipv6": "ipv6-unicast",
    "ipv4-unicast": "ipv4-unicast",
    "ipv6-unicast": "ipv6-unicast",
}
PROTOCOLS: Final = ("connected", "static", "bgp")


def address(text: str) -> str:
    from ipaddress import ip_address

    try:
        return str(ip_address(text))
    except ValueError:
        raise click.UsageError(f"'{text}' is not an IPv4 or IPv6 address.") from None


def prefix(text: str, whole: bool = False) -> str:
    """A prefix in its normal form, or an address as it is (with `whole`: as a host prefix)."""
    from ipaddress import ip_address, ip_network

    try:
        if "/" in text:
            return str(ip_network(text, strict=False))
        return str(ip_network(text)) if whole else str(ip_address(text))
    except ValueError:
        raise click.UsageError(f"'{text}' is not an IPv4 or IPv6 address or prefix.") from None


def beginning_of(word: str) -> Any:
    """A callback: the argument is this word or a beginning of it."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
        if value is None or (value and word.startswith(value)):
            return value and word
        raise click.UsageError(f"'{value}' is not a word here: it may be followed by `{word}`.")

    return check


def words(*known: str) -> Any:
    """Completion by words that are always the same."""
    return lambda ctx, param, incomplete: [word for word in known if word.startswith(incomplete)]


def names(command: tuple[str, ...], rows: str, key: str, *more: str) -> Any:
    """Completion by what the daemon knows, and these words; nothing when it does not answer at once."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from routingd.cli.grammar import Settings
        from routingd.control.client import Client

        try:
            with Client(ctx.ensure_object(Settings).path, timeout=0.5) as client:
                answer = client.ask(*command)
            known = [*(str(row[key]) for row in answer[rows]), *more]
            return [name for name in known if name.startswith(incomplete)]
        except Exception:  # completion is silent, whatever happens: there is nowhere to say it
            return []

    return complete


NEIGHBORS: Final = names(("show", "bgp", "summary"), "neighbors", "address")
NCPS: Final = names(("show", "ncp"), "ncps", "name")
NCPS_OR_ALL: Final = names(("show", "ncp"), "ncps", "name", "all")
DETAIL: Final = words("detail")
