"""A service of the run that ends, or is restarted, in mid-run: an error in words, and nothing is left behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from emulated_plans import until
from victims import clean, victim, write_spec

from testbed.emulation.docker_service import (
    DATA_ROOT,
    LOG_NAME,
    LONGEST_LOG_BYTES,
    answers,
    connect,
    daemon_pid,
    docker_daemon,
    find_daemon,
    own_directory,
    own_processes,
    own_socket,
)
from testbed.emulation.image import ACTOR_IMAGE, ensure_image
from testbed.emulation.owner import kill
from testbed.records.finding import read_runs

pytestmark = pytest.mark.network

LONG = ("--set", "workload.coflows=[{id: 1, arrival: 0 s, flows: [{from: 0, to: 1, size: 200 MB}]}]")


@pytest.fixture
def own_daemon() -> None:
    """Only where the testbed starts a Docker daemon of its own."""
    if find_daemon() not in (None, own_socket()):
        pytest.skip("the machine's own Docker daemon is used")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_our_docker_daemon_ends_in_mid_run(
    own_daemon: None, same_machine: None, tmp_path: Path, number: signal.Signals
) -> None:
    spec = write_spec(tmp_path, "router")
    with victim(
        tmp_path, "run", str(spec), "--out", str(tmp_path / "results"), "--set", "backends=[emulation]", *LONG
    ) as struck:
        struck.wait_for("flows active")
        daemon = daemon_pid()
        assert daemon is not None
        os.kill(daemon, number)
        status = struck.end()
    assert status == 1, struck.words
    assert "Traceback" not in struck.words
    last = struck.words.rpartition("error: ")[2].strip()
    if number == signal.SIGKILL:  # containers run on without it
        assert last == "docker: our own daemon died while the network was up; its containers go with the run"
    else:  # it ends its containers first
        assert last.startswith(("host h", "docker: our own daemon died"))
    (run,), left_out = read_runs([tmp_path / "results"])
    assert left_out == []
    assert run.facts["error"] == last
    assert clean(tmp_path)[0] == ["nothing to remove"]


def test_a_sweep_goes_on_after_our_docker_daemon_died(own_daemon: None, same_machine: None, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, "router", "vary: {seed: [1, 2]}\n")
    command = ("sweep", str(spec), "--out", str(tmp_path / "sweep"), "--set", "backends=[emulation]")
    with victim(tmp_path, *command) as struck:
        struck.wait_for("network up in ")
        daemon = daemon_pid()
        assert daemon is not None
        os.kill(daemon, signal.SIGKILL)
        status = struck.end()
    assert status == 1, struck.words  # one run failed, the other went on
    assert "\n1 run; table and plots in " in struck.words
    with victim(tmp_path, *command) as again:
        assert again.end() in (0, 3), again.words
    assert clean(tmp_path)[0] == ["nothing to remove"]


def start_one(socket: str) -> str:
    """A container that lasts; its id."""
    with connect(socket) as client:
        ensure_image(client, ACTOR_IMAGE)
        made = client.create_container(ACTOR_IMAGE, command=["/usr/bin/python3", "-c", "input()"], stdin_open=True)
        client.start(made["Id"])
        return str(made["Id"])


def test_a_daemon_that_was_killed_with_its_containers_leaves_no_control_groups(
    own_daemon: None, same_machine: None
) -> None:
    with docker_daemon("test-first") as socket:
        container = start_one(socket)
        kill(own_processes())
        assert not answers(own_socket())
        with docker_daemon("test-second") as anew, connect(anew) as client:
            client.remove_container(container, force=True)
    assert not (DATA_ROOT / "containers" / container).exists()
    assert list(Path("/sys/fs/cgroup").rglob(f"*{container}*")) == []


def test_the_log_of_our_daemon_begins_anew_where_it_is_long(own_daemon: None, same_machine: None) -> None:
    log = own_directory() / LOG_NAME
    with docker_daemon("test-first") as socket:
        with log.open("ab") as file:
            file.write(b"x" * (LONGEST_LOG_BYTES + 1))
        with docker_daemon("test-second"):
            assert log.stat().st_size == 0
            container = start_one(socket)
            with connect(socket) as client:
                client.remove_container(container, force=True)
            written = until(log.read_bytes, "a line in the log")
            assert written.startswith(b"time=")  # and no hole where the old lines were
