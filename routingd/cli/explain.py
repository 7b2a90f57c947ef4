"""explain: the story of one prefix, from who said it to every kernel, or the stage at which it ended. Pure: data in,
lines out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from routingd.cli.rib import group_hops, ways
from routingd.cli.routes import as_path, hop, mark, member
from routingd.cli.tables import duration
from routingd.control.peer_kind import NAMES

STEPS: Final = {
    "only": "it is the only usable path",
    "distance": "its protocol's distance is lower",
    "protocol": "the distances are equal, and its protocol goes first",
    "metric": "its metric is lower",
    "stale": "the others are long-lived stale (RFC 9494 4.3)",
    "weight": "its peer's weight is higher",
    "local-pref": "its LOCAL_PREF is higher (RFC 4271 9.1.1)",
    "aigp": "it is nearer by its AIGP and the metric of its next hop (RFC 7311 4.1)",
    "as-path-length": "its AS_PATH is shorter (RFC 4271 9.1.2.2 a)",
    "origin": "its ORIGIN is lower (RFC 4271 9.1.2.2 b)",
    "med": "its MULTI_EXIT_DISC is lower among paths of one neighbour AS (RFC 4271 9.1.2.2 c)",
    "ebgp-over-ibgp": "it was learned by eBGP, the others by iBGP (RFC 4271 9.1.2.2 d)",
    "igp-metric": "its next hop is nearer (RFC 4271 9.1.2.2 e)",
    "oldest": "it is the oldest of paths learned by eBGP (RFC 5004)",
    "router-id": "its router's BGP identifier is lower (RFC 4271 9.1.2.2 f)",
    "cluster-list-length": "its CLUSTER_LIST is shorter (RFC 4456 9)",
    "peer-address": "its peer's address is lower (RFC 4271 9.1.2.2 g)",
    "path-id": "its path identifier is lower",
    "source": "its source is older",
}
"""By the label of `rib.step.Step`: why the best path is best."""

SETTLED: Final = ("installed", "local")
"""Kernel states in which packets go the way the RIB says."""

Data = dict[str, Any]


_ROLES: Final = {"multipath": "shares the traffic", "backup": "ready if that is lost: the best with another next hop"}
_FATE: Final = {
    "ip": "on the link itself",
    "drop": "packets are dropped",
    "local": "an address of our own",
    "unreachable": "packets are answered with ICMP unreachable",
}


def stage(explain: Data) -> tuple[str, str]:
    """Where the prefix stands: a word ("installed", "selected" where nothing is installed on purpose, or the stage that
    stopped it) and a sentence."""
    route = explain["route"]
    if route is None:
        return _absent(explain)
    if route["step"] == "none" or not any(path["best"] for path in route["paths"]):
        reasons = "; ".join(dict.fromkeys(path["reason"] for path in route["paths"] if path["reason"]))
        return "no-usable-path", f"{route['prefix']} was heard but is not used: {reasons or 'no path is usable'}."
    missing = [ncp for ncp in explain["ncps"] if ncp["state"] not in SETTLED]
    if missing and all(ncp["state"] == "not-installed" for ncp in missing):
        return "selected", f"{route['prefix']} is selected. Not installed: {_reason(missing[0])}."
    if missing:
        why = "; ".join(f"at {ncp['ncp']} because {_reason(ncp)}" for ncp in missing)
        return "not-installed", f"{route['prefix']} is selected, but not installed {why}."
    if not explain["ncps"]:
        return "not-installed", f"{route['prefix']} is selected, but no NCP is there to install it."
    places = {word: [ncp["ncp"] for ncp in explain["ncps"] if ncp["state"] == word] for word in SETTLED}
    settled = " and ".join(f"{word} at {_and(names)}" for word, names in places.items() if names)
    return "installed", f"{route['prefix']} is {settled}."


def story(explain: Data) -> list[str]:
    """The whole of it, for a person."""
    route = explain["route"]
    _, verdict = stage(explain)
    if route is None:
        return [f"{explain['asked']} ({explain['family']}): no route", "", *_peers(explain), verdict]
    note = f", the longest match for {explain['asked']}" if explain["match"] == "longest" else ""
    lines = [f"{route['prefix']} ({explain['family']}){note}", ""]
    sources = {source["source"]: source for source in explain["sources"]}
    lines += ["Heard:", *(line for path in route["paths"] for line in _path(path, sources)), ""]
    best = next((path for path in route["paths"] if path["best"]), None)
    if best is not None:
        lines += ["Chosen:", *(f"  {line}" for line in _chosen(route, best, sources)), ""]
    if explain["resolution"]:
        lines += ["Next hops:", *_resolutions(explain["resolution"], sources), ""]
    if route["group"] is not None:
        lines += [f"Next-hop group {route['group']['id']} (key {route['group']['key']}):", *_group(route["group"]), ""]
    if best is not None and explain["ncps"]:
        lines += ["Kernels:", *(line for ncp in explain["ncps"] for line in _kernel(ncp)), ""]
    if route["waits"]:
        boxes = _and([ncp["ncp"] for ncp in explain["ncps"] if ncp["awaited"]] or ["the boxes' answers"])
        lines += [f"Not told yet to neighbors that would send us packets for it: waits for {boxes}.", ""]
    return [*lines, verdict]


def _absent(explain: Data) -> tuple[str, str]:
    asked, covering = explain["asked"], explain["covering"]
    covered = f" It is covered by {covering}, which traffic follows." if covering is not None else ""
    offered = [peer for peer in explain["peers"] if peer["configured"]]
    blocked = [
        peer for peer in offered if peer["state"] == "Established" and peer["agreed"] and not peer["accept_import"]
    ]
    open_ = [peer for peer in offered if peer["state"] == "Established" and peer["agreed"] and peer["accept_import"]]
    down = [peer for peer in offered if peer["state"] != "Established"]
    if blocked and not open_:
        names = _and([peer["address"] for peer in blocked])
        return "import-not-accepted", (
            f"No route for {asked}: nothing is let in from {names}, "
            f"since `import: accept` is not said (RFC 8212).{covered}"
        )
    if covering is not None:
        return "covered", f"No route for {asked} itself was heard.{covered}"
    if down and not open_:
        names = _and([f"{peer['address']} ({peer['state']})" for peer in down])
        return "no-session", f"No route for {asked}: no session that could bring it is Established: {names}."
    if not offered:
        return (
            "no-route-heard",
            f"No route for {asked}: no connected or static route has it, "
            f"and no neighbor is configured for {explain['family']}.",
        )
    tail = (
        f" Nothing is let in from {_and([peer['address'] for peer in blocked])} (no `import: accept`)."
        if blocked
        else ""
    )
    tail += f" Not Established: {_and([peer['address'] for peer in down])}." if down else ""
    names = _and([peer["address"] for peer in open_]) if open_ else "any neighbor"
    return "no-route-heard", f"No route for {asked} was heard from {names}.{tail}"


def _peers(explain: Data) -> Iterator[str]:
    if not explain["peers"]:
        return
    yield f"Neighbors and {explain['family']}:"
    for peer in explain["peers"]:
        if not peer["configured"]:
            word = "not configured for it"
        elif peer["state"] != "Established":
            word = f"session is {peer['state']}"
        elif not peer["agreed"]:
            word = "did not agree to it"
        elif not peer["accept_import"]:
            word = "import is not accepted"
        else:
            word = f"{peer['received']} paths heard, this prefix is not among them"
        yield f"  {peer['address']} (AS {peer['asn'] or 'external'}): {word}"
    yield ""


def _name(path: Data, sources: dict[int, Data]) -> str:
    source = sources.get(path["source"])
    return str(source["name"]) if source is not None else f"{path['protocol']} source {path['source']}"


def _chosen(route: Data, best: Data, sources: dict[int, Data]) -> Iterator[str]:
    why = STEPS.get(route["step"], f"of {route['step']}")
    yield f"the path from {_name(best, sources)}: {why} [{route['step']}]"
    for role, what in _ROLES.items():
        names = [_name(path, sources) for path in route["paths"] if path["role"] == role]
        if names:
            yield f"{role} from {_and(names)}: {what}"


def _path(path: Data, sources: dict[int, Data]) -> Iterator[str]:
    source = sources.get(path["source"])
    about = [path["protocol"]]
    if source is not None and source["kind"] is not None:
        about = [NAMES[source["kind"]], f"AS {source['asn']}"]
        if source["ncp"]:
            about.append(f"socket at {source['ncp']}")
    elif source is not None and source["ncp"]:
        about.append(f"at {source['ncp']}")
    name = _name(path, sources)
    about = [word for word in about if word != name]
    note = f" ({', '.join(about)})" if about else ""
    weight = f", weight {path['weight']}" if path["weight"] else ""
    numbers = f"distance {path['distance']}, metric {path['metric']}{weight}, {duration(path['age'])} old"
    stale = ", stale" if path["stale"] else ""
    yield f"{mark(path)} from {name}{note}, {numbers}{stale}"
    attributes = path["attributes"]
    if attributes is not None:
        parts = [f"AS path {as_path(attributes)}", f"next hop {attributes['next_hop']}"]
        parts += [
            f"{label} {attributes[key]}"
            for key, label in (("local_pref", "LOCAL_PREF"), ("med", "MED"), ("aigp", "AIGP"), ("otc", "OTC"))
            if attributes.get(key) is not None
        ]
        yield f"    {', '.join(parts)}"
        if attributes["communities"]:
            yield f"    communities {' '.join(attributes['communities'][:16])}"
        if attributes["originator_id"] is not None:
            clusters = " ".join(attributes["cluster_list"]) or "none told"
            yield f"    reflected: brought into the AS by {attributes['originator_id']}, clusters passed: {clusters}"
    if not path["usable"]:
        yield f"    not usable: {path['reason']}"
    elif path["role"] == "multipath":
        yield f"    equal to the best up to {path['reason']}"
    elif not path["best"]:
        yield f"    lost at {path['reason']}"


def _resolutions(resolutions: list[Data], sources: dict[int, Data]) -> Iterator[str]:
    for path in resolutions:
        if len(resolutions) > 1:
            role = f"{path['role']} " if path["role"] else ""
            yield f"  {role}from {_name({**path, 'protocol': 'path'}, sources)}"
        indent = "    " if len(resolutions) > 1 else "  "
        for node in path["next_hops"]:
            yield from _tree(node, indent, "")


def _tree(node: Data, indent: str, branch: str) -> Iterator[str]:
    """A next hop, and below it what resolves it."""
    below: list[Data] = node["next_hops"]
    yield f"{indent}{branch}{_resolution(node, leaf=not below)}"
    inner = indent + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
    for index, child in enumerate(below):
        yield from _tree(child, inner, "└─ " if index == len(below) - 1 else "├─ ")


def _resolution(node: Data, leaf: bool) -> str:
    if not node["resolved"]:
        reason = f": {node['reason']}" if node["reason"] else ""
        return f"{hop(node)}: does not resolve{reason}"
    way = ways(node["adjacencies"])
    if node["via"] is not None:
        protocol = f" {node['protocol']}" if node["protocol"] else ""
        return f"{hop(node)}: by {node['via']}{protocol}, metric {node['metric']}{f' → {way}' if leaf else ''}"
    if node["address"] is not None:
        return f"{hop(node)}: on that port, not looked up"
    kinds = sorted({adjacency["kind"] for adjacency in node["adjacencies"]}) or ["ip"]
    return f"{way if node['adjacencies'] else hop(node)}: " + ", ".join(_FATE[kind] for kind in kinds)


def _group(group: Data) -> Iterator[str]:
    for item in group["members"]:
        yield f"  {hop(item)}, weight {item['weight']}{', backup' if item['role'] else ''}"
    if not group["members"]:
        yield "  without members"
    if len(group["hops"]) > 1:
        yield "  made of:"
        yield from (f"    {line}" for line in group_hops(group))


def _kernel(ncp: Data) -> Iterator[str]:
    since = f" {duration(ncp['installed_at'])} ago" if ncp.get("installed_at") is not None else ""
    number = f", kernel group {ncp['kernel_group']}" if ncp["kernel_group"] is not None else ""
    state = ncp["state"] if ncp["state"] == "installed" else f"{ncp['state']}: {_reason(ncp)}"
    yield f"  {ncp['ncp']}: {state}{since}{number}"
    for item in ncp["members"]:
        yield f"    {member(item)}, weight {item['weight']}"


def _reason(ncp: Data) -> str:
    if ncp.get("reason"):
        return str(ncp["reason"])
    if ncp.get("errno"):
        return f"the kernel refused it (errno {ncp['errno']})"
    words = {
        "local": "an address of this box, its kernel delivers it by itself",
        "pending": "it is on its way to the kernel",
        "failed": "the kernel refused it",
        "unresolved": "none of its next hops is up there",
        "stale": "it is left from before and not yet confirmed",
        "absent": "its agent has not been told of it",
        "unreachable": "its agent does not answer",
    }
    state = str(ncp["state"])
    return words.get(state, state)


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nothing"
