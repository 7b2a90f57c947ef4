"""routingctl show: each command asks the daemon over the control socket and prints the answer.

What prints is imported by the command that needs it: start-up is what a person waits for.
"""

from __future__ import annotations

from typing import Any

import click

from routingd.cli.grammar import Exit, Group, anywhere, ask, pages, print_json, settings
from routingd.cli.keywords import Keywords, or_keyword
from routingd.cli.values import DETAIL, FAMILIES, NCPS, NCPS_OR_ALL, NEIGHBORS, PROTOCOLS, beginning_of, prefix


@click.group(cls=Group)
@anywhere
def show() -> None:
    """Show the state of the router."""


FAMILY = click.option(
    "--family", type=click.Choice(list(FAMILIES)), metavar="FAMILY", help="ipv4 or ipv6; by default both."
)


@show.group(cls=Group)
@anywhere
def bgp() -> None:
    """BGP sessions."""


@bgp.command()
@anywhere
def summary() -> None:
    """Every neighbor on a line (a line for each family)."""
    from routingd.cli import bgp as told

    answer = ask("show", "bgp", "summary")
    print_json(answer) if settings().json else told.summary(answer)


@bgp.command()
@click.argument("address", required=False, shell_complete=NEIGHBORS)
@anywhere
def neighbor(address: str | None) -> None:
    """All that is known of one neighbor, or of each."""
    from routingd.cli import bgp as told

    answer = ask("show", "bgp", "neighbor", address=address)
    print_json(answer) if settings().json else told.neighbors(answer)


@bgp.command(cls=Keywords)
@click.argument("address", shell_complete=NEIGHBORS)
@FAMILY
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N routes (default 1024).")
@anywhere
def advertised(address: str, family: str | None, limit: int | None) -> None:
    """The routes that a neighbor is told, with the attributes it gets (its Adj-RIB-Out)."""
    from routingd.cli import paged, rib

    told = pages(
        "show", "bgp", "advertised",
        address=address, family=FAMILIES[family] if family is not None else None, limit=limit,
    )  # fmt: skip
    paged.print_pages(told, rib.ADVERTISED)


AS = click.IntRange(0, 0xFFFFFFFF)
PROTOCOL = click.option("--protocol", type=click.Choice(PROTOCOLS), help="Routes of this protocol.")
WITHIN = click.option("--within", metavar="PREFIX", help="PREFIX and all more specific routes.")


@show.command(cls=Keywords)
@click.argument("prefix", required=False, shell_complete=or_keyword)
@click.option("--longer", is_flag=True, help="The PREFIX named first and all more specific routes (like --within).")
@WITHIN
@click.option("--covering", metavar="PREFIX", help="Routes that cover PREFIX (or an address), longest first.")
@PROTOCOL
@click.option("--neighbor", "--source", metavar="ADDRESS", shell_complete=NEIGHBORS, help="Paths from this peer.")
@click.option("--community", metavar="COMMUNITY", multiple=True, help="With this community; several: with all of them.")
@click.option("--as", "as_in_path", type=AS, metavar="AS", help="With AS anywhere in the AS path.")
@click.option("--origin-as", type=AS, metavar="AS", help="Originated by AS.")
@click.option("--neighbor-as", type=AS, metavar="AS", help="Heard from AS.")
@click.option("--all", "every", is_flag=True, help="Every path, not only the best of each prefix.")
@FAMILY
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N routes.")
@click.option(
    "--ncp",
    metavar="NAME|all",
    shell_complete=NCPS_OR_ALL,
    help="What this NCP, or each, has for PREFIX.",
)
@anywhere
def route(**given: Any) -> None:
    """The routing table in the order of prefixes, or every path of one PREFIX.

    An address stands for the route that its packets take. Options may be written without dashes and shortened, and all
    of them must hold: `show route within 10.0.0.0/8 protocol bgp as 65010 all`. `show route PREFIX ncp all` tells what
    became of a route in every kernel.
    """
    from routingd.cli import paged, routes

    at = given.pop("ncp")
    if at is not None:
        _at_boxes(given, at)
        return
    asked, longer, covering, every = (given.pop(name) for name in ("prefix", "longer", "covering", "every"))
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    if longer:
        if asked is None or "within" in chosen:
            raise click.UsageError("'longer' needs a PREFIX before it, and no 'within'.")
        asked, chosen["within"] = None, asked
    if asked is not None or covering is not None:
        if chosen or every or (asked is not None and covering is not None):
            raise click.UsageError(
                f"'{asked or 'covering'}' stands alone: to choose among routes write 'within PREFIX' or 'PREFIX longer'"
            )
        if asked is not None:
            detail = ask("show", "route", "detail", prefix=prefix(asked))
            print_json(detail) if settings().json else routes.print_detail(detail)
            return
        place = prefix(covering)
        answer = pages("show", "route", covering=place)
        paged.print_pages(answer, routes.ROUTES, missing=f"no route covers {place}")
        return
    paged.print_pages(
        pages("show", "route", **_route_arguments(chosen), all=every or None),
        routes.ROUTES,
        missing=f"no route in {prefix(chosen['within'], whole=True)}" if chosen.keys() == {"within"} else None,
    )


