"""docs/rib-api.md: every example is run, in one session from top to bottom, and prints what is shown."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from rib import Options
from rib.__main__ import main

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rib-api.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
COMMAND = "$ python -m rib "


def run_session(text: str, names: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(text, names, DOCUMENT.name, str(DOCUMENT), 0)
    report: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=report.append, clear_globs=False)
    assert not result.failed, "".join(report)
    names.update(test.globs)


def run_commands(text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The same text with what the commands print now; of the progress line what it ends as."""
    out = []
    for line in text.splitlines():
        if line.startswith(COMMAND):
            assert main(line.removeprefix(COMMAND).split()) == 0
            seen = capsys.readouterr()
            progress = re.sub(r"\x1b\[K", "", seen.err).split("\r")[-1]
            out.append(f"{line}\n{progress}{seen.out}")
    return "".join(out)


def without_sizes(text: str) -> str:
    return re.sub(r"\d+\.\d [kM]B", "SIZE", text)


def test_every_example_prints_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    kinds = []
    for kind, body in BLOCK.findall(DOCUMENT.read_text()):
        kinds.append(kind)
        if kind == "python":
            run_session(body, names)
        else:
            assert without_sizes(run_commands(body, capsys)) == without_sizes(body)
    assert kinds.count("python") >= 10
    assert kinds.count("console") == 1


def test_the_table_of_options_is_whole_and_tells_the_defaults() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (\S+) \|", DOCUMENT.read_text(), re.M)
    shown = {name: default for names, default in rows for name in re.findall(r"\w+", names)}
    defaults = Options()
    assert shown == {name: str(getattr(defaults, name)) for name in Options.__dataclass_fields__}
