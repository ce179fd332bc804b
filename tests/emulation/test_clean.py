"""`testbed clean` after a kill -9: everything of the dead run goes, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from emulated_plans import big_switch, until

from testbed.commands.clean import command as clean_command
from testbed.commands.doctor import command as doctor_command
from testbed.emulation import names, shared, sysctls
from testbed.emulation.cleanup import clean
from testbed.emulation.command import run
from testbed.emulation.docker_service import connect
from testbed.emulation.image import ACTOR_IMAGE, ensure_image
from testbed.emulation.names import RUN_LABEL
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.owner import kill, processes_with_argument
from testbed.emulation.state import read_states
from testbed.emulation.taps import is_attached

pytestmark = pytest.mark.network

VICTIM = """
import sys
sys.path[:0] = {path!r}
from emulated_plans import fat_tree
from testbed.emulation.network import EmulatedNetwork
with EmulatedNetwork(fat_tree(2), "test-victim", print):
    print("up", flush=True)
    sys.stdin.read()
"""


def start_victim() -> subprocess.Popen[str]:
    program = VICTIM.format(path=[os.path.dirname(__file__), os.getcwd()])
    return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def kill_victim(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()


@pytest.fixture
def killed(docker_socket: str) -> dict[str, Any]:
    """The state that a run has written down which was killed when it was up."""
    child = start_victim()
    assert child.stdout is not None
    until(lambda: child.stdout is not None and child.stdout.readline() == "up\n", "the victim's network")
    kill_victim(child)
    document: dict[str, Any] = json.loads((names.RUNS / "test-victim/state.json").read_text())
    return document


@pytest.fixture
def foreign(docker_socket: str) -> Iterator[dict[str, Any]]:
    """Things that look much like ours: a bridge and veths with a tag's first letters, an unlabelled container."""
    run(["ip", "link", "add", "cabcs0", "type", "bridge"])
    run(["ip", "link", "add", "cabcs0p1", "type", "veth", "peer", "name", "cabcs0p2"])
    bystander = subprocess.Popen(["sleep", "600"])
    with connect(docker_socket) as client:
        ensure_image(client, ACTOR_IMAGE)
        container = client.create_container(ACTOR_IMAGE, command=["/usr/bin/python3", "-c", "input()"], stdin_open=True)
        client.start(container["Id"])
        try:
            yield {"container": container["Id"], "pid": bystander.pid}
        finally:
            client.remove_container(container["Id"], force=True)
            bystander.kill()
            bystander.wait()
            run(["ip", "link", "delete", "cabcs0"])
            run(["ip", "link", "delete", "cabcs0p1"])


def test_clean_after_a_kill_twice(interfaces_before: set[str], foreign: dict[str, Any], docker_socket: str) -> None:
    interfaces_before |= {"cabcs0", "cabcs0p1", "cabcs0p2"}
    wmem_before = sysctls.read(sysctls.WMEM_DEFAULT)
    child = start_victim()
    assert child.stdout is not None
    until(lambda: child.stdout is not None and child.stdout.readline() == "up\n", "the victim's network")
    kill_victim(child)
    assert sysctls.read(sysctls.WMEM_DEFAULT) == str(sysctls.WMEM_BYTES)
    assert len(processes_with_argument("/run/coflow-testbed/runs/test-victim")) == 2

    foreseen = clean(dry_run=True)
    kinds = [removal.kind for removal in foreseen if removal.run == "test-victim"]
    assert (kinds.count("container"), kinds.count("process"), kinds.count("directory")) == (2, 2, 1)
    assert {removal.name for removal in foreseen if removal.kind == "sysctl"} == {
        f"{sysctls.WMEM_DEFAULT} back to {wmem_before}"
    }
    assert clean(dry_run=True) == foreseen

    done = clean()
    assert sorted(r.name for r in done if r.kind == "container") == sorted(
        r.name for r in foreseen if r.kind == "container"
    )
    assert {entry.name for entry in Path("/sys/class/net").iterdir()} == interfaces_before
    assert processes_with_argument("/run/coflow-testbed/runs/test-victim") == []
    assert sysctls.read(sysctls.WMEM_DEFAULT) == wmem_before
    assert not (names.RUNS / "test-victim").exists()
    with connect(docker_socket) as client:
        assert client.containers(all=True, filters={"label": f"{RUN_LABEL}=test-victim"}) == []
        assert client.inspect_container(foreign["container"])["State"]["Running"]
    assert Path(f"/proc/{foreign['pid']}").exists()

    assert clean() == []


