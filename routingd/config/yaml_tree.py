"""YAML to a plain tree in which every scalar is still text, and the line of every node. Knows nothing of routers.

YAML's own typing is not used: `on`, `0777`, `1e3` and `12:30:45` would become what nobody meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

Tree = dict[str, "Tree"] | list["Tree"] | str | None
Path = tuple[str, ...]

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_NODES: Final = 300_000
"""Aliases of aliases multiply: the file stays small, what it stands for does not."""
MAX_DEPTH: Final = 32

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong (or doubtful) in a configuration, and where."""

    line: int
    path: Path
    message: str

    def render(self, name: str) -> str:
        where = f" {'.'.join(self.path)}:" if self.path else ""
        return f"{name}:{self.line}:{where} {self.message}"


class YamlProblem(Exception):
    """The text is not a tree; carries every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems


@dataclass(slots=True)
class Document:
    root: Tree = None
    lines: dict[Path, int] = field(default_factory=dict)
    """Of a scalar: where it stands; of a mapping or list: where its key stands."""

    def line(self, path: Path) -> tuple[int, Path]:
        """The line of the deepest node on this path that the file has, and the path to that."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]], path[:end]
        return self.lines.get((), 1), ()


def parse(text: str) -> Document:
    """Raises YamlProblem: syntax, duplicate keys, keys that are no text, tags, too much of it."""
    if len(text) > MAX_BYTES:
        raise YamlProblem([Problem(1, (), f"is larger than {MAX_BYTES // (1024 * 1024)} MiB")])
    try:
        # The composer recurses in C, where depth ends the process: the depth is known before it runs.
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise YamlProblem([Problem(_line(event.start_mark), (), "is nested too deeply")])
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = _line(error.problem_mark or error.context_mark)
        detail = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlProblem([Problem(line, (), f"is not YAML: {detail}")]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlProblem([Problem(line, (), "is not YAML: it holds a control character")]) from None
    reader = _Reader()
    document = reader.document
    if node is not None:
        document.root = reader.read(node, ())
    if reader.problems:
        raise YamlProblem(reader.problems)
    return document


def _line(mark: Any) -> int:
    return mark.line + 1 if mark is not None else 1


class _Reader:
    def __init__(self) -> None:
        self.document = Document()
        self.problems: list[Problem] = []
        self._nodes = 0

    def _problem(self, node: yaml.Node, path: Path, message: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, path, message))

    def read(self, node: yaml.Node, path: Path) -> Tree:
        self._nodes += 1
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            what = "nested too deeply" if len(path) > MAX_DEPTH else f"more than {MAX_NODES:,} values"
            raise YamlProblem([*self.problems, Problem(node.start_mark.line + 1, path[:4], f"is {what}")])
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self._problem(node, path, f"has the tag {node.tag}: tags are not used here")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, str(index))) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        self.document.lines[path] = node.start_mark.line + 1
        text: str = node.value
        if not node.style and text in ("", "~", "null"):
            return None
        return text

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Tree:
        tree: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(
                    key_node, path, "a key must be a word, not a list or mapping (is a quote or a blank missing?)"
                )
                continue
            key: str = key_node.value
            here = (*path, key)
            if key in tree:
                self._problem(key_node, here, f"is there twice, first in line {self.document.lines[here]}")
                continue
            self.document.lines[here] = key_node.start_mark.line + 1
            tree[key] = self.read(value_node, here)
        return tree
