"""routingctl's commands. Each asks the daemon over the control socket and prints the answer; `check` and `schema` need
no daemon.

Start-up is what a person waits for: pydantic, asyncio, rich and the daemon's modules are imported only by the commands
that use them.
"""

from __future__ import annotations

from typing import Any, Final

import click

from routingd.cli.grammar import Exit, Group, anywhere, ask, pages, print_json, settings

FAMILIES: Final = {
    "ipv4": "ipv4-unicast",
    "ipv6": "ipv6-unicast",
    "ipv4-unicast": "ipv4-unicast",
    "ipv6-unicast": "ipv6-unicast",
}
EPILOG: Final = """\b
Commands may be shortened to any unique beginning: `routingctl sh b su`; only `shutdown` must be written out.
Exit status: 0 done; 1 not found, or the answer is no; 2 wrong use; 3 routingd cannot be reached; 4 routingd failed.
"""


@click.group(cls=Group, whole=("shutdown",), epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@anywhere
def cli() -> None:
    """Ask and control a running routingd."""


@cli.group(cls=Group)
@anywhere
def show() -> None:
    """Show the state of the router."""


@show.group(cls=Group)
@anywhere
def bgp() -> None:
    """BGP sessions."""


def _names(command: tuple[str, ...], rows: str, key: str) -> Any:
    """Completion by what the daemon knows; nothing when it does not answer at once."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from routingd.cli.grammar import Settings
        from routingd.control.client import Client

        try:
            with Client(ctx.ensure_object(Settings).path, timeout=0.5) as client:
                answer = client.ask(*command)
            return [str(row[key]) for row in answer[rows] if str(row[key]).startswith(incomplete)]
        except Exception:  # completion is silent, whatever happens: there is nowhere to say it
            return []

    return complete


@bgp.command()
@anywhere
def summary() -> None:
    """Every neighbor on a line (a line for each family)."""
    from routingd.cli import state

    answer = ask("show", "bgp", "summary")
    print_json(answer) if settings().json else state.bgp_summary(answer)


@bgp.command()
@click.argument("address", required=False, shell_complete=_names(("show", "bgp", "summary"), "neighbors", "address"))
@anywhere
def neighbor(address: str | None) -> None:
    """All that is known of one neighbor, or of each."""
    from routingd.cli import state

    answer = ask("show", "bgp", "neighbor", address=_address(address) if address is not None else None)
    print_json(answer) if settings().json else state.bgp_neighbors(answer)


@show.command()
@click.argument("prefix", required=False)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N routes.")
@click.option("--family", type=click.Choice(list(FAMILIES)), metavar="FAMILY", help="ipv4 or ipv6; by default both.")
@click.option("--protocol", type=click.Choice(["connected", "static", "bgp"]), help="Only routes of this protocol.")
@click.option("--longer", is_flag=True, help="PREFIX and all more specific routes, as a table.")
@anywhere
def route(prefix: str | None, limit: int | None, family: str | None, protocol: str | None, longer: bool) -> None:
    """The routing table, or every path of one PREFIX.

    An address stands for the route that its packets take. In the table: C connected, S static, B BGP.
    """
    from routingd.cli import routes

    if longer and prefix is None:
        raise click.UsageError("--longer needs a PREFIX.")
    if prefix is not None:
        prefix = _prefix(prefix, whole=longer)
    if prefix is not None and not longer:
        if limit is not None or family is not None or protocol is not None:
            raise click.UsageError(
                "--limit, --family and --protocol are for the table: with a PREFIX they need --longer."
            )
        detail = ask("show", "route", "detail", prefix=prefix)
        print_json(detail) if settings().json else routes.print_detail(detail)
        return
    args = {"prefix": prefix, "longer": True if longer else None, "limit": limit, "protocol": protocol}
    routes.print_pages(
        pages("show", "route", family=FAMILIES[family] if family is not None else None, **args),
        routes.ROUTES,
        missing=f"no route in {prefix}" if prefix is not None else None,
    )


@show.command()
@click.argument("prefix", required=False)
@click.option("--ncp", metavar="NAME", shell_complete=_names(("show", "ncp"), "ncps", "name"), help="Only this NCP.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N rows.")
@click.option("--family", type=click.Choice(list(FAMILIES)), metavar="FAMILY", help="ipv4 or ipv6; by default both.")
@anywhere
def fib(prefix: str | None, ncp: str | None, limit: int | None, family: str | None) -> None:
    """What each NCP's agent holds and has put in its kernel."""
    from routingd.cli import routes

    if prefix is not None:
        prefix = _prefix(prefix, whole=True)
    routes.print_pages(
        pages(
            "show", "fib", prefix=prefix, ncp=ncp, limit=limit, family=FAMILIES[family] if family is not None else None
        ),
        routes.FIB,
        missing=f"{prefix} is not in the FIB" if prefix is not None else None,
    )


@show.command()
@click.argument("name", required=False, shell_complete=_names(("show", "ncp"), "ncps", "name"))
@anywhere
def ncp(name: str | None) -> None:
    """The forwarding boxes: their agents, and how far each has come."""
    from routingd.cli import state

    answer = ask("show", "ncp", name=name)
    print_json(answer) if settings().json else state.ncps(answer, detail=name is not None)


@show.command()
@click.option("--ncp", metavar="NAME", shell_complete=_names(("show", "ncp"), "ncps", "name"), help="Only this NCP.")
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


@cli.command()
@click.argument("prefix", metavar="PREFIX|ADDRESS")
@anywhere
def explain(prefix: str) -> None:
    """Why a prefix is routed the way it is, from the peer to every kernel, or what stopped it.

    Exit status 1 when it is not installed at every NCP.
    """
    from routingd.cli import explain as teller
    from routingd.cli.tables import clean

    answer = ask("explain", prefix=_prefix(prefix))
    stage, verdict = teller.stage(answer)
    if settings().json:
        print_json({**answer, "stage": stage, "verdict": verdict})
    else:
        for line in teller.story(answer):
            click.echo(clean(line))
    if stage != "installed":
        raise SystemExit(int(Exit.NO))


@cli.command()
@click.option(
    "--flush", is_flag=True, help="Also remove all routes from every NCP's kernel; without it they keep forwarding."
)
@anywhere
def shutdown(flush: bool) -> None:
    """Stop routingd and its agents. Must be written out."""
    answer = ask("shutdown", flush=flush)
    if settings().json:
        print_json(answer)
        return
    kept = "their routes are removed" if answer["flush"] else "their routes stay in the kernels"
    click.echo(f"routingd stops; told {', '.join(answer['ncps']) or 'no agent'}: {kept}")


@cli.command()
@click.argument("config", type=click.Path(dir_okay=False))
@anywhere
def check(config: str) -> None:
    """Check a configuration file; no daemon is needed."""
    from pathlib import Path

    from routingd.config.load import ConfigError, load

    errors, warnings = [], []
    try:
        warnings = list(load(Path(config)).warnings)
    except ConfigError as error:
        errors = list(error.problems)
    if settings().json:
        rows = {
            name: [{"line": p.line, "path": ".".join(p.path), "message": p.message} for p in found]
            for name, found in (("errors", errors), ("warnings", warnings))
        }
        print_json({"file": config, "valid": not errors, **rows})
    else:
        for problem in errors:
            click.echo(problem.render(config), err=True)
        for problem in warnings:
            click.echo(f"{problem.render(config)} (warning)", err=True)
        if errors:
            click.echo(f"{config}: {len(errors)} error{'s' * (len(errors) != 1)}", err=True)
        else:
            click.echo(f"{config}: valid")
    if errors:
        raise SystemExit(int(Exit.NO))


@cli.command()
@anywhere
def schema() -> None:
    """The JSON Schema of the configuration, for editors."""
    from routingd.config.schema import json_schema

    print_json(json_schema())


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@anywhere
def completion(shell: str) -> None:
    """Print the completion script of a shell: `eval "$(routingctl completion bash)"`."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    # the plain method: bash's own would run bash to see its version
    click.echo(ShellComplete.source(kind(cli, {}, "routingctl", "_ROUTINGCTL_COMPLETE")))


def _address(text: str) -> str:
    from ipaddress import ip_address

    try:
        return str(ip_address(text))
    except ValueError:
        raise click.UsageError(f"'{text}' is not an IPv4 or IPv6 address.") from None


def _prefix(text: str, whole: bool = False) -> str:
    """A prefix in its normal form, or an address as it is (with `whole`: as a host prefix)."""
    from ipaddress import ip_address, ip_network

    try:
        if "/" in text:
            return str(ip_network(text, strict=False))
        return str(ip_network(text)) if whole else str(ip_address(text))
    except ValueError:
        raise click.UsageError(f"'{text}' is not an IPv4 or IPv6 address or prefix.") from None


def main() -> None:
    """The console script."""
    cli(prog_name="routingctl")


if __name__ == "__main__":
    main()