def test_the_next_run_takes_over_what_a_killed_one_left(killed: dict[str, Any], docker_socket: str) -> None:
    said: list[str] = []
    with EmulatedNetwork(big_switch(2), "test-next", said.append) as network:
        network.check_alive()
        assert sum(line.startswith("removed what dead run test-victim left: ") for line in said) >= 2 + 2 + 1
        assert [state.run_id for state in read_states() if state.run_id.startswith("test-")] == ["test-next"]
    assert clean() == []


def test_a_run_that_is_alive_is_left_alone_and_named(docker_socket: str) -> None:
    with EmulatedNetwork(big_switch(2), "test-alive") as network:
        assert [removal for removal in clean() if removal.run == "test-alive"] == []
        network.check_alive()
        result = CliRunner().invoke(clean_command, ["--dry-run"])
        assert result.exit_code == 0
        assert f"left alone: run test-alive is alive (pid {os.getpid()})\n" in result.output
        document = json.loads(CliRunner().invoke(clean_command, ["--json"]).output)
        assert {"run": "test-alive", "pid": os.getpid()} in document["alive"]


@pytest.mark.parametrize("moment", ["switch daemon", "containers", "links"])
def test_clean_after_a_kill_during_the_bring_up(docker_socket: str, interfaces_before: set[str], moment: str) -> None:
    child = start_victim()
    state = names.RUNS / "test-victim/state.json"

    def reached() -> bool:
        if not state.exists():
            return False
        document = json.loads(state.read_text())
        if moment == "links":
            return bool(document["interfaces"])
        if moment == "containers":
            return (names.RUNS / "test-victim/h").exists()
        return bool(document["private_ovs"])

    until(reached, moment)
    kill_victim(child)
    assert clean() != []
    assert clean() == []
    assert {entry.name for entry in Path("/sys/class/net").iterdir()} == interfaces_before
    with connect(docker_socket) as client:
        assert client.containers(all=True, filters={"label": f"{RUN_LABEL}=test-victim"}) == []


def test_a_tap_that_another_process_uses_by_now_stays(killed: dict[str, Any], docker_socket: str) -> None:
    """ovs-netdev has the same name in every run: a dead run's clean-up must not take a living one's."""
    kill(processes_with_argument("/run/coflow-testbed/runs/test-victim"))
    import fcntl
    import struct

    assert not is_attached("ovs-netdev", patience_s=10.0)
    with open("/dev/net/tun", "r+b", buffering=0) as device:
        fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", b"ovs-netdev", 0x1002))
        clean()
        assert Path("/sys/class/net/ovs-netdev").exists()
    run(["ip", "link", "delete", "ovs-netdev"])


def test_our_own_docker_daemon_ends_with_its_last_user(docker_socket: str) -> None:
    entry = shared.read().get("dockerd")
    if entry is None:
        pytest.skip("the machine's own Docker daemon is used")
    assert str(os.getpid()) in json.dumps(shared.living_users(entry))


def test_doctor_tells_what_there_is() -> None:
    result = CliRunner().invoke(doctor_command, ["--json"])
    document = json.loads(result.output)
    assert document["can_emulate"] is (result.exit_code == 0) is True
    found = {finding["name"]: finding for finding in document["findings"]}
    assert found["root"]["state"] == "ok"
    assert found["queueing discipline htb"]["state"] == "ok"
    assert all((finding["state"] == "ok") == (finding["cost"] == "") for finding in document["findings"])
    assert "this machine can emulate" in CliRunner().invoke(doctor_command, []).output
