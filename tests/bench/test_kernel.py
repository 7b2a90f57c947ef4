"""What is said of kernels is true of them: loads, moves, contents."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import kernel_jobs, netlink_writer
from bench.kernel_watch import Arrival, Lookups, verify
from bench.measured import BIRD, LIMIT, ContentsDiffer, Context
from bench.sessions import Session
from tests.lab import tables
from tests.lab.lab import Lab, Namespace
from tests.lab.tables import Table

PEER, OTHER = Session(0), Session(1)


def test_batches_are_whole_messages_of_which_the_last_asks_for_an_answer() -> None:
    table = tables.generate(12_000, first_asn=PEER.asn, next_hop=PEER.local)
    addresses = (address for address, _ in table.prefixes(0, len(table)))
    seen = []
    for batch in netlink_writer.batches(addresses, bytes(table.lengths)):
        assert len(batch) <= netlink_writer.BATCH
        headers = [struct.unpack_from("=IHHI", batch, at) for at in range(0, len(batch), 52)]
        assert {(length, kind) for length, kind, _, _ in headers} == {(52, netlink_writer.RTM_NEWROUTE)}
        asks = [bool(flags & netlink_writer.NLM_F_ACK) for _, _, flags, _ in headers]
        assert asks == [False] * (len(headers) - 1) + [True]
        seen += [number for *_, number in headers]
    assert seen == list(range(1, 12_001))


@pytest.fixture
def box() -> Iterator[Namespace]:
    with Lab() as lab:
        made = lab.box("box")
        for peer in (PEER, OTHER):
            ours = [f"{peer.ours}/{peer.length}"]
            lab.link(made, peer.port, lab.box(peer.name), peer.port, a_addresses=ours)
        yield made


def install(box: Namespace, table: Table) -> None:
    lines = [f"route replace {prefix} via {PEER.local}\n" for prefix, _ in table.truth()]
    box.run("ip", "-batch", "-", stdin="".join(lines))


@pytest.mark.netns
def test_a_kernel_has_a_table_once_the_last_prefix_is_there_and_differs_where_a_route_is_otherwise(
    box: Namespace,
) -> None:
    table = tables.generate(3000, first_asn=PEER.asn, next_hop=PEER.local)
    holder = box.start("holder", ["sleep", "60"])
    arrival = Arrival(box, holder.pid, table)
    assert not arrival.complete()
    install(box, table)
    assert arrival.complete()
    verify(box, {PEER.local: table})
    prefix = next(iter(table.truth()))[0]
    for change in (f"replace {prefix} via {OTHER.local}", f"del {prefix}"):
        box.ip("route", *change.split())
        with pytest.raises(ContentsDiffer, match=prefix):
            verify(box, {PEER.local: table})
    box.ip("route", "add", prefix, "via", PEER.local)
    box.ip("route", "add", "198.18.0.0/15", "via", PEER.local)
    with pytest.raises(ContentsDiffer, match=r"198\.18"):
        verify(box, {PEER.local: table})


@pytest.mark.netns
def test_a_lookup_tells_which_way_a_packet_takes(box: Namespace) -> None:
    lookups = Lookups(box)
    address = bytes((198, 18, 0, 1))
    assert lookups.gateways([address])[1] == [None]
    box.ip("nexthop", "add", "id", "1", "via", PEER.local, "dev", PEER.port)
    box.ip("nexthop", "add", "id", "2", "via", OTHER.local, "dev", OTHER.port)
    box.ip("nexthop", "add", "id", "3", "group", "1")
    box.ip("route", "add", "198.18.0.0/15", "nhid", "3")
    assert lookups.gateways([address])[1] == [bytes((10, 9, 0, 2))]
    box.ip("nexthop", "replace", "id", "3", "group", "2")
    assert lookups.gateways([address])[1] == [bytes((10, 9, 1, 2))]


@pytest.mark.netns
@pytest.mark.parametrize("name", ["S2", "S4F"])
def test_a_kernel_job_gives_a_figure_for_the_limit_and_for_a_daemon(name: str, tmp_path: Path) -> None:
    job = next(job for job in kernel_jobs.JOBS if job.name == name)
    for daemon in (LIMIT, BIRD):
        measured = job.run(daemon, Context(tmp_path, 0.003))
        assert 0 < measured.seconds < 60
        assert (measured.job, measured.daemon) == (name, daemon)
