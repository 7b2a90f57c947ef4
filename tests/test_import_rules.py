"""The import table of docs/ARCHITECTURE.md, enforced: who imports whom, and where there is no IO, clock or chance."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = {"routingd", "protocols", "rib", "fibd", "kernel", "native"}
MAY_IMPORT = {
    "native": set(),
    "rib": {"native"},
    "protocols": {"rib", "native"},
    "fibd": {"rib", "native"},
    "kernel": {"native"},
    "routingd": PRODUCT,
}
SANS_IO = {"protocols", "rib", "fibd"}
IMPURE = {"asyncio", "socket", "time", "random", "subprocess", "selectors", "threading", "secrets"}
MODULES = sorted(path for package in PRODUCT for path in (ROOT / package).rglob("*.py") if "target" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function, `from . import` resolved."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            base = ".".join([*package, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_the_table_allows(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    package, names = parts[0], [name.split(".") for name in imported(path)]
    others = {name[0] for name in names} & PRODUCT - {package}
    assert others <= MAY_IMPORT[package], f"{package} may import {MAY_IMPORT[package] or 'no other package'} only"
    if package in SANS_IO:
        impure = {name[0] for name in names} & IMPURE
        assert not impure, f"{package} is sans-IO: {impure} belongs to routingd or kernel"
    if package == "protocols" and len(parts) > 2:
        speakers = {entry.name for entry in (ROOT / "protocols").iterdir() if entry.is_dir()} - {parts[1]}
        met = {name[1] for name in names if name[0] == "protocols" and len(name) > 1} & speakers
        assert not met, f"speakers meet in the RIB: {parts[1]} must not import {met}"


def test_the_cli_starts_without_the_schema_netlink_and_metrics() -> None:
    program = (
        "import sys, routingd.cli.main; "
        "print(*{name.split('.')[0] for name in sys.modules} & {'pydantic', 'pyroute2', 'prometheus_client'})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [], "routingctl must start at once: import these where they are used"