def _at_boxes(given: dict[str, Any], ncp: str) -> None:
    from routingd.cli import consistency

    asked = given.pop("prefix")
    if asked is None or any(value not in (None, (), False) for value in given.values()):
        raise click.UsageError("'ncp' needs a PREFIX before it, and nothing else: `show route PREFIX ncp all`.")
    answer = ask("show", "route", "ncp", prefix=prefix(asked), ncp=None if ncp == "all" else ncp)
    print_json(answer) if settings().json else consistency.route(answer)


def _route_arguments(chosen: dict[str, Any]) -> dict[str, Any]:
    """As the control protocol names them."""
    out = {"as" if name == "as_in_path" else name: value for name, value in chosen.items()}
    if "within" in out:
        out["within"] = prefix(out["within"], whole=True)
    if "community" in out:
        out["community"] = ",".join(out["community"])
    if "family" in out:
        out["family"] = FAMILIES[out["family"]]
    return out


@show.command(name="next-hop")
@click.argument("address", required=False)
@anywhere
def next_hop(address: str | None) -> None:
    """The next hops that routes name: what resolves each, and what changed last."""
    from routingd.cli import paged, rib, values

    wanted = values.address(address) if address is not None else None
    paged.print_pages(pages("show", "next-hop", address=wanted), rib.NEXT_HOPS)


@show.command()
@click.argument("number", required=False, metavar="[ID]", type=click.IntRange(min=0))
@anywhere
def group(number: int | None) -> None:
    """The next-hop groups that the FIB uses; with ID the hops of one and who gave them."""
    from routingd.cli import paged, rib

    if number is None or settings().json:
        paged.print_pages(pages("show", "group", id=number), rib.GROUPS)
    else:
        rib.group(ask("show", "group", id=number)["groups"][0])


@show.command(name="export-group")
@anywhere
def export_group() -> None:
    """Peers that are told the same, and how far behind each is."""
    from routingd.cli import rib

    answer = ask("show", "export-group")
    print_json(answer) if settings().json else rib.export_groups(answer)


@show.command()
@anywhere
def memory() -> None:
    """What the tables take."""
    from routingd.cli import rib

    answer = ask("show", "memory")
    print_json(answer) if settings().json else rib.memory(answer)


@show.command(cls=Keywords)
@click.argument("prefix", required=False, shell_complete=or_keyword)
@click.option("--ncp", metavar="NAME", shell_complete=NCPS, help="Only this NCP.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N rows.")
@FAMILY
@click.option("--consistency", is_flag=True, help="Whether each NCP has what the RIB wants; exit status 1 if not.")
@click.option("--audit", is_flag=True, help="With --consistency: compare each kernel with its agent's model now.")
@anywhere
def fib(
    prefix: str | None, ncp: str | None, limit: int | None, family: str | None, consistency: bool, audit: bool
) -> None:
    """What each NCP's agent holds and has put in its kernel.

    `show fib consistency` compares the whole of it with the RIB.
    """
    from routingd.cli import paged, routes, values

    if consistency or audit:
        if not consistency or any((prefix, limit, family)):
            raise click.UsageError("it is `show fib consistency [ncp NAME] [audit]`, and nothing else.")
        _consistency(ncp, audit)
        return
    if prefix is not None:
        prefix = values.prefix(prefix, whole=True)
    paged.print_pages(
        pages(
            "show", "fib", prefix=prefix, ncp=ncp, limit=limit, family=FAMILIES[family] if family is not None else None
        ),
        routes.FIB,
        missing=f"{prefix} is not in the FIB" if prefix is not None else None,
    )


def _consistency(ncp: str | None, audit: bool) -> None:
    from routingd.cli import consistency as told

    answer = ask("show", "fib", "consistency", ncp=ncp, audit=audit or None)
    print_json(answer) if settings().json else told.consistency(answer)
    if any(row["state"] != "equal" for row in answer["ncps"]):
        raise SystemExit(int(Exit.NO))


@show.command()
@click.argument("name", required=False, shell_complete=NCPS)
@click.argument("how", required=False, metavar="[detail]", callback=beginning_of("detail"), shell_complete=DETAIL)
@anywhere
def ncp(name: str | None, how: str | None) -> None:
    """The forwarding boxes: their agents, and how far each has come; with `detail` all that is known of one."""
    from routingd.cli import boxes, state

    if how is not None:
        answer = ask("show", "ncp", "detail", name=name)
        print_json(answer) if settings().json else boxes.details(answer)
        return
    answer = ask("show", "ncp", name=name)
    print_json(answer) if settings().json else state.ncps(answer, detail=name is not None)


@show.command(cls=Keywords)
@click.option("--ncp", metavar="NAME", shell_complete=NCPS, help="Only this NCP.")
@anywhere
def interfaces(ncp: str | None) -> None:
    """Ports of every NCP and their addresses."""
    from routingd.cli import state

    answer = ask("show", "interfaces", ncp=ncp)
    print_json(answer) if settings().json else state.interfaces(answer)


@show.command()
@anywhere
def version() -> None:
    """The running daemon's version and identity."""
    from routingd.cli import state

    answer = ask("show", "version")
    print_json(answer) if settings().json else state.version(answer)
