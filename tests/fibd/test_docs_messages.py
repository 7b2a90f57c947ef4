"""docs/fib-distribution.md lists every message of the protocol."""

from __future__ import annotations

import re
from pathlib import Path

from fibd.messages import MESSAGES

PAGE = Path(__file__).parents[2] / "docs" / "fib-distribution.md"
ROW = re.compile(r"^\| (\d+) \| `(\w+)` \| (C|A|both) \| (.+) \|$", re.M)


def test_the_page_lists_every_message_under_its_type() -> None:
    listed = {int(number): name for number, name, _, _ in ROW.findall(PAGE.read_text())}
    assert listed == {number: kind.__name__ for number, kind in MESSAGES.items()}, f"its place is {PAGE}"
