"""From a file to a checked configuration, or to every problem in it as `file:line: path: what is wrong`.

Reading is `yaml_tree`, the models `schema`, references between parts `check`; this module joins them and words
pydantic's errors.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from routingd.config import check
from routingd.config.schema import NOT_YET, Config
from routingd.config.yaml_tree import Document, Path, Problem, YamlProblem, parse


class ConfigError(Exception):
    """The configuration cannot be used. `str()` is one line for each problem."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.name = name
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.render(name) for problem in problems))


@dataclass(frozen=True, slots=True)
class Loaded:
    config: Config
    warnings: tuple[Problem, ...]
    directory: FilePath
    """File names in the configuration are relative to this."""


def load(path: FilePath) -> Loaded:
    """Read a file. Raises ConfigError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), [Problem(1, (), f"cannot be read: {error.strerror}")]) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(str(path), [Problem(line, (), "is not UTF-8 text")]) from None
    return loads(text, str(path), path.parent)


def loads(text: str, name: str = "config", directory: FilePath = FilePath()) -> Loaded:
    """The same from text; `name` stands in messages."""
    try:
        document = parse(text)
    except YamlProblem as error:
        raise ConfigError(name, error.problems) from None
    if document.root is None:
        raise ConfigError(name, [Problem(1, (), "is empty: at least `router` with name, router-id and asn is needed")])
    if not isinstance(document.root, dict):
        raise ConfigError(name, [Problem(1, (), "should be a mapping (router: …) at the top")])
    try:
        config = Config.model_validate(document.root)
    except ValidationError as error:
        raise ConfigError(name, _problems(error, document)) from None
    findings = check.check(config)
    findings.errors[:0] = check.repeated(document.root)
    if findings.errors:
        raise ConfigError(name, sorted((_place(f, document) for f in findings.errors), key=lambda p: p.line))
    return Loaded(
        config, tuple(sorted((_place(f, document) for f in findings.warnings), key=lambda p: p.line)), directory
    )


def _place(finding: check.Finding, document: Document) -> Problem:
    line, path = document.line(finding.path)
    return Problem(line, path, finding.message)


def _problems(error: ValidationError, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    for item in error.errors(include_url=False, include_input=False):
        loc = tuple(str(part) for part in item["loc"] if part != "[key]")
        line, path = document.line(loc)
        kind = item["type"]
        if kind == "missing":
            message = f"`{loc[-1]}` is missing"
        elif kind == "extra_forbidden":
            message = _unknown(loc)
        elif kind in ("model_type", "dict_type", "model_attributes_type"):
            message = "should be a mapping (key: value)"
        elif kind in ("tuple_type", "list_type"):
            message = "should be a list, like [A, B]"
        else:
            cause = item.get("ctx", {}).get("error")
            message = str(cause) if cause is not None else str(item["msg"])
        problem = Problem(line, path, message)
        if problem not in problems:
            problems.append(problem)
    return sorted(problems, key=lambda p: p.line)


def _unknown(loc: Path) -> str:
    section, key = loc[:-1], loc[-1]
    if key in NOT_YET.get(section, frozenset()):
        return f"`{key}` is not supported by this version: take it out"
    known = sorted(_keys(section))
    near = difflib.get_close_matches(key.lower().replace("_", "-"), known, n=1, cutoff=0.6)
    if near:
        return f"`{key}` is not a key here: did you mean `{near[0]}`?"
    return f"`{key}` is not a key here: known are {', '.join(known)}"


def _keys(section: Path) -> set[str]:
    """The keys of the model at this path. A part of the path that names no field is a key of a map (a neighbor) or an
    index."""
    model: type[BaseModel] = Config
    for part in section:
        for name, info in model.model_fields.items():
            if part in (info.alias, name):
                inner = _model_in(info.annotation)
                if inner is not None:
                    model = inner
                break
    return {info.alias or name for name, info in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
