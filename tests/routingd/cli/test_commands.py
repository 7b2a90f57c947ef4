"""routingctl against canned answers: abbreviations, options anywhere, exit statuses, errors that say what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from routingd.cli import routes
from routingd.cli.main import cli
from routingd.control.protocol import CommandFailed
from routingd.control.server import Arguments, Handler
from tests.routingd.cli import canned
from tests.routingd.cli.fake_daemon import always, serving

Run = Callable[..., Result]
ROUTER = "router: { name: r1, router-id: 10.255.0.1, asn: 65001 }\n"


def invoke(run_dir: Path, *words: str) -> Result:
    result = CliRunner().invoke(cli, ["--run-dir", str(run_dir), *words], prog_name="routingctl")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with serving(tmp_path / "control.sock"):
        yield lambda *words: invoke(tmp_path, *words)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("sh b su", "show bgp summary"),
        ("s b n 192.0.2.2", "show bgp neighbor 192.0.2.2"),
        ("sho rou 203.0.113.0/24", "show route 203.0.113.0/24"),
        ("sh i", "show interfaces"),
        ("sh f", "show fib"),
        ("sh nex", "show next-hop"),
        ("sh me", "show memory"),
        ("e 203.0.113.0/24", "explain 203.0.113.0/24"),
    ],
)
def test_commands_may_be_shortened_to_a_unique_beginning(run: Run, short: str, long: str) -> None:
    if short.startswith("s "):
        ambiguous = run(*short.split())
        assert ambiguous.exit_code == 2
        assert "'s' is ambiguous: schema, show." in ambiguous.output
    else:
        assert run(*short.split()).output == run(*long.split()).output


def test_shutdown_must_be_written_out(run: Run) -> None:
    assert run("shutdow").exit_code == 2
    result = run("shutdown")
    assert result.exit_code == 0
    assert result.output == "routingd stops; told ncp1, ncp2: their routes stay in the kernels\n"
    assert "their routes are removed" in run("shutdown", "--flush").output


@pytest.mark.parametrize(
    "words",
    ["--json show bgp summary", "show --json bgp summary", "show bgp --json summary", "show bgp summary --json"],
)
def test_json_is_accepted_before_and_behind_the_command(run: Run, words: str) -> None:
    assert json.loads(run(*words.split()).output) == canned.SUMMARY


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("show bgp neighbor", {"neighbors": list(canned.NEIGHBORS.values())}),
        ("show ncp ncp2", {"ncps": canned.NCPS[1:]}),
        ("show ncp ncp2 detail", {"ncps": canned.NCP_DETAILS[1:]}),
        ("show ncp ncp2 det", {"ncps": canned.NCP_DETAILS[1:]}),
        ("show fib consistency ncp ncp1", {**canned.CONSISTENCY, "ncps": canned.CONSISTENCY["ncps"][:1]}),
        ("show fib cons audit ncp ncp1", {**canned.CONSISTENCY, "ncps": canned.CONSISTENCY["ncps"][:1]}),
        ("show route 203.0.113.0/24 ncp all", canned.AT_NCPS),
        ("show route 203.0.113.0/24 --ncp ncp2", {**canned.AT_NCPS, "ncps": canned.FIB[1:]}),
        ("show interfaces", {"interfaces": canned.INTERFACES}),
        ("show version", canned.VERSION),
        ("show route", {"routes": canned.ROUTES, "truncated": False}),
        ("show route --limit 3", {"routes": canned.ROUTES[:3], "truncated": True}),
        ("show route --protocol static", {"routes": canned.ROUTES[:2], "truncated": False}),
        ("show route all", {"routes": canned.ALL_PATHS, "truncated": False}),
        ("show next-hop", {"next_hops": canned.NEXT_HOPS}),
        ("show group 7", {"groups": canned.GROUPS[1:]}),
        ("show export-group", {"groups": canned.EXPORT_GROUPS}),
        ("show memory", canned.MEMORY),
        ("show route --family ipv6", {"routes": [], "truncated": False}),
        ("show fib 203.0.113.0/24 --ncp ncp2", {"routes": canned.FIB[1:], "truncated": False}),
        ("shutdown --flush", {"flush": True, "ncps": ["ncp1", "ncp2"]}),
    ],
)
def test_json_is_what_the_daemon_said(run: Run, words: str, expected: object) -> None:
    result = run(*words.split(), "--json")
    assert json.loads(result.output) == expected
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("protocol static", "--protocol static"),
        ("proto static lim 1", "--protocol static --limit 1"),
        ("203.0.113.0/24 longer", "--within 203.0.113.0/24"),
        ("within 203.0.113.0/24 all", "--within 203.0.113.0/24 --all"),
        ("neighbor 192.0.2.2", "--source 192.0.2.2"),
        ("comm 65002:100 all", "--community 65002:100 --all"),
        ("fam ipv4 --limit 2", "limit 2 --family ipv4"),
    ],
)
def test_options_about_routes_may_be_written_as_words(run: Run, words: str, options: str) -> None:
    as_words, as_options = run("show", "route", *words.split()), run("show", "route", *options.split())
    assert (as_words.exit_code, as_words.output) == (0, as_options.output)
    assert "Prefix" in as_words.output


def test_what_a_question_asks_reaches_the_daemon_in_its_words(tmp_path: Path) -> None:
    heard: list[dict[str, object]] = []

    async def listen(args: Arguments) -> object:
        heard.append(dict(args))
        return {"routes": canned.ROUTES, "truncated": False}

    line = (
        "show route within 10.1.2.3/8 protocol bgp neighbor 2001:db8::1 as 65010 origin-as 1 neighbor-as 2 all fam ipv4"
    )
    with serving(tmp_path / "control.sock", {("show", "route"): listen}):
        invoke(tmp_path, *line.split(), "community", "65001:1", "community", "no-export", "limit", "5")
        invoke(tmp_path, "show", "route", "covering", "10.1.2.3")
    asked: list[dict[str, object]] = []

    async def note(args: Arguments) -> object:
        asked.append(dict(args))
        return canned.CONSISTENCY

    with serving(tmp_path / "control.sock", {("show", "fib", "consistency"): note}):
        invoke(tmp_path, "show", "fib", "consistency", "ncp", "ncp1", "audit")
        invoke(tmp_path, "show", "fib", "consistency")
    assert asked == [{"ncp": "ncp1", "audit": True}, {}]
    assert heard == [
        {
            "within": "10.0.0.0/8",
            "protocol": "bgp",
            "neighbor": "2001:db8::1",
            "community": "65001:1,no-export",
            "as": 65010,
            "origin_as": 1,
            "neighbor_as": 2,
            "all": True,
            "family": "ipv4-unicast",
            "limit": 5,
        },
        {"covering": "10.1.2.3"},
    ]


def test_a_monitor_prints_changes_as_they_come_and_one_object_a_line_as_json(run: Run) -> None:
    lines = run("monitor", "route", "protocol", "bgp").output.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["12:30:01.250", "+", "203.0.113.0/24"],
        ["12:30:07.004", "-", "10.0.0.0/8"],
        ["12:30:07.004", "+", "203.0.113.0/25"],
    ]
    told = [json.loads(line) for line in run("mon", "ro", "--json").output.splitlines()]
    assert told == [{"time": page["time"], **change} for page in canned.CHANGES for change in page["changes"]]


def test_a_monitor_of_sessions_prints_what_happens_and_one_object_a_line_as_json(run: Run) -> None:
    lines = run("monitor", "bgp").output.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["12:30:01.250", "192.0.2.2", "malformed"],
        ["12:31:02.004", "192.0.2.2", "notification"],
        ["12:31:02.004", "192.0.2.2", "state"],
    ]
    told = [json.loads(line) for line in run("mon", "bgp", "192.0.2.2", "--json").output.splitlines()]
    assert told == [event for page in canned.EVENTS for event in page["events"]]


def test_the_socket_may_be_named_itself(run: Run, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["show", "version", "--socket", str(tmp_path / "control.sock")])
    assert result.exit_code == 0
    assert "routingd 0.1.0" in result.output


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ("show bgp neighbor 192.0.2.99", 1, "no BGP neighbor 192.0.2.99 is configured"),
        ("show route 1.0.0.0/8", 1, "no route for 1.0.0.0/8"),
        ("show route 1.0.0.0/8 --longer", 1, "no route in 1.0.0.0/8"),
        ("show fib 1.0.0.0/8", 1, "1.0.0.0/8 is not in the FIB"),
        ("explain 203.0.113.128/25", 1, "covered by 203.0.113.0/24"),
        ("show nonsense", 2, "No such command 'nonsense'"),
        ("show route within 1.0.0.0/8", 1, "no route in 1.0.0.0/8"),
        ("show route covering 1.0.0.0/8", 1, "no route covers 1.0.0.0/8"),
        ("show next-hop 192.0.2.99", 1, "no path has the next hop 192.0.2.99"),
        ("show group 99", 1, "there is no next-hop group 99"),
        ("show route n 192.0.2.2", 2, "'n' is ambiguous: neighbor, neighbor-as, ncp."),
        ("show route protocol", 2, "'protocol' needs a value"),
        ("show route 10.0.0.0/8 all", 2, "'10.0.0.0/8' stands alone"),
        ("show route covering 10.0.0.0/8 all", 2, "'covering' stands alone"),
        ("show route longer", 2, "'longer' needs a PREFIX"),
        ("show route as x", 2, "'x' is not a valid integer range"),
        ("show route x", 2, "'x' is not an IPv4 or IPv6 address or prefix."),
        ("show bgp neighbor x", 1, "no BGP neighbor x is configured"),
        ("show route 10.0.0.0/8 --limit 3", 2, "'10.0.0.0/8' stands alone"),
        ("show route 1.0.0.0/8 ncp all", 1, "no route for 1.0.0.0/8"),
        ("show route ncp all", 2, "'ncp' needs a PREFIX before it"),
        ("show route 203.0.113.0/24 ncp all limit 1", 2, "'ncp' needs a PREFIX before it, and nothing else"),
        ("show fib consistency", 1, "ask again"),
        ("show fib audit", 2, "it is `show fib consistency [ncp NAME] [audit]`"),
        ("show fib consistency limit 3", 2, "it is `show fib consistency"),
        ("show ncp ncp2 detour", 2, "'detour' is not a word here: it may be followed by `detail`"),
        ("show route --limit 0", 2, "0 is not in the range"),
        ("completion tcsh", 2, "'tcsh' is not one of"),
    ],
)
def test_exit_statuses_tell_a_no_from_a_mistake(run: Run, words: str, status: int, text: str) -> None:
    result = run(*words.split())
    assert (result.exit_code, text in result.output) == (status, True), result.output


def test_a_not_found_in_json_is_an_object_with_the_error(run: Run) -> None:
    result = run("--json", "show", "route", "1.0.0.0/8")
    assert result.exit_code == 1
    assert json.loads(result.output) == {"error": {"code": "not-found", "message": "no route for 1.0.0.0/8"}}


def test_without_a_daemon_the_status_is_3_and_the_error_says_what_to_do(tmp_path: Path) -> None:
    result = invoke(tmp_path, "show", "bgp", "summary")
    assert result.exit_code == 3
    assert result.output == (
        f"routingctl: routingd is not running: there is no control socket at {tmp_path}/control.sock. "
        "Start it with `routingd --config FILE`, or, if it uses another run directory, name it with --run-dir\n"
    )
    told = json.loads(invoke(tmp_path, "--json", "show", "version").output)
    assert told["error"]["code"] == "unreachable"


def test_where_kernel_install_is_off_equal_means_empty_and_is_said(tmp_path: Path) -> None:
    nothing = {"ipv4": 0, "ipv6": 0, "digest": "0" * 16}
    row = {**canned.CONSISTENCY["ncps"][0], "model": nothing, "installed": 0}
    answer = {"install": False, "controller": nothing, "ncps": [row]}
    with serving(tmp_path / "control.sock", {("show", "fib", "consistency"): always(answer)}):
        result = invoke(tmp_path, "show", "fib", "consistency")
    assert result.exit_code == 0
    assert result.output.endswith("not installed: kernel install is off, so no kernel is to have a route of ours\n")


def test_a_failure_of_the_daemon_has_status_4(tmp_path: Path) -> None:
    async def broken(args: Arguments) -> object:
        raise CommandFailed("internal", "routingd failed at this command: ValueError: x", "see its log")

    with serving(tmp_path / "control.sock", {("show", "version"): broken}):
        result = invoke(tmp_path, "show", "version")
        unknown = invoke(tmp_path, "show", "ncp")
    assert result.exit_code == 4
    assert result.output == "routingctl: routingd failed at this command: ValueError: x (see its log)\n"
    assert unknown.exit_code == 4
    assert "has no command 'show ncp' (is routingctl of another version?)" in unknown.output


def test_text_from_a_peer_cannot_drive_the_terminal(tmp_path: Path) -> None:
    nasty = "\x1b]0;owned\x07\x9b31m\nsecond line"
    neighbor = {**canned.NEIGHBORS["10.255.0.2"], "last_down": nasty, "description": nasty}
    summary = {**canned.SUMMARY, "neighbors": [{**canned.INTERNAL, "description": nasty}]}
    answers: dict[tuple[str, ...], Handler] = {
        ("show", "bgp", "neighbor"): always({"neighbors": [neighbor]}),
        ("show", "bgp", "summary"): always(summary),
    }
    with serving(tmp_path / "control.sock", answers):
        for words in (["show", "bgp", "neighbor"], ["show", "bgp", "summary"], ["--json", "show", "bgp", "neighbor"]):
            output = invoke(tmp_path, *words).output
            assert "owned" in output
            assert not {c for c in output if not c.isprintable()} - {"\n"}
            assert "\nsecond line" not in output


def test_a_valid_configuration_is_checked_without_a_daemon(tmp_path: Path) -> None:
    path = tmp_path / "r1.yaml"
    path.write_text(ROUTER)
    result = invoke(tmp_path, "check", str(path))
    assert (result.exit_code, result.output) == (0, f"{path}: valid\n")


def test_a_wrong_configuration_gets_status_1_and_every_error(tmp_path: Path) -> None:
    path = tmp_path / "r1.yaml"
    path.write_text(ROUTER + "bgp:\n  neighbors:\n    192.0.2.2: { asn: x }\n    192.0.2.3: { as: 1 }\n")
    result = invoke(tmp_path, "check", str(path))
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{path}:4: bgp.neighbors.192.0.2.2.asn: 'x' is not an AS number (1 to 4294967295)",
        f"{path}:5: bgp.neighbors.192.0.2.3.as: `as` is not a key here: did you mean `asn`?",
        f"{path}: 2 errors",
    ]
    told = json.loads(invoke(tmp_path, "check", "--json", str(path)).output)
    assert told["valid"] is False
    assert [(e["line"], e["path"]) for e in told["errors"]] == [
        (4, "bgp.neighbors.192.0.2.2.asn"),
        (5, "bgp.neighbors.192.0.2.3.as"),
    ]


def test_the_schema_is_json(tmp_path: Path) -> None:
    assert json.loads(invoke(tmp_path, "schema").output)["title"] == "routingd configuration"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_routingctl(tmp_path: Path, shell: str) -> None:
    assert f"_ROUTINGCTL_COMPLETE={shell}_complete" in invoke(tmp_path, "completion", shell).output


def process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "routingd.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=60)


def test_completion_knows_commands_and_what_the_daemon_knows(tmp_path: Path) -> None:
    def complete(line: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split())), "ROUTINGD_RUN_DIR": str(tmp_path)}
        return process(**words, _ROUTINGCTL_COMPLETE="bash_complete").stdout.split()

    with serving(tmp_path / "control.sock"):
        assert "plain,ncp" in complete("routingctl show")
        assert complete("routingctl show ncp") == ["plain,ncp1", "plain,ncp2"]
        assert complete("routingctl show ncp ncp1") == ["plain,detail"]
        assert complete("routingctl show route 203.0.113.0/24 ncp") == ["plain,ncp1", "plain,ncp2", "plain,all"]
        assert {"plain,consistency", "plain,ncp"} <= set(complete("routingctl show fib"))
        assert {"plain,within", "plain,neighbor", "plain,all"} <= set(complete("routingctl show route"))
        assert "plain,all" not in complete("routingctl show route all")
        assert complete("routingctl show route protocol") == ["plain,connected", "plain,static", "plain,bgp"]
        assert "plain,192.0.2.2" in complete("routingctl show route neighbor")
    assert complete("routingctl show ncp") == []


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    rows = {"routes": canned.ROUTES * 5000, "truncated": False}
    with serving(tmp_path / "control.sock", {("show", "route"): always(rows)}):
        question = f"{sys.executable} -m routingd.cli.main --run-dir {tmp_path} show route"
        script = f"{question} | head -n 1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{routes.ROUTES.legend}\n", "")


LOADED = """
import sys
from routingd.cli.main import cli
cli(sys.argv[1:], standalone_mode=False)
heavy = {"asyncio", "prometheus_client", "pydantic", "pyroute2", "rich", "yaml", "native", "msgpack"}
print(sorted(heavy & set(sys.modules)))
"""


def test_a_question_loads_neither_pydantic_nor_asyncio(tmp_path: Path) -> None:
    with serving(tmp_path / "control.sock"):
        words = ["--run-dir", str(tmp_path), "show", "route"]
        done = subprocess.run([sys.executable, "-c", LOADED, *words], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
