"""Commands whose options may be written as words: `show route within 10.0.0.0/8 protocol bgp`, shortened and completed
like commands."""

from __future__ import annotations

import re
from typing import Any, Final

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

_WORD: Final = re.compile(r"[a-z][a-z-]*")
_NEVER: Final = frozenset({"help", "run-dir", "socket"})
_WAITING: Final = "routingd.cli.keywords.waiting"
"""In the context's meta: the option that the next word is the value of."""


class Keywords(click.Command):
    """`--option` may be written `option`, or any unique beginning of it. For commands whose arguments are no words."""

    def _keywords(self) -> dict[str, click.Option]:
        return {
            name.removeprefix("--"): option
            for option in self.params
            if isinstance(option, click.Option)
            for name in option.opts
            if name.startswith("--") and name.removeprefix("--") not in _NEVER
        }

    def _keyword(self, ctx: click.Context, word: str) -> tuple[str, click.Option] | None:
        keywords = self._keywords()
        if not _WORD.fullmatch(word):
            return None
        if word in keywords:
            return word, keywords[word]
        matches = [name for name in keywords if name.startswith(word)]
        if len(matches) > 1 and not ctx.resilient_parsing:
            ctx.fail(f"'{word}' is ambiguous: {', '.join(matches)}.")
        return (matches[0], keywords[matches[0]]) if len(matches) == 1 else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._with_dashes(ctx, args))

    def _with_dashes(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes_value = {name for option in self.params if not _is_flag(option) for name in option.opts}
        out: list[str] = []
        words = iter(args)
        for word in words:
            found = self._keyword(ctx, word)
            if found is None:
                out.append(word)
                if word in takes_value:
                    out.extend(_next(words))
                continue
            name, option = found
            if _is_flag(option):
                out.append(f"--{name}")
            elif value := _next(words):
                out += [f"--{name}", *value]
            elif ctx.resilient_parsing:
                ctx.meta[_WAITING] = option
            else:
                ctx.fail(f"'{name}' needs a value: {option.metavar or 'VALUE'}.")
        return out

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        waiting = ctx.meta.get(_WAITING)
        if isinstance(waiting, click.Option):
            return waiting.shell_complete(ctx, incomplete)
        unused = [
            CompletionItem(name, help=option.help)
            for name, option in self._keywords().items()
            if name.startswith(incomplete)
            and (option.multiple or ctx.get_parameter_source(str(option.name)) is not ParameterSource.COMMANDLINE)
        ]
        return [*super().shell_complete(ctx, incomplete), *unused]


def or_keyword(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completion of an argument in whose place an option may stand as well."""
    return ctx.command.shell_complete(ctx, incomplete)


def _is_flag(param: click.Parameter) -> bool:
    return isinstance(param, click.Option) and param.is_flag


def _next(words: Any) -> list[str]:
    return [value for value in (next(words, None),) if value is not None]
