"""ExaBGP's codec as an oracle, for longer than `make test` has time: both read the same of a well-formed UPDATE."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from rib.prefix import Prefix
from tests.props.test_decode import INTERNAL, as_exabgp, by_exabgp, decode, updates
from tests.props.update_bytes import announcement

pytestmark = pytest.mark.long
Update = tuple[list[tuple[bytes, int]], dict[str, Any]]


@settings(deadline=None, max_examples=10_000)
@given(update=updates)
def test_ten_thousand_updates_read_the_same_to_exabgp(update: Update) -> None:
    data = announcement(*update)
    changes = decode(data, INTERNAL)
    assert (changes.error, changes.faults) == (None, [])
    found = {
        (str(Prefix(*change["prefix"])), change["attributes"]["next_hop"]): as_exabgp(change["attributes"])
        for change in changes.rows()
    }
    assert found == by_exabgp(data, INTERNAL)
