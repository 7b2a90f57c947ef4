"""BIRD 2: configuration, and its routes read with birdc."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.lab.attributes import Attributes, Route, address, communities, family, large_communities, prefix
from tests.lab.commands import LabError, run
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.waiting import wait_for

ROUTE = re.compile(r"^(\S+/\d+)\s+\S+ \[(\S+) ")
PAIR = re.compile(r"\((\d+), ?(\d+)\)")
ADD_PATHS = {"send": "tx", "receive": "rx", "both": "on"}
TRIPLE = re.compile(r"\((\d+), ?(\d+), ?(\d+)\)")


def configuration(config: PeerConfig, *, kernel: bool = False, kernel_metric: int = 60) -> str:
    """``kernel``: also install what it selects into its own box."""
    lines = [f"router id {config.router_id};", "protocol device {}"]
    for of in (4, 6):
        mine = [a for a in config.announce if family(a.prefix) == of]
        body = "".join(f"  route {a.prefix} blackhole {{ {_filter(a)} }};\n" for a in mine)
        lines.append(f"protocol static static{of} {{\n  ipv{of} {{ import all; }};\n{body}}}")
        if kernel:
            lines.append(
                f"protocol kernel kernel{of} {{ metric {kernel_metric}; "
                f"ipv{of} {{ import none; export where source = RTS_BGP; }}; }}"
            )
    for n in config.neighbors:
        lines += [*_igp(config, n), _neighbor(config, n)]
    return "\n".join(lines) + "\n"


def _filter(a: Announcement) -> str:
    parts = [f"bgp_path.prepend({asn});" for asn in reversed(a.path)]
    parts.append(f"bgp_origin = ORIGIN_{a.origin.upper()};")
    parts += [f"bgp_community.add(({c.replace(':', ',')}));" for c in a.communities]
    parts += [f"bgp_large_community.add(({c.replace(':', ',')}));" for c in a.large]
    return " ".join(parts)


def _export(config: PeerConfig, n: Neighbor, of: int) -> str:
    # A MED set where the route is made does not survive eBGP export once the path is not empty: it is set on the way
    # out.
    meds = "".join(
        f"if net = {a.prefix} then bgp_med = {a.med}; "
        for a in config.announce
        if a.med is not None and family(a.prefix) == of
    )
    sources = "[RTS_STATIC, RTS_BGP]" if n.transit else "[RTS_STATIC]"
    return f"filter {{ {meds}if source ~ {sources} then accept; reject; }}"


def _igp(config: PeerConfig, n: Neighbor) -> list[str]:
    """An iBGP next hop beyond the neighbour is reached through the neighbour: no IGP is needed beside it."""
    if n.asn in (config.asn, *config.members) and not n.multihop and family(n.address) in n.families:
        of = family(n.address)
        everything = "0.0.0.0/0" if of == 4 else "::/0"
        return [
            f"ipv{of} table igp_{n.name};",
            f"protocol static via_{n.name} {{",
            f"  ipv{of} {{ table igp_{n.name}; }}; route {everything} via {n.address};",
            "}",
        ]
    return []


def _gateway(config: PeerConfig, n: Neighbor, of: int) -> str:
    return f" gateway recursive; igp table igp_{n.name};" if of == family(n.address) and _igp(config, n) else ""


def _neighbor(config: PeerConfig, n: Neighbor) -> str:
    reach = "multihop" if n.multihop else "direct"
    own = " next hop self;" if n.next_hop_self else ""
    server = "  rs client;\n" if n.transparent else ""
    # RFC 8950 is about IPv4 routes of an IPv6 session.
    extended = {4: " extended next hop on;" if n.extended_next_hop else "", 6: ""}
    several = f" add paths {ADD_PATHS[n.add_path]};" if n.add_path else ""
    several += f" receive limit {n.maximum} action restart;" if n.maximum is not None else ""
    export = {of: _export(config, n, of) if n.export else "none" for of in n.families}
    channels = "".join(
        f"  ipv{of} {{ import all;{_gateway(config, n, of)} export {export[of]};{own}{extended[of]}{several} }};\n"
        for of in n.families
    )
    said = ("  passive;" if n.passive else "") + ("  advertise hostname on;" if n.host_name else "")
    if n.unnumbered:  # it advertises a router and waits for whoever heard that
        advertising = f'protocol radv {{ interface "{n.address}" {{ max ra interval 4; }}; }}\n'
        ends = f'  local as {config.asn};\n  neighbor range fe80::/10 {n.asn};\n  interface "{n.address}";\n'
        ends += f'  dynamic name "{n.name}_";\n'
    else:
        advertising, ends = "", f"  local {n.local} as {config.asn};\n  neighbor {n.address} as {n.asn};\n"
    return (
        f"{advertising}protocol bgp {n.name} {{\n"
        f"{ends}  {reach};\n"
        f"  hold time {n.hold_time};\n  connect delay time 1;\n  connect retry time 2;\n  error wait time 1, 2;\n"
        f"{said}\n{_transport(n)}{server}{_role(n)}{_restarts(n)}"
        f"{_client(config, n)}{_confederation(config, n)}{channels}}}"
    )


def _transport(n: Neighbor) -> str:
    lines = [f'  password "{n.password}";'] if n.password else []
    lines += ["  ttl security on;"] if n.ttl_security else []
    lines += ["  enable as4 off;"] if n.two_octet else []
    lines += ["  enable extended messages on;"] if n.extended_messages else []
    return "".join(f"{line}\n" for line in lines)


def _restarts(n: Neighbor) -> str:
    if n.restarts is None:
        return ""
    basic = f"  graceful restart on;\n  graceful restart time {n.restarts.seconds};\n"
    lasts = n.restarts.long_lived
    return basic + (f"  long lived graceful restart on;\n  long lived stale time {lasts};\n" if lasts else "")


def _role(n: Neighbor) -> str:
    strict = "  require roles;\n" if n.role_strict else ""
    return f"  local role {n.role.replace('-', '_')};\n{strict}" if n.role else ""


def _client(config: PeerConfig, n: Neighbor) -> str:
    cluster = f"  rr cluster id {config.cluster_id};\n" if config.cluster_id else ""
    return f"  rr client;\n{cluster}" if n.client else ""


def _confederation(config: PeerConfig, n: Neighbor) -> str:
    if config.confederation is None:
        return ""
    member = "  confederation member yes;\n" if n.asn in config.members else ""
    return f"  confederation {config.confederation};\n{member}"


class Bird(Peer):
    kind = "bird"

    def __init__(self, *args: object, kernel: bool = False, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._kernel = kernel
        self.socket = self.directory / "bird.ctl"

    def _write(self) -> Path:
        file = self.directory / "bird.conf"
        file.write_text(configuration(self.config, kernel=self._kernel))
        return file

    def reconfigure(self) -> None:
        """What the configuration is now, while it runs."""
        self._write()
        self.ask("configure")

    def start(self) -> None:
        argv = [
            "bird",
            "-f",
            *(["-R"] if self.recovers else []),
            "-c",
            str(self._write()),
            "-s",
            str(self.socket),
            "-P",
            str(self.directory / "bird.pid"),
        ]
        self.processes = [self.box.start("bird", argv)]
        wait_for(
            f"bird in {self.box.name} to answer", lambda: self.ask("show status"), lambda text: "up and running" in text
        )

    def ask(self, command: str) -> str:
        if not self.processes or not self.processes[0].running():
            raise LabError(f"bird in {self.box.name} is not running: {self.box.directory / 'bird.log'}")
        return run(["birdc", "-r" if command.startswith("show") else "-v", "-s", str(self.socket), *command.split()])

    def _protocol(self, neighbor: str) -> str:
        """An unnumbered neighbour gets a protocol of its own when it connects."""
        n = self.neighbor(neighbor)
        return f"{n.name}_1" if n.unnumbered else n.name

    def session(self, neighbor: str) -> str:
        last = self.ask(f"show protocols {self._protocol(neighbor)}").strip().splitlines()[-1].split(maxsplit=5)
        return (last[5] if len(last) > 5 else last[3]).strip().lower()

    def up_since(self, neighbor: str) -> str:
        return self.ask(f"show protocols {self._protocol(neighbor)}").strip().splitlines()[-1].split()[4]

    def told_name(self, neighbor: str) -> str:
        told = self.ask(f"show protocols all {self.neighbor(neighbor).name}").partition("Neighbor capabilities")[2]
        return next((line.split()[-1] for line in told.splitlines() if "Hostname" in line), "")

    def shut(self, neighbor: str, message: str) -> None:
        run(["birdc", "-s", str(self.socket), f'disable {self.neighbor(neighbor).name} "{message}"'])

    def last_error(self, neighbor: str) -> str:
        """Until the next session is up."""
        told = self.ask(f"show protocols all {self.neighbor(neighbor).name}")
        return "\n".join(line.strip() for line in told.splitlines() if "Last error" in line or "Message" in line)

    def routes(self, neighbor: str, of: int = 4) -> set[Route]:
        name = self._protocol(neighbor)
        return {
            (p, self.received(neighbor, a))
            for p, a in parse(self.ask(f"show route all table master{of} protocol {name}"))
        }

    def count(self, of: int = 4) -> int:
        """Routes in its table, without listing them."""
        found = re.search(r"(\d+) of \d+ routes for (\d+) networks", self.ask(f"show route table master{of} count"))
        return int(found.group(2)) if found else 0

    def ask_again(self, neighbor: str) -> None:
        """ROUTE-REFRESH (RFC 2918) of what the neighbour tells."""
        self.ask(f"reload in {self.neighbor(neighbor).name}")

    def link_local(self, where: str) -> str:
        found = re.search(r"BGP\.next_hop: \S+ (fe80:\S+)", self.ask(f"show route {where} all"))
        return found.group(1) if found else ""

    def only_to_customer(self, where: str) -> int | None:
        """OTC of its path for an IPv4 prefix (RFC 9234); -1 where it has no path."""
        told = run(["birdc", "-r", "-s", str(self.socket), *f"show route {where} all".split()], check=False)
        found = re.search(r"BGP\.otc: (\d+)", told)
        return int(found.group(1)) if found else None if f"{where} " in told else -1

    def shut_down_gracefully(self) -> None:
        """What BIRD has for a restart that is meant: connections end without a word, routes stay."""
        self.ask("graceful restart")
        self.processes[0].wait(10)

    def tell_again(self, neighbor: str) -> None:
        """All routes to the neighbour, framed by markers where it follows them (RFC 7313)."""
        self.ask(f"reload out {self.neighbor(neighbor).name}")

    def restart_session(self, neighbor: str) -> None:
        self.ask(f"restart {self.neighbor(neighbor).name}")


def parse(text: str) -> Iterator[Route]:
    """``show route all``: one route a paragraph; further routes of one prefix leave the prefix out."""
    current = ""
    fields: dict[str, str] | None = None
    for line in text.splitlines():
        if line.startswith(("BIRD", "Table", "Access")) or not line.strip():
            continue
        if not line.startswith("\t"):
            if fields is not None:
                yield current, _attributes(fields)
            current = prefix(line.split()[0]) if not line.startswith(" ") else current
            fields = {}
        elif fields is not None:
            key, _, value = line.strip().partition(": ")
            if key.startswith("BGP."):
                fields[key[4:]] = value
    if fields is not None:
        yield current, _attributes(fields)


def _attributes(fields: dict[str, str]) -> Attributes:
    aggregator = fields.get("aggregator")
    if aggregator:
        router, _, asn = aggregator.partition(" AS")
        aggregator = f"{asn} {router}"
    path = re.sub(r"\{([^}]*)\}", lambda m: "{" + ",".join(m.group(1).split()) + "}", fields.get("as_path", ""))
    return Attributes(
        origin=fields["origin"].lower(),
        as_path=path.strip(),
        next_hop=address(fields["next_hop"].removeprefix(":: ").split()[0]),  # link-local alone
        med=int(fields["med"]) if "med" in fields else None,
        local_pref=int(fields["local_pref"]) if "local_pref" in fields else None,
        atomic="atomic_aggr" in fields or "atomic_aggr:" in fields,
        aggregator=aggregator or None,
        communities=communities(f"{a}:{b}" for a, b in PAIR.findall(fields.get("community", ""))),
        large=large_communities(":".join(t) for t in TRIPLE.findall(fields.get("large_community", ""))),
        originator=fields.get("originator_id"),
        clusters=tuple(fields.get("cluster_list", "").split()),
    )
