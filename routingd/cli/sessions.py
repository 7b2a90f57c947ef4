"""routingctl bgp: sessions started, stopped, reset and refreshed by hand. It lasts until routingd ends."""

from __future__ import annotations

import click

from routingd.cli.grammar import Group, anywhere, ask, print_json, settings
from routingd.cli.values import NEIGHBORS

MESSAGE = click.option(
    "--message", metavar="TEXT", help="What the neighbor's operator reads, at most 255 octets (RFC 9003)."
)


@click.group(cls=Group)
@anywhere
def bgp() -> None:
    """Start, stop, reset or refresh a BGP session."""


@bgp.command()
@click.argument("address", shell_complete=NEIGHBORS)
@anywhere
def start(address: str) -> None:
    """Let a stopped session come up, also one that was stopped for too many prefixes."""
    _order("start", address, None)


@bgp.command()
@click.argument("address", shell_complete=NEIGHBORS)
@MESSAGE
@anywhere
def stop(address: str, message: str | None) -> None:
    """End a session with a Cease, Administrative Shutdown, and keep it down."""
    _order("stop", address, message)


@bgp.command()
@click.argument("address", shell_complete=NEIGHBORS)
@MESSAGE
@anywhere
def reset(address: str, message: str | None) -> None:
    """End a session with a Cease, Administrative Reset, and let it come up again."""
    _order("reset", address, message)


@bgp.command()
@click.argument("address", shell_complete=NEIGHBORS)
@anywhere
def refresh(address: str) -> None:
    """Ask a neighbor for all its routes again (RFC 2918); the session stays."""
    _order("refresh", address, None)


def _order(word: str, address: str, message: str | None) -> None:

    answer = ask("bgp", word, address=address, message=message)
    print_json(answer) if settings().json else click.echo(f"{answer['address']}: {answer['state']}")
