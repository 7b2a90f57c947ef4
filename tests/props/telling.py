"""What each of several neighbors is told of one route, by both engines."""

from __future__ import annotations

from typing import Any

from tests.props.comparing import compare
from tests.props.pair import Pair
from tests.props.peers import IPV4, PeerConfig, Terms, prefix

WHERE_TEXT = "203.0.113.0/24"
WHERE = prefix(WHERE_TEXT)


def told(
    pair: Pair, giver: PeerConfig, row: dict[str, Any], readers: tuple[PeerConfig, ...], terms: Terms = IPV4
) -> dict[str, dict[str, Any]]:
    """What each reader holds of the giver's one route, by the UPDATEs of both engines; those without it are left
    out."""
    numbers = {config.name: pair.add_peer(config) for config in (giver, *readers) if config.name != giver.name}
    numbers[giver.name] = pair.add_peer(giver)
    pair.announce(numbers[giver.name], giver, [WHERE], row)
    pair.settle()
    found = {}
    for reader in readers:
        consumer = pair.open_export(numbers[reader.name], reader, terms)
        compare(pair, consumer)
        for row in pair.call_of(consumer, "adj_rib_out", 9):
            found[reader.name] = row["attributes"]
    return found
