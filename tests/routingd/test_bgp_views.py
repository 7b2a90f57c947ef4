"""What is shown of a session."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.bgp.capabilities import AddPath, FourOctetAs, Multiprotocol, describe
from protocols.bgp.config import FamilyConfig
from protocols.bgp.messages import Open
from protocols.bgp.negotiation import negotiate, offer
from routingd.bgp_views import capabilities
from tests.protocols.bgp.peers import A

RECEIVE, SEND, BOTH = 1, 2, 3


@pytest.mark.parametrize(("theirs", "agreed"), [(SEND, False), (RECEIVE, True), (BOTH, True)])
def test_several_paths_are_agreed_where_one_sends_and_the_other_receives(theirs: int, agreed: bool) -> None:
    config = replace(A, families=(FamilyConfig(1, 1, add_path_send=255),))
    offered = offer(config)
    received = (Multiprotocol(1, 1), FourOctetAs(A.remote_asn), AddPath(((1, 1, theirs),)))
    both = {
        "offered": [describe(c) for c in offered],
        "received": [describe(c) for c in received],
        "agreed": negotiate(config, offered, Open(A.remote_asn, 90, bytes([10, 0, 0, 2]), received)).describe(),
    }
    assert {c["agreed"] for c in capabilities(both) if c["name"] == "add-path"} == {agreed}
