"""Life and death of the controller's process. What it does to switches: tests/controller/test_controller_network.py."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from testbed.coflow import CoflowTable, FlowTable
from testbed.emulation import controller_process
from testbed.emulation.controller_process import ControllerProcess
from testbed.errors import EmulationError
from testbed.fabric import Fabric, Link, Node
from testbed.plan import Address, Plan, SchedulerSetting

NONE, NOTHING = np.zeros(0, dtype=np.int64), np.zeros(0)
PLAN = Plan(
    experiment="test", topology="two hosts", workload="none", scheduler=SchedulerSetting("fair"), seed=1, repeat=0,
    fabric=Fabric(
        "big-switch",
        (Node("h0", "host", 0), Node("h1", "host", 1), Node("s0", "switch", 0)),
        tuple(
            link
            for host, port in (("h0", 1), ("h1", 2))
            for link in (
                Link(f"{host}->s0", host, "s0", 0, port, 20e6, 2.4e6, 256_000),
                Link(f"s0->{host}", "s0", host, port, 0, 20e6, 2.4e6, 256_000),
            )
        ),
        9000,
    ),
    addresses=tuple(
        Address(f"h{i}", f"02:00:00:00:00:0{i}", f"10.255.0.{i + 1}", (f"10.0.0.{i + 1}",)) for i in range(2)
    ),
    coflows=CoflowTable(NONE, NOTHING, NOTHING, NOTHING),
    flows=FlowTable(NONE, NONE, NONE, NONE, NONE, NOTHING, NONE, np.zeros(1, dtype=np.int64), NONE),
)  # fmt: skip


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path: a unix socket's has 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="ct-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


def until(condition: Callable[[], object], what: str, deadline_s: float = 20.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.01)


def exists(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_listens_at_once_and_ends_cleanly(directory: Path) -> None:
    said: list[str] = []
    with ControllerProcess(PLAN, directory, directory / "log", log=said.append) as controller:
        socket.create_connection(controller.address, 5.0).close()
        assert controller.ask("status")["switches"]["s0"]["connected"] is False
        pid, port = controller.pid, controller.address[1]
    assert not exists(pid)
    assert said == [f"controller: pid {pid}, 127.0.0.1:{port}, 1 switches"]  # and none about killing it
    assert not controller.northbound.exists()
    assert (directory / "log").read_text().splitlines()[-1].endswith(" INFO controller: ends")


def test_waiting_names_the_missing_switches_and_shows_the_log(directory: Path) -> None:
    with ControllerProcess(PLAN, directory, directory / "log") as controller:
        port = controller.address[1]
        message = (
            "controller: 1 of 1 switches are not ready after 0.01 s (not connected: s0); expected all: is ovs-vswitchd "
            f"running, and does every bridge have the controller tcp:127.0.0.1:{port}?\n"
            f"  the end of {directory}/log:\n"
        )
        with pytest.raises(EmulationError, match=f"^{re.escape(message)}") as caught:
            controller.wait_ready(0.01)
        assert f"listening on 127.0.0.1:{port} for 1 switches" in str(caught.value)


def test_a_switch_that_was_never_there_is_gone(directory: Path) -> None:
    message = (
        "controller: lost s0: the connection closed or echo requests went unanswered; expected every switch to stay: "
        "did ovs-vswitchd end, or is this machine overloaded?\n"
    )
    with (
        ControllerProcess(PLAN, directory, directory / "log") as controller,
        pytest.raises(EmulationError, match=f"^{re.escape(message)}"),
    ):
        controller.check_alive()


def test_a_killed_process_is_noticed(directory: Path) -> None:
    with ControllerProcess(PLAN, directory, directory / "log") as controller:
        os.kill(controller.pid, signal.SIGKILL)
        message = f"controller: pid {controller.pid} was killed by signal 9; expected it to live as long as the network"
        with pytest.raises(EmulationError, match=f"^{re.escape(message)}"):
            controller.wait_ready()


def test_a_hanging_process_is_noticed_and_killed_in_the_end(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller_process, "ANSWER_DEADLINE_S", 0.1)
    monkeypatch.setattr(controller_process, "END_DEADLINE_S", 0.1)
    said: list[str] = []
    with ControllerProcess(PLAN, directory, directory / "log", log=said.append) as controller:
        pid = controller.pid
        os.kill(pid, signal.SIGSTOP)
        message = f"controller: pid {pid} did not answer 'status' within 0.1 s; it hangs, or this machine is overloaded"
        with pytest.raises(EmulationError, match=f"^{re.escape(message)}"):
            controller.check_alive()
    assert said[-1] == f"controller: pid {pid} did not end within 0.1 s: killed"
    assert not exists(pid)


def test_it_does_not_outlive_a_parent_that_is_killed(directory: Path) -> None:
    code = (
        "import sys, pathlib, test_controller_process as t\n"
        "d = pathlib.Path(sys.argv[1])\n"
        "with t.ControllerProcess(t.PLAN, d, d / 'log') as c:\n"
        "    c.ask('status'); print(c.pid, flush=True); sys.stdin.read()\n"
    )
    path = os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parents[2])))
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(directory)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert exists(pid)
        parent.kill()
    until(lambda: not exists(pid), "the end of the controller")


def test_it_outlives_the_thread_that_started_it(directory: Path) -> None:
    """With PR_SET_PDEATHSIG it would not."""
    controller = ControllerProcess(PLAN, directory, directory / "log")
    thread = threading.Thread(target=controller.__enter__)
    thread.start()
    thread.join()
    with contextlib.ExitStack() as stack:
        stack.push(controller)
        assert controller.ask("status")["error_count"] == 0


def test_outside_its_context_it_says_so(directory: Path) -> None:
    controller = ControllerProcess(PLAN, directory, directory / "log")
    with pytest.raises(EmulationError, match=r"^controller: not started; use it as a context manager$"):
        controller.check_alive()


def test_a_path_that_is_too_long_for_a_socket_is_an_error(directory: Path) -> None:
    deep = directory / ("x" * 100)
    deep.mkdir()
    message = (
        f"controller: cannot be started in {deep}: AF_UNIX path too long; expected an existing, writable directory "
        "whose path is short enough for a unix socket (90 characters)"
    )
    with (
        pytest.raises(EmulationError, match=f"^{re.escape(message)}$"),
        ControllerProcess(PLAN, deep, directory / "log"),
    ):
        pass


def test_wrong_questions_are_answered_with_an_error(directory: Path) -> None:
    with ControllerProcess(PLAN, directory, directory / "log") as controller:
        known = "known: /changes, /flows, /marks, /meters, /paths, /ports, /ready, /routes, /status, /topology"
        message = f"controller: 'prots': northbound: unknown path '/prots'; did you mean '/ports'? {known}"
        with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
            controller.ask("prots")
        message = "controller: 'ports': switch s0 is not connected; its statistics are not to be had"
        with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
            controller.ask("ports", switch="s0")
        message = "controller: 'ready': deadline_s is -1, expected seconds from 0 to 3600"
        with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
            controller.ask("ready", deadline_s=-1)
        message = "controller: 'status': unknown parameter 'swich'; known: "
        with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
            controller.ask("status", swich="s0")
        message = "controller: 'paths': unknown host 'h9'; known: h0, h1"
        with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
            controller.ask("paths", source="h9", destination="10.0.0.1")
        assert controller.ask("paths", source="h0", destination="10.0.0.2") == {"paths": [["h0", "s0", "h1"]]}


def test_the_token_is_neither_on_the_command_line_nor_in_a_file(directory: Path) -> None:
    with ControllerProcess(PLAN, directory, directory / "log") as controller:
        controller.ask("status")
        for file in ("cmdline", "environ"):
            assert controller.token.encode() not in Path(f"/proc/{controller.pid}/{file}").read_bytes()
        for path in directory.iterdir():
            assert path.is_socket() or controller.token not in path.read_text()
