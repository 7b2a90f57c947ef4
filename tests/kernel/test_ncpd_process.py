"""ncpd as a process: one per name, detached, over mutual TLS, and unmoved by what is not a frame."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fibd import wire
from fibd.messages import LOOK
from routingd.agent.state import Store
from routingd.conditions import ConditionBook
from tests.kernel.box_under_test import BoxUnderTest, box_under_test
from tests.kernel.fake_controller import FakeController, alive, in_namespace, pid_of
from tests.lab.certificates import Authority
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns


@pytest.fixture
def under_test() -> Iterator[BoxUnderTest]:
    with box_under_test() as under:
        yield under


def test_everything_of_the_box_is_told_before_facts_complete(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.controller.wait(wire.FactsComplete)
    messages = [message for role, message in under_test.controller.received if role is wire.Role.CONTROL]
    done = next(i for i, m in enumerate(messages) if isinstance(m, wire.FactsComplete))
    ports = {row[0]: row for m in messages[:done] if isinstance(m, wire.Ports) for row in m.present}
    assert set(ports) == {"lo", "port-a", "port-b"}
    assert ports["port-a"][2:5] == [True, True, 1500]
    assert ports["port-a"][6] == "veth"
    sequences = [m.sequence for m in messages[: done + 1] if not isinstance(m, wire.Heartbeat | wire.Answer)]
    assert sequences == sorted(set(sequences))


def test_a_second_agent_of_the_same_name_refuses_to_start(under_test: BoxUnderTest) -> None:
    first = under_test.start()
    under_test.controller.wait_connected()
    second = under_test.start()
    assert second.wait(10) == 1
    assert f"already running (pid {first.pid}" in second.output()
    assert first.running()


@pytest.mark.row(16)
def test_a_second_agent_of_the_same_name_refuses_to_start_beside_another_run_directory(
    under_test: BoxUnderTest,
) -> None:
    first = under_test.start()
    under_test.controller.wait_connected()
    under_test.run_dir, under_test.state_dir = under_test.run_dir / "other", under_test.state_dir / "other"
    second = under_test.start()
    assert second.wait(10) == 1
    assert "already running in this network namespace" in second.output()
    assert first.running()
    under_test.kill(first)
    under_test.start()
    wait_for(
        "it to be free at once",
        lambda: under_test.controller.hellos[-1].boot_id != under_test.controller.hellos[0].boot_id,
    )


def test_a_detached_agent_has_a_session_of_its_own_and_stops_on_sigterm(under_test: BoxUnderTest) -> None:
    launcher = under_test.start("--detach")
    assert launcher.wait(15) == 0
    pid = pid_of(under_test.run_dir / "ncpd-ncp1.pid")
    assert pid != launcher.pid
    assert os.getsid(pid) not in (os.getsid(0), launcher.pid)
    under_test.controller.wait_connected()
    os.kill(pid, signal.SIGTERM)
    wait_for("the agent to end", lambda: not alive(pid), every=0.02)
    assert not (under_test.run_dir / "ncpd-ncp1.pid").exists()
    assert "stopped" in next(under_test.state_dir.rglob("ncpd.log")).read_text()


@pytest.mark.row(13)
def test_garbage_ends_only_the_connection_that_carried_it(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    hellos = len(under_test.controller.hellos)
    under_test.controller.send_bytes(wire.Role.FIB, b"\xff" * 64)
    error = under_test.controller.wait(wire.Error)
    assert error.code == "protocol"
    wait_for("one more hello", lambda: len(under_test.controller.hellos), lambda n: n > hellos, every=0.02)
    assert under_test.controller.hellos[-1].role == wire.Role.FIB
    under_test.controller.wait_connected()
    assert len(under_test.controller.hellos) == hellos + 1


def test_a_write_without_a_snapshot_is_refused(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    under_test.controller.send(wire.Role.FIB, wire.Transaction(1, 1))
    assert "before SnapshotBegin" in under_test.controller.wait(wire.Error).text


def test_a_silent_controller_is_left_and_dialled_again(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    hellos = len(under_test.controller.hellos)
    under_test.controller.beating = False
    wait_for("all three anew", lambda: len(under_test.controller.hellos), lambda n: n >= hellos + 3, every=0.02)


def test_a_refused_agent_keeps_asking_and_says_why_in_its_log(under_test: BoxUnderTest) -> None:
    under_test.controller.refuse = wire.Error("name", "no NCP named 'ncp1'")
    process = under_test.start()
    wait_for("several attempts", lambda: len(under_test.controller.hellos) >= 3, every=0.05)
    assert "refused (name): no NCP named 'ncp1'" in process.output()
    under_test.controller.refuse = None
    under_test.controller.wait_connected()


def test_addresses_that_the_configuration_drops_are_removed_and_others_stay(under_test: BoxUnderTest) -> None:
    under_test.box.address("port-a", "192.0.2.50/24")
    under_test.start()
    under_test.ready()
    under_test.controller.send(wire.Role.CONTROL, wire.BoxConfig(2, {"port-a": ["192.0.2.7/24"]}))

    def addresses() -> set[str]:
        rows = under_test.box.ip_json("-4", "address", "show")
        return {info["local"] for row in rows for info in row["addr_info"] if info["scope"] == "global"}

    wait_for("the new addresses", addresses, lambda seen: seen == {"192.0.2.50", "192.0.2.7"}, every=0.05)


def test_a_port_that_appears_later_is_configured_then(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    under_test.controller.send(wire.Role.CONTROL, wire.BoxConfig(2, {"late": ["192.0.2.129/25", "2001:db8:c::1/64"]}))
    under_test.box.ip("link", "add", "late", "type", "veth", "peer", "name", "late-peer")
    row = under_test.controller.wait(
        wire.Addresses, lambda m: any(r[0] == "late" and len(r[1]) == 16 for r in m.present)
    )
    assert row.sequence > 0
    under_test.controller.wait(wire.Ports, lambda m: any(r[0] == "late" and r[2] for r in m.present))
    under_test.box.ip("link", "delete", "late")
    under_test.controller.wait(wire.Ports, lambda m: "late" in m.removed)


def test_mutual_tls_between_hosts(under_test: BoxUnderTest) -> None:
    authority = Authority(under_test.lab.directory / "tls")
    own, agent = authority.issue("ncc", "IP:127.0.0.1"), authority.issue("ncp1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(own.certificate, own.key)
    context.load_verify_locations(authority.certificate)
    listener = in_namespace(under_test.box, lambda: socket.create_server(("127.0.0.1", 7179)))
    controller = FakeController(listener, context)
    under_test.start(
        "--certificate", str(agent.certificate), "--key", str(agent.key), "--ca", str(authority.certificate),
        controller="127.0.0.1:7179",
    )  # fmt: skip
    under_test.ready(controller)
    version = controller.sockets[wire.Role.FIB]
    assert isinstance(version, ssl.SSLSocket)
    assert version.version() == "TLSv1.3"
    controller.close()


def test_a_controller_of_another_authority_gets_no_hello(under_test: BoxUnderTest) -> None:
    authority, other = Authority(under_test.lab.directory / "tls"), Authority(under_test.lab.directory / "other")
    agent, false = authority.issue("ncp1"), other.issue("ncc", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(false.certificate, false.key)
    controller = FakeController(
        in_namespace(under_test.box, lambda: socket.create_server(("127.0.0.1", 7179))), context
    )
    process = under_test.start(
        "--certificate", str(agent.certificate), "--key", str(agent.key), "--ca", str(authority.certificate),
        controller="127.0.0.1:7179",
    )  # fmt: skip
    wait_for("a complaint", lambda: "certificate verify failed" in process.output(), every=0.05)
    assert controller.hellos == []
    controller.close()


@pytest.mark.parametrize(
    ("names", "days", "complaint"),
    [(("IP:127.0.0.1",), -1, "certificate has expired"), (("IP:192.0.2.1",), 30, "IP address mismatch")],
)
def test_a_controller_whose_certificate_is_expired_or_another_s_gets_no_hello(
    under_test: BoxUnderTest, names: tuple[str, ...], days: int, complaint: str
) -> None:
    authority = Authority(under_test.lab.directory / "tls")
    agent, own = authority.issue("ncp1"), authority.issue("ncc", *names, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    controller = FakeController(
        in_namespace(under_test.box, lambda: socket.create_server(("127.0.0.1", 7179))), context
    )
    process = under_test.start(
        "--certificate", str(agent.certificate), "--key", str(agent.key), "--ca", str(authority.certificate),
        controller="127.0.0.1:7179",
    )  # fmt: skip
    wait_for("a complaint", lambda: complaint in process.output(), every=0.05)
    assert controller.hellos == []
    controller.close()


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--controller", "somewhere"], "write unix:PATH or HOST:PORT"),
        (["--controller", "192.0.2.1:7179"], "give --certificate, --key and --ca"),
        (["--controller", "unix:/x", "--ncp", "../x"], "a name is letters"),
    ],
)
def test_a_wrong_command_line_says_what_to_write(arguments: list[str], advice: str, tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "routingd.agent_main",
        "--ncp",
        "ncp1",
        "--run-dir",
        str(tmp_path),
        "--state-dir",
        str(tmp_path),
    ]
    done = subprocess.run([*argv, *arguments], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    assert advice in done.stderr


def test_an_agent_whose_controller_stands_still_takes_a_later_one_and_tells_the_first(
    under_test: BoxUnderTest,
) -> None:
    first = under_test.controller
    process = under_test.start()
    under_test.ready()
    first.beating = False
    second = FakeController.unix(under_test.socket)
    second.election_id, second.stream_id = first.election_id + 1, b"second"
    under_test.ready(second)
    told = {role: message for role, message in first.received if isinstance(message, wire.Error)}
    assert set(told) == set(wire.Role)
    assert {error.code for error in told.values()} == {"election"}
    assert "another controller has taken over" in told[wire.Role.CONTROL].text
    assert next(under_test.state_dir.rglob("election")).read_text() == str(second.election_id)
    assert process.output().count("controller.fenced") == 3
    under_test.kill(process)
    second.close()
    again = FakeController.unix(under_test.socket)
    again.election_id = first.election_id
    process = under_test.start()
    assert again.wait(wire.Error).code == "election", "remembered across a restart"
    again.close()


def conditions(controller: FakeController) -> set[str]:
    return {row[0] for row in controller.all(wire.Conditions)[-1].rows}


def test_an_agent_that_cannot_write_to_its_disk_serves_its_controller_and_says_so(under_test: BoxUnderTest) -> None:
    process = under_test.start()
    under_test.ready()
    (kept,) = under_test.state_dir.rglob("election")
    kept.parent.chmod(0o500)
    under_test.lose_controller()
    again = FakeController.unix(under_test.socket)
    again.election_id = 9
    under_test.ready(again)
    told = again.wait(wire.Conditions, lambda m: any(row[0] == "state-not-kept" for row in m.rows))
    assert "election" in str(told.rows)
    assert kept.read_text() == "1"
    kept.parent.chmod(0o700)
    again.send(wire.Role.CONTROL, wire.BoxConfig(3, {}))
    wait_for("it to be kept", kept.read_text, lambda text: text == "9", every=0.02)
    wait_for("the end of the alarm", lambda: "state-not-kept" not in conditions(again), every=0.02)
    assert process.running()
    again.close()


@pytest.mark.parametrize("text", ["", "x", "-3", str(1 << 70)])
def test_an_election_id_that_cannot_be_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "election").write_text(text)
    assert Store(tmp_path, ConditionBook(lambda: 0.0)).election_id() == 0


def test_a_controller_that_stands_still_for_a_moment_is_not_left(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    controller, hellos = under_test.controller, len(under_test.controller.hellos)
    controller.refuse = wire.Error("busy", "nobody accepts here")
    controller.beating = False
    wait_for("a look", lambda: len(controller.hellos), lambda n: n > hellos, every=0.02)
    controller.wait(wire.Conditions, lambda m: any(row[0] == "controller-silent" for row in m.rows))
    controller.beating = True
    told = len(controller.all(wire.Conditions))
    wait_for("the end of silence", lambda: "controller-silent" not in conditions(controller))
    assert len(controller.all(wire.Conditions)) > told
    assert {hello.role for hello in controller.hellos[hellos:]} == {LOOK}
