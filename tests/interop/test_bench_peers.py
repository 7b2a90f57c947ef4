"""The benchmark's own neighbours (bench/peers.py), judged with BIRD in between: what they send arrives, what they
record is what BIRD tells, and a table that differs in one attribute is not called equal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.peers import Peers, PeersError, Verdict
from tests.lab import tables
from tests.lab.bird import Bird
from tests.lab.lab import Lab
from tests.lab.peer import Neighbor, PeerConfig

pytestmark = pytest.mark.netns
PREFIXES = 2000
Fed = tuple[Bird, Peers, tables.Table, Path, int]


def around(lab: Lab) -> tuple[Bird, Peers]:
    """BIRD between a feeder that dials and a sink that waits for BIRD to dial."""
    box, out = lab.box("bird"), lab.box("peers")
    lab.link(
        box, "eth0", out, "eth0",
        a_addresses=["10.9.0.1/24", "2001:db8:9::1/64"],
        b_addresses=["10.9.0.2/24", "10.9.0.3/24", "2001:db8:9::2/64"],
    )  # fmt: skip
    neighbors = [
        Neighbor("10.9.0.2", 65100, "10.9.0.1", export=False),
        Neighbor("10.9.0.3", 65101, "10.9.0.1", transit=True, hold_time=90),
    ]
    feeder = {"name": "f0", "local": "10.9.0.2", "peer": "10.9.0.1", "asn": 65100, "router_id": "10.9.0.2", "hold": 0}
    sink = {
        "name": "s0",
        "local": "10.9.0.3",
        "peer": "10.9.0.1",
        "asn": 65101,
        "router_id": "10.9.0.3",
        "listen": True,
    }
    sessions = [feeder | {"families": [1, 2]}, sink | {"families": [1, 2]}]
    return Bird(box, PeerConfig(65001, "10.255.0.1", neighbors)), Peers(out, sessions)


@pytest.fixture(scope="class")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fed]:
    """BIRD has told all; the table of IPv4, the file with both families, and when the feeder was told to go."""
    table = tables.generate(PREFIXES, first_asn=65100, next_hop="10.9.0.2")
    six = tables.generate(PREFIXES, family=6, first_asn=65100, next_hop="2001:db8:9::2")
    file = tmp_path_factory.mktemp("tables") / "both"
    file.write_bytes(six.encode() + table.encode())
    with Lab() as lab:
        bird, peers = around(lab)
        with peers:
            bird.start()
            peers.wait_established()
            peers.load("f0", file)
            began = peers.go("f0")
            peers.wait_quiet("s0", quiet=0.5)
            yield bird, peers, table, file, began


def told(peers: Peers, file: Path) -> Verdict:
    """BIRD leaves MED out towards another AS (RFC 4271 5.1.4)."""
    return peers.check("s0", file, prepend=65001, next_hop="10.9.0.1,2001:db8:9::1", ignore=["med"])


class TestOneTable:
    def test_a_sink_has_what_a_feeder_sent_as_bird_tells_it_on(self, fed: Fed) -> None:
        _, peers, _, file, began = fed
        verdict, status = told(peers, file), peers.status()
        assert (verdict["equal"], verdict["prefixes"], verdict["examples"]) == (True, 2 * PREFIXES, [])
        assert verdict["final_at"] is not None
        assert began <= status["f0"]["first_sent"] <= status["s0"]["first_update"] <= verdict["final_at"]
        assert verdict["final_at"] <= status["s0"]["last_update"]
        assert (status["f0"]["sent"], status["f0"]["sending"]) == (file.stat().st_size, False)

    def test_a_bird_that_was_fed_holds_all_of_it(self, fed: Fed) -> None:
        bird, _, table, _, _ = fed
        assert bird.routes("10.9.0.2", 4) == set(table.truth())
        assert bird.count(6) == PREFIXES

    @pytest.mark.parametrize(
        "change",
        [{"origin": "egp"}, {"communities": ("65100:77",)}, {"as_path": "65100 64999"}, {"aggregator": "7 193.0.0.9"}],
        ids=lambda change: next(iter(change)),
    )
    def test_one_attribute_that_differs_is_seen(self, change: dict[str, object], fed: Fed, tmp_path: Path) -> None:
        _, peers, table, file, _ = fed
        other = table.head(PREFIXES)
        size = other.ends[0]
        other.sets = [other.sets[0]._replace(**change), *other.sets[1:]]  # type: ignore[arg-type]
        wanted = tmp_path / "other"
        wanted.write_bytes(file.read_bytes() + other.encode())
        verdict = told(peers, wanted)
        assert (verdict["equal"], verdict["different"], verdict["missing"], verdict["extra"]) == (False, size, 0, 0)
        assert "found path 65001 65100" in verdict["examples"][0]

    def test_what_is_missing_and_what_is_extra_is_counted(self, fed: Fed, tmp_path: Path) -> None:
        _, peers, table, _, _ = fed
        wanted = tmp_path / "other"
        wanted.write_bytes(tables.generate(7, seed=99, first_asn=65100, next_hop="10.9.0.2").encode() + table.encode())
        verdict = told(peers, wanted)
        assert (verdict["equal"], verdict["missing"], verdict["extra"], verdict["different"]) == (False, 7, PREFIXES, 0)


def test_a_peer_that_dies_takes_its_routes_along(tmp_path: Path) -> None:
    table = tables.generate(PREFIXES, first_asn=65100, next_hop="10.9.0.2")
    file, none = tmp_path / "table", tmp_path / "none"
    file.write_bytes(table.encode())
    none.write_bytes(b"")
    with Lab() as lab:
        bird, peers = around(lab)
        with peers:
            bird.start()
            peers.wait_established()
            peers.send("f0", file)
            peers.wait_quiet("s0", quiet=0.5)
            assert told(peers, file)["equal"]
            before = peers.status()["s0"]["updates"]
            closed = peers.close("f0", "reset")
            peers.wait_quiet("s0", updates=before + 1, quiet=0.2)
            verdict = peers.check("s0", none)
            assert (verdict["equal"], verdict["prefixes"]) == (True, 0)
            assert verdict["final_at"] is not None
            assert closed < verdict["final_at"]
            peers.mark("s0")
            status = peers.status()
            assert (status["s0"]["received"], status["s0"]["updates"], status["f0"]["state"]) == (0, 0, "closed")
            with pytest.raises(PeersError, match="the session f0 is not up"):
                peers.send("f0", file)
