"""routingctl's commands. Each asks the daemon over the control socket and prints the answer; `check` and `schema` need
no daemon.

Start-up is what a person waits for: pydantic, asyncio, rich and the daemon's modules are imported only by the commands
that use them.
"""

from __future__ import annotations

from typing import Final

import click

from routingd.cli.grammar import Exit, Group, anywhere, ask, print_json, settings
from routingd.cli.monitor import monitor
from routingd.cli.sessions import bgp
from routingd.cli.show import show

EPILOG: Final = """\b
Commands may be shortened to any unique beginning: `routingctl sh b su`; only `shutdown` must be written out.
So may the options of commands about routes, and without dashes: `routingctl sh ro within 10.0.0.0/8 proto bgp`.
Exit status: 0 done; 1 not found, or the answer is no; 2 wrong use; 3 routingd cannot be reached; 4 routingd failed.
"""


@click.group(cls=Group, whole=("shutdown",), epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@anywhere
def cli() -> None:
    """Ask and control a running routingd."""


cli.add_command(show)
cli.add_command(monitor)
cli.add_command(bgp)


@cli.command()
@click.argument("prefix", metavar="PREFIX|ADDRESS")
@anywhere
def explain(prefix: str) -> None:
    """Why a prefix is routed the way it is, from the peer to every kernel, or what stopped it.

    Exit status 1 when it is not installed at every NCP, unless kernel install is off.
    """
    from routingd.cli import explain as teller
    from routingd.cli import values
    from routingd.cli.tables import clean

    answer = ask("explain", prefix=values.prefix(prefix))
    stage, verdict = teller.stage(answer)
    if settings().json:
        print_json({**answer, "stage": stage, "verdict": verdict})
    else:
        for line in teller.story(answer):
            click.echo(clean(line))
    if stage not in ("installed", "selected"):
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


def main() -> None:
    """The console script."""
    cli(prog_name="routingctl")


if __name__ == "__main__":
    main()
