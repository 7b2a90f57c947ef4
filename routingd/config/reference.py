"""docs/configuration.md, written from the models: `python -m routingd.config.reference > docs/configuration.md`.

Every key, what it takes, its default, what it means. Knows the schema only by looking at it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from routingd.config.schema import NOT_YET, Config
from routingd.config.values import Form

INTRODUCTION: Final = """# Configuration

One YAML file, read by `routingd --config FILE`. `routingctl check FILE` checks it without a daemon and names file, line
and path of every error; `routingctl schema` prints its JSON Schema for editors. This page is written from the schema by
`python -m routingd.config.reference`.

Scalars are read as they stand: `on` is a word, not a truth value, and `1e3` is no number. A key may stand once; unknown
keys are errors. File names are relative to the configuration's directory.

```yaml
router:
  name: r1
  router-id: 10.255.0.1
  asn: 65001

interfaces:
  lo: { addresses: [10.255.0.1/32] }
  eth0: { addresses: [192.0.2.1/24], description: transit }

static:
  203.0.113.0/24: { blackhole: true }

bgp:
  networks: [203.0.113.0/24]
  neighbors:
    192.0.2.2:
      asn: 65002
      families: { ipv4-unicast: { import: accept, export: accept } }
```

A neighbor without `import: accept` gives no route and one without `export: accept` gets none (RFC 8212). What a
neighbor does not say is taken from its `group`, key by key and, within `families`, word by word.
"""

KEYS_OF: Final = {
    "families": "FAMILY",
    "neighbors": "ADDRESS",
    "listen": "PREFIX",
    "groups": "NAME",
    "ncps": "NCP",
    "fabric": "NCP",
    "interfaces": "PORT",
    "static": "PREFIX",
    "subsystems": "NAME",
}


def reference() -> str:
    """The page."""
    lines = [INTRODUCTION]
    for path, model in _sections(Config, ()):
        title = ".".join(path) if path else "Top level"
        lines += [f"## {'`' + title + '`' if path else title}", "", _prose(model.__doc__ or ""), ""]
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        lines += [_row(info) for info in model.model_fields.values()]
        lines.append("")
    lines += ["## Not in this version", "", "Refused by name, so that nobody believes them to be in force:", ""]
    lines += [f"- `{'.'.join((*section, key))}`" for section, keys in NOT_YET.items() for key in sorted(keys)]
    return "\n".join(lines).rstrip() + "\n"


def _sections(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    yield path, model
    for name, info in model.model_fields.items():
        inner = _model(info.annotation)
        if inner is not None:
            key = info.alias or name
            yield from _sections(inner, (*path, key, *([KEYS_OF[key]] if _is_map(info.annotation) else [])))


def _row(info: FieldInfo) -> str:
    return f"| `{info.alias}` | {_value(info)} | {_default(info)} | {_prose(info.description or '')} |"


def _value(info: FieldInfo) -> str:
    forms = [item for item in info.metadata if isinstance(item, Form)]
    return _cell(forms[0].words if forms else _words(info.annotation))


def _words(annotation: Any) -> str:
    if typing.get_origin(annotation) is Annotated:
        forms = [item for item in annotation.__metadata__ if isinstance(item, Form)]
        return forms[0].words if forms else _words(annotation.__origin__)
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is dict:
        return f"map of {_words(arguments[0])} to {_words(arguments[1])}"
    if origin is tuple:
        return f"list of {_words(arguments[0])}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_words(argument) for argument in arguments if argument is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    raise TypeError(f"no words for {annotation!r}: give its type a Form")


def _default(info: FieldInfo) -> str:
    default: Any = info.default
    if default is PydanticUndefined:
        return "required"
    if default is None or default in ("", (), {}) or isinstance(default, (BaseModel, dict)):
        return "–"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in typing.get_args(annotation) if (found := _model(argument)) is not None), None)


def _is_map(annotation: Any) -> bool:
    if typing.get_origin(annotation) is Annotated:
        return _is_map(annotation.__origin__)
    return typing.get_origin(annotation) is dict


def _prose(text: str) -> str:
    return _cell(" ".join(text.split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
