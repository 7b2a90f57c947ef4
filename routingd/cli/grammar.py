"""How routingctl's commands are written: abbreviations, options that may stand anywhere, exit codes. Knows no single
command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click

DEFAULT_RUN_DIR: Final = "/run/routingd"


class Exit(IntEnum):
    """What routingctl's exit status says."""

    OK = 0
    NO = 1
    """Not found, or the answer is no: no such route, a configuration with errors, a route that is not in every
    kernel."""
    USAGE = 2
    UNREACHABLE = 3
    DAEMON = 4


@dataclass(slots=True)
class Settings:
    """What the options before, or behind, the command said."""

    run_dir: str = DEFAULT_RUN_DIR
    socket: str | None = None
    json: bool = False

    @property
    def path(self) -> Path:
        return Path(self.socket) if self.socket is not None else Path(self.run_dir) / "control.sock"


def settings() -> Settings:
    return click.get_current_context().ensure_object(Settings)


class Group(click.Group):
    """A group whose commands may be abbreviated to any unique prefix. `whole` names those that must be written out."""

    def __init__(self, *args: Any, whole: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.whole = whole

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        exact = super().get_command(ctx, cmd_name)
        if exact is not None:
            return exact
        matches = [name for name in self.list_commands(ctx) if name.startswith(cmd_name) and name not in self.whole]
        if len(matches) > 1:
            ctx.fail(f"'{cmd_name}' is ambiguous: {', '.join(matches)}.")
        return super().get_command(ctx, matches[0]) if matches else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        _, command, rest = super().resolve_command(ctx, args)
        return command.name if command is not None else None, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """A reader that went away (`| head`) is no error; click would end with 1, which here means "not found"."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(int(Exit.OK))


F = TypeVar("F", bound=Callable[..., Any])


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value not in (None, False):
            setattr(ctx.ensure_object(Settings), name, value)

    return callback


def anywhere(function: F) -> F:
    """The options that are accepted before the command and behind it."""
    for decorator in (
        click.option("--json", is_flag=True, expose_value=False, callback=_set("json"), help="Answer in JSON."),
        click.option(
            "--socket", metavar="PATH", expose_value=False, callback=_set("socket"), help="The control socket itself."
        ),
        click.option(
            "--run-dir",
            metavar="DIR",
            envvar="ROUTINGD_RUN_DIR",
            expose_value=False,
            callback=_set("run_dir"),
            help=f"routingd's run directory, which holds control.sock (default {DEFAULT_RUN_DIR}).",
        ),
    ):
        function = decorator(function)
    return function


def fail(code: Exit, message: str, *, kind: str, hint: str = "") -> NoReturn:
    """End with an error: in words on standard error, or with --json as an object on standard output."""
    if settings().json:
        error = {"code": kind, "message": message, **({"hint": hint} if hint else {})}
        click.echo(json.dumps({"error": error}, indent=2))
    else:
        from routingd.cli.tables import clean

        click.echo(clean(f"routingctl: {message}" + (f" ({hint})" if hint else "")), err=True)
    raise SystemExit(int(code))


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def ask(*words: str, **args: Any) -> Any:
    """One answer from the daemon; errors end the program with their exit status."""
    result: Any = None
    for page in pages(*words, **args):
        result = page
    return result


def pages(*words: str, live: bool = False, **args: Any) -> Any:
    """The pages of an answer as they arrive; `live`: of one that does not end, however long it is silent."""
    from routingd.control.client import Client, DaemonUnreachable
    from routingd.control.protocol import CommandFailed

    try:
        with Client(settings().path) as client:
            yield from client.pages(*words, args=args, live=live)
    except DaemonUnreachable as error:
        fail(Exit.UNREACHABLE, str(error), kind="unreachable")
    except CommandFailed as error:
        status = {"not-found": Exit.NO, "usage": Exit.USAGE}.get(error.code, Exit.DAEMON)
        fail(status, error.message, kind=error.code, hint=error.hint)
