"""docs/failures.md tells of every row of the matrix, in its words, and of commands and metrics that exist."""

from __future__ import annotations

import re
from pathlib import Path

import click

from routingd.cli.grammar import Group
from routingd.cli.main import cli
from routingd.metrics import METRICS
from tests.failures.matrix import ROWS

PAGE = (Path(__file__).parents[2] / "docs" / "failures.md").read_text()
SECTION = re.compile(r"^## (\d+)\. (.*)\n\n\*\*Required:\*\* (.*)\n", re.M)


def test_the_page_has_the_rows_of_the_matrix_in_its_words() -> None:
    sections = {int(number): (fault, required) for number, fault, required in SECTION.findall(PAGE)}
    assert sections == {number: (row.what, row.required) for number, row in ROWS.items()}


def test_what_the_page_tells_to_type_and_to_watch_exists() -> None:
    assert set(re.findall(r"routingd_[a-z_]+", PAGE)) <= set(METRICS)
    for line in re.findall(r"`routingctl ([^`]*)`", PAGE):
        command: click.Command = cli
        words = line.split()
        while isinstance(command, Group) and words:
            found = command.commands.get(words.pop(0))
            assert found is not None, f"there is no routingctl {line}"
            command = found
        known = {name.removeprefix("--") for parameter in command.params for name in parameter.opts}
        strange = {word for word in words if not word.isupper() and word not in known | {"detail", "all"}}
        assert not strange, f"routingctl {line}"
