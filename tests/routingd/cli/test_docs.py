"""docs/cli.md and other pages show what routingctl prints: every block is run and compared.

`python -m tests.routingd.cli.test_docs` writes the present output into the pages.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from routingd.cli.grammar import Group
from routingd.cli.main import cli
from tests.routingd.cli.fake_daemon import serving

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "cli.md"
PAGES = (PAGE, DOCS / "fib-distribution.md", DOCS / "failures.md")
FILE = re.compile(r"^`([\w.-]+\.yaml)`:\n\n```yaml\n(.*?)^```$", re.M | re.S)
BLOCK = re.compile(r"^```console\n\$ (routingctl [^\n]*)\n(.*?)^```$", re.M | re.S)


def shown(line: str, directory: Path) -> str:
    """What this command line prints, with `| head -n N` done here; a status other than 0 is a last line of its own."""
    command, _, filtered = line.partition(" | head -n ")
    words = shlex.split(command)[1:]
    files = [str(directory / word) if word.endswith(".yaml") else word for word in words]
    environment = {"ROUTINGD_RUN_DIR": str(directory), "COLUMNS": "100"}
    result = CliRunner().invoke(cli, files, prog_name="routingctl", env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    lines = result.output.replace(f"{directory}/", "").splitlines()
    if filtered:
        lines = lines[: int(filtered)]
    elif result.exit_code:
        lines.append(f"(exit status {result.exit_code})")
    return "".join(f"{text.rstrip()}\n" for text in lines)


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_files(place)
        with serving(place / "control.sock"):
            yield place


def write_files(place: Path) -> None:
    for name, text in FILE.findall(PAGE.read_text()):
        (place / name).write_text(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(*block, id=f"{page.stem}: {block[0]}")
        for page in PAGES
        for block in BLOCK.findall(page.read_text())
    ],
)
def test_the_page_shows_what_is_printed(directory: Path, line: str, expected: str) -> None:
    assert shown(line, directory) == expected


def test_the_page_shows_every_command() -> None:
    page = PAGE.read_text()

    def commands(group: Group, path: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if isinstance(command, Group):
                yield from commands(command, f"{path} {name}")
            else:
                yield f"{path} {name}"

    assert isinstance(cli, click.Group)
    assert [path for path in commands(cli, "routingctl") if f"$ {path}" not in page] == []


def write() -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_files(place)
        with serving(place / "control.sock"):
            for page in PAGES:
                new = BLOCK.sub(lambda m: f"```console\n$ {m[1]}\n{shown(m[1], place)}```", page.read_text())
                page.write_text(new)


if __name__ == "__main__":
    write()
