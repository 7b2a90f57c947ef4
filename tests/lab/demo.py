"""``make demo``: one router of two boxes carries an Internet table between BIRD, FRR and ExaBGP, and everything it
claims is checked against what the peers and the kernels say. PREFIXES=N and SEED=N choose the table, MRT=FILE replays
a recorded session instead, KEEP=1 leaves the lab standing.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.lab import demo_topology as t
from tests.lab import kernel
from tests.lab.bird import Bird
from tests.lab.commands import LabError
from tests.lab.demo_truth import Truth
from tests.lab.forwarding import expected_ways, fabric_port, kernel_ways
from tests.lab.lab import Lab
from tests.lab.narration import Narration
from tests.lab.probes import PingStream, ping, traceroute
from tests.lab.waiting import LabTimeoutError, wait_for


class Resting:
    """Whether a state has not changed for a while: then waiting for another is over, and the comparison says what is
    wrong."""

    SECONDS = 20.0

    def __init__(self) -> None:
        self._seen: object = None
        self._since = time.monotonic()

    def __call__(self, seen: object) -> bool:
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since > self.SECONDS


class Story:
    """The demo step by step, in order."""

    def __init__(self, lab: Lab, tell: Narration, *, prefixes: int, seed: int, recording: Path | None) -> None:
        self.lab, self.tell = lab, tell
        self.truth = Truth(prefixes=prefixes, seed=seed, recording=recording)
        self.patience = 60 + self.truth.count / 2000
        self.rows: list[dict[str, Any]] = []
        self.began = 0.0
        self.demo = t.build(lab, feed_asn=self.truth.feed_asn)
        self.truth.expect(self.demo)

    def run(self) -> None:
        self.fill_bird()
        self.start_router()
        self.sessions()
        self.install()
        self.loc_rib()
        self.kernels()
        self.peers_received()
        self.forwarding()
        self.peer_dies()

    def fill_bird(self) -> None:
        self.tell.step("BIRD learns the table", "the table comes from a real daemon, not from a test double of ours")
        demo, truth = self.demo, self.truth
        demo.bird1.start()
        demo.bird2.start()
        demo.feed("internet", local=t.FEED1, peer=t.FEED1_TO, asn=truth.feed_asn, blob=truth.blob)
        demo.feed("elsewhere", local=t.FEED2, peer=t.FEED2_TO, asn=t.FEED_ASN, blob=truth.backup.encode())
        for bird, of, count in (
            (demo.bird1, 4, len(truth.table) + 1),  # and the server's network
            (demo.bird1, 6, len(truth.six)),
            (demo.bird2, 4, len(truth.backup) + 1),
        ):
            self.fill(bird, of, count)

    def fill(self, bird: Bird, of: int, wanted: int) -> None:
        with self.tell.progress(f"{bird.box.name} IPv{of}") as show:
            wait_for(
                f"{bird.box.name} to hold {wanted} IPv{of} routes", partial(bird.count, of), lambda n: n == wanted,
                timeout=self.patience, every=0.3, seen=lambda n: show(f"{n:,} routes"),
            )  # fmt: skip
        self.tell.say(f"{bird.box.name} holds {wanted:,} IPv{of} routes")

    def start_router(self) -> None:
        self.tell.step(
            "routingd and two NCPs start",
            "controller and agents are processes of their own; NCP 2 dials in over mutual TLS",
        )
        self.began = time.monotonic()
        self.demo.router.start()
        self.tell.fact("start of routingd to both NCPs forwarding", f"{time.monotonic() - self.began:.1f} s")
        self.tell.quote(self.demo.router.text("show", "ncp"))

    def sessions(self) -> None:
        self.tell.step(
            "FRR and ExaBGP start, sessions come up", "BGP with BIRD, FRR and ExaBGP, at sockets of two different boxes"
        )
        demo = self.demo
        demo.frr.start()
        demo.exabgp.start()
        demo.router.wait_established(timeout=self.patience)
        self.tell.quote(demo.router.text("show", "bgp", "summary"))
        for peer in (demo.bird1, demo.bird2, demo.frr, demo.exabgp):
            ours = [n for n in peer.config.neighbors if n.asn == t.ASN]
            for n in ours:
                peer.wait_established(n.address, timeout=20)
            self.tell.check(f"{peer.box.name} ({peer.kind}) agrees", True, f"{len(ours)} session(s)")

    def install(self) -> None:
        self.tell.step(
            "The table crosses the controller into two kernels",
            "UPDATE to Loc-RIB to columns to netlink, for both boxes",
        )
        router = self.demo.router
        own = sum(1 for of in (4, 6) for kind in ("connected", "static") for _ in router.rows(of, protocol=kind))
        wanted = len(self.truth.best) + len(self.truth.best_six) + own

        def state() -> tuple[int, dict[str, tuple[str, int, int]]]:
            routes = router.summary()["routes"]
            return sum(routes.values()), {
                n: (r["state"], r["installed"], r["pending"]) for n, r in router.ncps().items()
            }

        rests = Resting()

        def done(seen: tuple[int, dict[str, tuple[str, int, int]]]) -> bool:
            routes, ncps = seen
            # Routes of a box's own ports are not all ours to install there; what is where is compared exactly below.
            idle = all(state == "forwarding" and not pending for state, _, pending in ncps.values())
            full = routes == wanted and all(installed >= wanted - own for _, installed, _ in ncps.values())
            return (idle and full) or rests(seen)

        with self.tell.progress("routes") as show:
            wait_for(
                "all routes installed in both kernels", state, done, timeout=self.patience, every=0.3,
                seen=lambda s: show(f"Loc-RIB {s[0]:,}, " + ", ".join(f"{n} {r[1]:,}" for n, r in s[1].items())),
            )  # fmt: skip
        seconds = time.monotonic() - self.began
        self.tell.fact("start of routingd to both kernels complete", f"{seconds:.1f} s")
        self.tell.fact("routes in the Loc-RIB", f"{wanted:,}")
        frr = len(self.truth.at_frr)
        rests = Resting()
        with self.tell.progress("FRR") as show:
            wait_for(
                f"FRR to hold {frr} routes", self.demo.frr.count, lambda n: n >= frr or rests(n),
                timeout=self.patience, every=0.5,
                seen=lambda n: show(f"{n:,} routes"),
            )  # fmt: skip
        self.tell.fact("start of routingd to FRR holding the table", f"{time.monotonic() - self.began:.1f} s")
        for name, size in router.peak_memory().items():
            self.tell.fact(f"peak memory of {name}", f"{size / 1e6:,.0f} MB")
        self.tell.fact("peak memory of bird1, for the same table", f"{self.demo.bird1.peak_memory() / 1e6:,.0f} MB")

    def loc_rib(self) -> None:
        self.tell.step(
            "The Loc-RIB is the table",
            "every prefix with every attribute as it was announced, and the right one chosen of two",
        )
        routes, self.rows = self.demo.router.read()
        self.tell.check_same("IPv4 Loc-RIB equals what the neighbours announced", self.truth.best, routes[4])
        self.tell.check_same("IPv6 Loc-RIB equals what the neighbours announced", self.truth.best_six, routes[6])

    def kernels(self) -> None:
        self.tell.step(
            "Both kernels hold the Loc-RIB", "read with ip -j route and ip -j nexthop, not from our own word"
        )
        for name, (size, took) in self.compare_kernels("").items():
            self.tell.fact(f"routes in the kernel of {name}", f"{size:,} (read in {took:.1f} s)")

    def compare_kernels(self, note: str) -> dict[str, tuple[int, float]]:
        """Sets of (prefix, ways out) of each box; how many, and how long the kernel took to tell them."""
        fabric = {name: fabric_port(box, "fab0") for name, box in self.demo.router.boxes.items()}
        sizes = {}
        for name, box in self.demo.router.boxes.items():
            start = time.monotonic()
            found = kernel_ways(kernel.kernel_routes(box))
            took = time.monotonic() - start
            expected = expected_ways(self.rows, name, fabric)
            own = connected(self.rows, name) - {net for net, _ in expected}
            found = {entry for entry in found if entry[0] not in own}
            self.tell.check_same(f"kernel of {name} equals the Loc-RIB{note}", expected, found)
            sizes[name] = (len(found), took)
        return sizes

    def peers_received(self) -> None:
        self.tell.step(
            "FRR received the table", "export over eBGP, once per group: our AS in front, ourselves as next hop"
        )
        # Whether a route of our own carries a MED is the sender's choice (RFC 4271 5.1.4).
        found = {(p, a._replace(med=None) if p in t.NETWORKS else a) for p, a in self.demo.frr.routes(t.TO_FRR)}
        self.tell.check_same("FRR holds what routingd must export", self.truth.at_frr, found)

    def forwarding(self) -> None:
        self.tell.step(
            "Packets cross the router",
            "what enters at one box leaves at the other, for BGP, static and connected routes",
        )
        a, b = self.demo.hosts["host-a"], self.demo.hosts["host-b"]
        for box, destination, what in (
            (a, t.HOST_B, "host-a to host-b (BGP route of FRR, over the fabric)"),
            (a, t.HOST_B_SIX, "host-a to host-b, IPv6"),
            (b, t.HOST_A, "host-b to host-a (connected at the other box)"),
            (b, t.LOOPBACK, "host-b to the router's loopback, at home on ncp1"),
            (a, t.SERVER, "host-a to the server behind bird1"),
        ):
            loss = wait_for(
                f"ping {destination}",
                partial(ping, box, destination),
                lambda seen: seen.received > 0,
                timeout=15,
            )
            self.tell.check(f"ping {what}", loss.lost == 0, f"{loss.received} of {loss.sent}")
        path = traceroute(a, t.HOST_B)
        self.tell.say(f"traceroute host-a to host-b: {' → '.join(path)}")
        self.tell.check(
            "the path is ncp1, ncp2, frr, host-b",
            len(path) == 4 and path[0] == "10.1.0.1" and path[2:] == [t.FRR, t.HOST_B],
        )

    def peer_dies(self) -> None:
        self.tell.step(
            "bird1 is killed with SIGKILL", "its routes go, what another peer has too moves to that peer, on both boxes"
        )
        demo, a = self.demo, self.demo.hosts["host-a"]
        before = traceroute(a, t.SERVER)
        self.tell.say(f"traceroute host-a to the server before: {' → '.join(before)}")
        stream = PingStream(a, t.SERVER)
        wait_for("pings to flow", lambda: ping(a, t.SERVER, count=1).received)
        start = time.monotonic()
        demo.bird1.kill()
        path = wait_for(
            "traffic to move",
            lambda: traceroute(a, t.SERVER),
            lambda hops: t.BIRD2 in hops and hops[-1] == t.SERVER,
            timeout=self.patience,
        )
        self.tell.say(f"traceroute host-a to the server after:  {' → '.join(path)}")
        self.tell.check(
            "traffic to the server now leaves at ncp2, through bird2", t.BIRD1 in before and t.BIRD2 in path
        )
        best = self.truth.best_without_bird1
        with self.tell.progress("withdrawing") as show:
            wait_for(
                "the routes of bird1 to go",
                lambda: (demo.router.route_count(4), *(n["pending"] for n in demo.router.ncps().values())),
                lambda seen: seen[0] < len(best) + 20 and not any(seen[1:]),
                timeout=self.patience,
                every=0.3,
                seen=lambda s: show(f"Loc-RIB {s[0]:,}"),
            )
        seconds = time.monotonic() - start
        loss = stream.finish()
        self.tell.say(f"{loss.lost} of {loss.sent} pings lost, one each {stream.interval * 1000:.0f} ms")
        self.tell.fact("peer killed: whole table withdrawn from both kernels", f"{seconds:.1f} s")
        self.tell.fact("pings lost when the peer was killed", f"{loss.lost} (10 ms each)")
        routes, self.rows = demo.router.read()
        self.tell.check_same("IPv4 Loc-RIB without bird1", best, routes[4])
        self.compare_kernels(" without bird1")


def connected(rows: list[dict[str, Any]], ncp: str) -> set[str]:
    """Prefixes on the box's own ports: the kernel has them by itself, whether we add a route or not."""
    return {
        str(row["prefix"])
        for row in rows
        if row["protocol"] == "connected" and any(hop["ncp"] == ncp for hop in row["next_hops"])
    }


