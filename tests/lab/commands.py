"""Commands of the host: what they printed, or why they failed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class LabError(RuntimeError):
    """The lab itself cannot be built, or a part of it is gone; says what to do."""


class CommandFailed(LabError):
    """A command exited with an error. While a daemon starts this is expected, so waiting goes on."""


def run(argv: Sequence[str], *, check: bool = True, timeout: float = 120.0, stdin: str | None = None) -> str:
    """A command's standard output; its standard error is in the exception when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, input=stdin)
    if check and done.returncode != 0:
        raise CommandFailed(
            f"{' '.join(argv[:14])} … exit {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}"
        )
    return done.stdout
