"""The daemons under test, each with what its own manual advises for speed, and without policy.

BIRD: no kernel protocol. FRR: bgpd alone, without zebra (``-Z``), no pause between announcements. OpenBGPD:
``fib-update no``. GoBGP writes no routes by itself. routingd: ``kernel: {install: false}`` and ``advertise:
immediately``. With ``install`` each has what it needs to put routes into the kernel, which OpenBGPD and GoBGP cannot.
All of them wait for their peers, so that sessions come up by one connection.
"""

from __future__ import annotations

import pwd
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.measured import BIRD, FRR, GOBGP, INSTALLING, OPENBGPD, ROUTINGD
from bench.sessions import OUR_ASN, ROUTER_ID, Session
from tests.lab.lab import Lab, Namespace
from tests.lab.router import Router
from tests.lab.waiting import wait_for

FRR_DAEMONS: Final = Path("/usr/lib/frr")


def start(daemon: str, lab: Lab, box: Namespace, sessions: Sequence[Session], *, install: bool = False) -> None:
    """In its box, where the ports are; all that runs there afterwards is the daemon's."""
    if daemon in (ROUTINGD, INSTALLING):
        start_routingd(lab, box, sessions, install=install or daemon == INSTALLING)
    else:
        STARTS[daemon](box, sessions, install)


def start_routingd(lab: Lab, box: Namespace, sessions: Sequence[Session], *, install: bool) -> Router:
    router = Router(lab, routingd_configuration(sessions, install=install), {"ncp1": box})
    router.start()
    return router


def routingd_configuration(sessions: Sequence[Session], *, install: bool) -> dict[str, Any]:
    def both(s: Session) -> dict[str, str]:
        return {"import": "accept", **({"export": "accept"} if s.told else {})}

    config: dict[str, Any] = {
        "router": {"name": "bench", "router-id": ROUTER_ID, "asn": OUR_ASN},
        "ncps": {"ncp1": {"embedded": True}},
        "interfaces": {f"ncp1/{s.port}": {"addresses": [f"{s.ours}/{s.length}"]} for s in sessions},
        "bgp": {
            "neighbors": {
                s.local: {"asn": s.asn, "passive": True, "families": {f"ipv{s.family}-unicast": both(s)}}
                for s in sessions
            }
        },
    }
    if not install:
        config["kernel"] = {"install": False}
        config["advertise"] = "immediately"
    return config


def _bird(box: Namespace, sessions: Sequence[Session], install: bool) -> None:
    lines = [f"router id {ROUTER_ID};", "protocol device {}"]
    if install:
        lines += [
            f"protocol kernel kernel{of} {{ ipv{of} {{ import none; export where source = RTS_BGP; }}; }}"
            for of in (4, 6)
        ]
    lines += [
        f"protocol bgp {s.name} {{ local {s.ours} as {OUR_ASN}; neighbor {s.local} as {s.asn}; direct; passive;"
        f" hold time 90; ipv{s.family} {{ import all; export {'all' if s.told else 'none'}; next hop self; }}; }}"
        for s in sessions
    ]
    file = box.directory / "bird.conf"
    file.write_text("\n".join(lines) + "\n")
    box.start("bird", ["bird", "-f", "-c", str(file), "-s", str(box.directory / "bird.ctl"), "-P", f"{file}.pid"])