def how_to_look_around(story: Story) -> str:
    router = story.demo.router
    ctl = " ".join(router.ctl_argv(as_json=False))
    names = {name: box.kernel_name for name, box in story.lab.namespaces.items()}
    return "\n".join(
        [
            "The lab is left standing. It goes with the next one (make demo, make test), or with: make lab-clean",
            f"  {ctl} show bgp summary",
            f"  {ctl} show route {t.SERVER_NET}",
            f"  {ctl} explain {t.SERVER_NET}",
            f"  ip -n {names['ncp1']} route show proto 201 | head; ip -n {names['ncp1']} nexthop",
            f"  ip netns exec {names['host-a']} traceroute -n {t.HOST_B}",
            f"  birdc -s {story.demo.bird2.socket} show protocols",
            f"  vtysh --vty_socket {story.demo.frr.directory} -c 'show bgp summary'",
            f"Logs and configurations: {story.lab.directory}",
            f"Namespaces: {' '.join(names.values())}",
        ]
    )


def main() -> int:
    tell = Narration()
    keep = os.environ.get("KEEP", "") not in ("", "0")
    recording = Path(os.environ["MRT"]) if os.environ.get("MRT") else None
    story: Story | None = None
    try:
        with Lab(keep=keep) as lab:
            prefixes = int(os.environ.get("PREFIXES") or 200_000)
            what = f"the recording {recording}" if recording else f"a generated table of {prefixes:,} prefixes"
            tell.console.print(f"[bold]routingd demo[/bold]: one router, two boxes, {what}")
            try:
                story = Story(lab, tell, prefixes=prefixes, seed=int(os.environ.get("SEED") or 1), recording=recording)
                story.run()
            except (LabTimeoutError, LabError) as error:
                tell.check(f"the demo could go on after {tell.elapsed():.0f} s", False, str(error))
                if story is not None and story.demo.router.process is not None:
                    tell.quote(story.demo.router.process.output(tail=20))
            status = tell.summary()
            if keep and story is not None:
                tell.console.print(how_to_look_around(story), markup=False, soft_wrap=True)
            return status
    except (LabError, ValueError, OSError) as error:
        tell.console.print(f"demo: {error}", style="bold red", markup=False)
        return 2


if __name__ == "__main__":
    sys.exit(main())