def _frr(box: Namespace, sessions: Sequence[Session], install: bool) -> None:
    lines = [f"router bgp {OUR_ASN}", f" bgp router-id {ROUTER_ID}", " no bgp ebgp-requires-policy"]
    lines += [" no bgp default ipv4-unicast"]
    for s in sessions:
        lines += [f" neighbor {s.local} {words}" for words in (f"remote-as {s.asn}", "timers 30 90", "passive")]
        lines += [f" neighbor {s.local} advertisement-interval 0", f" neighbor {s.local} update-source {s.ours}"]
    for s in sessions:
        lines += [f" address-family ipv{s.family} unicast", f"  neighbor {s.local} activate"]
        lines += [f"  neighbor {s.local} next-hop-self"]
        lines += [] if s.told else [f"  neighbor {s.local} route-map NOTHING out"]
        lines += [" exit-address-family"]
    lines += ["exit", "route-map NOTHING deny 1"]
    here = box.directory / "frr"
    here.mkdir()
    (here / "bgpd.conf").write_text("\n".join(lines) + "\n")
    (here / "zebra.conf").write_text(f"hostname {box.name}\n")
    for path in (here, *here.iterdir()):
        shutil.chown(path, "frr", "frr")

    def run(name: str, *options: str) -> None:
        files = ["-i", str(here / f"{name}.pid"), "--vty_socket", str(here), "-f", str(here / f"{name}.conf")]
        who = ["-u", "frr", "-g", "frr", "-z", str(here / "zserv.api"), "-A", "127.0.0.1", "-P", "0"]
        box.start(name, [str(FRR_DAEMONS / name), *who, *files, "--log", "stdout", "--log-level", "err", *options])

    if install:
        run("zebra")
        wait_for("zebra to listen", (here / "zserv.api").exists)
    run("bgpd", *([] if install else ["-Z"]))


def _gobgp(box: Namespace, sessions: Sequence[Session], install: bool) -> None:
    _cannot(install, GOBGP)
    lines = ["[global.config]", f"as = {OUR_ASN}", f'router-id = "{ROUTER_ID}"', "port = 179"]
    for s in sessions:
        lines += ["[[neighbors]]", "[neighbors.config]", f'neighbor-address = "{s.local}"', f"peer-as = {s.asn}"]
        lines += ["[neighbors.transport.config]", f'local-address = "{s.ours}"', "passive-mode = true"]
        lines += ["[neighbors.timers.config]", "hold-time = 90", "keepalive-interval = 30"]
        lines += ["[[neighbors.afi-safis]]", "[neighbors.afi-safis.config]", f'afi-safi-name = "ipv{s.family}-unicast"']
    file = box.directory / "gobgpd.toml"
    file.write_text("\n".join(lines) + "\n")
    box.start("gobgpd", ["gobgpd", "-t", "toml", "-f", str(file), "-l", "error", "--pprof-disable"])


def _openbgpd(box: Namespace, sessions: Sequence[Session], install: bool) -> None:
    _cannot(install, OPENBGPD)
    lines = [f"AS {OUR_ASN}", f"router-id {ROUTER_ID}", "fib-update no", f'socket "{box.directory}/bgpd.sock"']
    lines += [f"listen on {s.ours}" for s in sessions]
    for s in sessions:
        lines += [f"neighbor {s.local} {{", f"  remote-as {s.asn}", f"  local-address {s.ours}", "  passive"]
        lines += ["  holdtime 90", "  set nexthop self"]
        lines += [f"  announce IPv{of} {'unicast' if of == s.family else 'none'}" for of in (4, 6)] + ["}"]
    lines += ["allow from any", "allow to any"]
    file = box.directory / "bgpd.conf"
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o600)  # it refuses a configuration that others can read
    Path(pwd.getpwnam("_openbgpd").pw_dir).mkdir(exist_ok=True)  # where it chroots to; its service unit would make it
    box.start("bgpd", ["bgpd", "-d", "-f", str(file)])


def _cannot(install: bool, daemon: str) -> None:
    if install:
        raise ValueError(f"{daemon} does not write routes into the kernel of Linux by itself")


STARTS: Final[dict[str, Callable[[Namespace, Sequence[Session], bool], None]]] = {
    BIRD: _bird, FRR: _frr, GOBGP: _gobgp, OPENBGPD: _openbgpd,
}  # fmt: skip


VERSIONS: Final[dict[str, tuple[str, ...]]] = {
    BIRD: ("BIRD", "bird", "--version"),
    FRR: ("FRR", str(FRR_DAEMONS / "bgpd"), "--version"),
    GOBGP: ("GoBGP", "gobgpd", "--version"),
    OPENBGPD: ("OpenBGPD", "bgpd", "-V"),
}


def version(daemon: str) -> str:
    """Name and number; nothing for what has none of its own."""
    if daemon not in VERSIONS:
        return ""
    name, *argv = VERSIONS[daemon]
    said = subprocess.run(argv, capture_output=True, text=True, check=False)
    number = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
    return f"{name} {number.group()}" if number else name
