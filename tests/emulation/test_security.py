"""The security model of docs/security.md, tried on a network of two hosts and five switches with its controller."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from emulated_plans import big_switch, fat_tree, until

from testbed.emulation.command import run
from testbed.emulation.controller_process import ControllerProcess
from testbed.emulation.docker_service import connect, own_processes
from testbed.emulation.names import RUNS
from testbed.emulation.netns import inside
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.owner import with_descendants

pytestmark = pytest.mark.network

CONNECT_TO_FILE = """
import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except OSError as error:
    print(error.errno)
else:
    print("connected")
"""
KNOCK = """
import errno, select, socket, sys
results = {}
knocks = {}
for end in sys.argv[1:]:
    address, _, port = end.rpartition(":")
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        datagram.sendto(b"knock", (address, int(port)))
    except OSError:
        pass
    knock = socket.socket()
    knock.setblocking(False)
    knocks[knock] = end
    results[end] = errno.errorcode.get(knock.connect_ex((address, int(port))), "?")
waiting = [knock for knock, end in knocks.items() if results[end] == "EINPROGRESS"]
while waiting:
    _, ready, _ = select.select([], waiting, [], 1.5)
    if not ready:
        break
    for knock in ready:
        number = knock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        results[knocks[knock]] = errno.errorcode[number] if number else "connected"
        waiting.remove(knock)
print(results)
"""
"""Connects to each end, and sends it a datagram; what became of each. EINPROGRESS: no answer of any kind."""


class Testbed:
    """A network that is up, and its controller."""

    __test__ = False

    def __init__(self, network: EmulatedNetwork, controller: ControllerProcess) -> None:
        self.network = network
        self.controller = controller

    def pids(self) -> set[int]:
        """Every process of the testbed that is not in a container: ours, the controller's, the switch's, Docker's."""
        inside = {host.pid for host in self.network.hosts}
        found = with_descendants([os.getpid(), self.controller.pid, *self.network.pids()]) + own_processes()
        return set(found) - inside - set(with_descendants(sorted(inside)))


@pytest.fixture(scope="module")
def testbed(docker_socket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    plan = fat_tree(2)
    with contextlib.ExitStack() as stack:
        log = tmp_path_factory.mktemp("logs") / "controller.log"
        controllers: list[ControllerProcess] = []

        def start(directory: Path) -> tuple[str, int]:
            controllers.append(stack.enter_context(ControllerProcess(plan, directory, log)))
            return controllers[0].address

        network = stack.enter_context(EmulatedNetwork(plan, "test-security", controller=start))
        if network.has_openflow:
            controllers[0].wait_ready()
        for host in network.hosts:
            until((host.control_dir / "actor.sock").is_socket, f"the actor of {host.name}")
        yield Testbed(network, controllers[0])


def in_container(docker_socket: str, container: str, program: str, *arguments: str, user: str = "") -> str:
    """What a Python program prints inside a container."""
    with connect(docker_socket) as client:
        made = client.exec_create(container, ["/usr/bin/python3", "-c", program, *arguments], user=user)
        return str(client.exec_start(made["Id"]).decode())


def as_user(user: int, *arguments: str) -> str:
    """What CONNECT_TO_FILE prints for another user of this machine."""
    command = ["/usr/bin/python3", "-c", CONNECT_TO_FILE, *arguments]
    done = subprocess.run(
        command, user=user, group=user, extra_groups=[], cwd="/", capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("user", [1, 1000, 65534], ids=["daemon", "somebody", "nobody, who is the containers' user"])
def test_no_other_user_reaches_a_control_socket_or_the_northbound(testbed: Testbed, user: int) -> None:
    doors = [host.control_dir / "actor.sock" for host in testbed.network.hosts] + [testbed.controller.northbound]
    for door in doors:
        assert as_user(0, str(door)) == "connected"
        assert as_user(user, str(door)) == str(errno.EACCES)


def test_a_container_sees_its_own_control_socket_and_no_other(testbed: Testbed, docker_socket: str) -> None:
    look = "import os; print(sorted(os.listdir('/run/coflow')), os.path.exists('/run/coflow-testbed')); "
    look += "print(open('/proc/self/mountinfo').read())"
    for number, host in enumerate(testbed.network.hosts):
        told, mounts = in_container(docker_socket, host.container_id, look).split("\n", 1)
        assert told == "['actor.sock', 'coflow.sock'] False"
        from_runs = re.findall(r" /\S*runs/test-security/(\S+) (\S+) ", mounts)
        assert from_runs == [(f"h/{number}", "/run/coflow")]
        assert "docker.sock" not in mounts
        assert "ovs" not in mounts
        writable = {point for point, how in map(place_and_options, mounts.splitlines()) if "rw" in how}
        assert {point for point in writable if not point.startswith(("/dev", "/proc", "/sys"))} == {"/run/coflow"}


def place_and_options(line: str) -> tuple[str, list[str]]:
    """Mount point and options of a line of mountinfo."""
    words = line.split()
    return (words[4], words[5].split(",")) if words else ("", [])


def test_what_listens_listens_on_loopback(testbed: Testbed) -> None:
    """Sockets of the root network namespace that are bound and belong to a process of the testbed."""
    ours = sockets_of(testbed.pids())
    bound = [(kind, address, port) for kind, address, port, inode in bound_sockets() if inode in ours]
    host, port = testbed.controller.address
    assert ("tcp", host, port) in bound
    assert [each for each in bound if not each[1].startswith("127.")] == []


def bound_sockets() -> Iterator[tuple[str, str, int, str]]:
    """(protocol, address, port, inode) of each TCP listener and each bound UDP or raw socket of this namespace."""
    for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        path = Path(f"/proc/net/{kind}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            words = line.split()
            number, port = words[1].split(":")
            packed = b"".join(bytes.fromhex(number[at : at + 8])[::-1] for at in range(0, len(number), 8))
            family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
            if not kind.startswith("tcp") or words[3] == "0A":
                yield kind, socket.inet_ntop(family, packed), int(port, 16), words[9]


def sockets_of(pids: set[int]) -> set[str]:
    """Inodes of the sockets that processes have open."""
    found: set[str] = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):  # ended meanwhile
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    found.update(re.findall(r"socket:\[(\d+)\]", os.readlink(entry)))
    return found


def root_addresses() -> list[str]:
    """Every IPv4 address of the machine's own network namespace."""
    links = json.loads(run(["ip", "-json", "-4", "address"]))
    return [info["local"] for link in links for info in link["addr_info"]]


def test_a_container_reaches_neither_the_machine_nor_the_internet(testbed: Testbed, docker_socket: str) -> None:
    """Someone listens on every address of the machine: nobody comes, and no datagram."""
    host, other = testbed.network.hosts
    with (
        socket.create_server(("0.0.0.0", 0)) as streams,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        port = streams.getsockname()[1]
        datagrams.bind(("0.0.0.0", port))
        ends = [f"{address}:{port}" for address in root_addresses()]
        ends += [f"169.254.1.1:{port}", f"172.17.0.1:{port}", f"192.0.2.1:{port}", f"10.255.9.9:{port}"]
        ends += [f"127.0.0.1:{testbed.controller.address[1]}", f"{other.address.primary}:{port}"]
        told = printed_dict(in_container(docker_socket, host.container_id, KNOCK, *ends))
        assert select.select([streams, datagrams], [], [], 0) == ([], [], [])
    assert set(told) == set(ends)
    loopback = {end: how for end, how in told.items() if end.startswith("127.")}
    assert set(loopback.values()) == {"ECONNREFUSED"}  # its own, on which nobody listens
    assert told[f"{other.address.primary}:{port}"] == "ECONNREFUSED"  # the other host is there, and says no
    rest = {end: how for end, how in told.items() if end not in loopback and other.address.primary not in end}
    assert set(rest.values()) <= {"EINPROGRESS", "EHOSTUNREACH", "ENETUNREACH"}, rest


def test_a_container_reaches_no_other_run(testbed: Testbed, docker_socket: str) -> None:
    """Two runs have the same addresses, and are two networks."""
    host, other = testbed.network.hosts
    with EmulatedNetwork(big_switch(2, datapath="router"), "test-security-2") as second:
        doors = [inside(each.pid, lambda: socket.create_server(("0.0.0.0", 7100))) for each in second.hosts]
        try:
            addresses = [each.address.primary for each in (other, *second.hosts)]
            ends = [f"{address}:7100" for address in addresses]
            told = printed_dict(in_container(docker_socket, host.container_id, KNOCK, *ends))
            assert select.select(doors, [], [], 0) == ([], [], [])
        finally:
            for door in doors:
                door.close()
    assert set(told) == set(ends)
    assert "connected" not in told.values(), told


def printed_dict(printed: str) -> dict[str, str]:
    """What KNOCK printed."""
    return dict(re.findall(r"'([^']+)': '([^']+)'", printed))


def test_the_machine_has_no_address_on_what_the_run_has_made(testbed: Testbed) -> None:
    """So nothing that a container sends to its switch is taken in by the machine."""
    state = json.loads((RUNS / "test-security/state.json").read_text())
    links: list[dict[str, Any]] = json.loads(run(["ip", "-json", "address"]))
    ours = [link for link in links if link["ifname"] in {*state["interfaces"], *state["taps"]}]
    assert len(ours) >= len(state["interfaces"])
    assert [link["ifname"] for link in ours if link["addr_info"]] == []


def test_a_program_in_a_container_gets_no_privilege(testbed: Testbed, docker_socket: str) -> None:
    """Raw sockets, another user, a mount, the clock, other processes of the machine: all refused, for its root too."""
    attempts = """
import ctypes, errno, os, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def told(action):
    try:
        return action() or "done"
    except OSError as error:
        return errno.errorcode[error.errno]
def mount():
    if libc.mount(b"none", b"/run/coflow", b"tmpfs", 0, None): raise OSError(ctypes.get_errno(), "")
def unshare():
    if libc.unshare(0x40000000): raise OSError(ctypes.get_errno(), "")
print(told(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)), told(mount), told(unshare),
      told(lambda: time.clock_settime(time.CLOCK_REALTIME, time.time())), told(lambda: os.setuid(1)),
      told(lambda: open("/proc/sys/net/ipv4/ip_forward", "w")), os.path.exists("/proc/%s" % sys.argv[1]))
"""
    for user in ("", "0"):
        container = testbed.network.hosts[0].container_id
        said = in_container(docker_socket, container, attempts, str(os.getpid()), user=user)
        assert said == "EPERM EPERM EPERM EPERM EPERM EROFS False\n"


ECHO = "import sys; print(sys.argv[1])"
NASTY = "$(touch pwned)'\"`touch pwned`;&|<>\\ touch pwned"


def test_no_name_of_a_spec_is_run_by_a_shell(docker_socket: str, tmp_path: Path) -> None:
    """File, folder and words of commands hold what a shell would act on; a whole run, and everything by its name."""
    programs = tmp_path / f"programs {NASTY}"
    programs.mkdir()
    spec = tmp_path / f"{NASTY.replace('/', '')}.yml"
    spec.write_text(
        json.dumps(
            {
                "topology": {"kind": "big-switch", "ports": 2, "datapath": "router"},
                "workload": {
                    "kind": "explicit",
                    "coflows": [{"id": 1, "flows": [{"from": 0, "to": 1, "size": "20 KB"}]}],
                    "applications": {
                        "folder": programs.name,
                        "commands": [
                            {"host": 0, "command": ["/usr/bin/python3", "-c", "import sys; print(sys.argv[1])", NASTY]}
                        ],
                    },
                },
                "schedulers": ["fair"],
                "backends": ["emulation"],
            }
        )
    )
    results = tmp_path / "results"
    command = [sys.executable, "-m", "testbed", "run", str(spec), "--out", str(results)]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stdout + done.stderr
    (made,) = [path for path in results.iterdir() if path.name != "reports"]
    assert re.fullmatch(r"[A-Za-z0-9._=-]+", made.name)
    assert (made / "logs/application-0-h0.log").read_text() == NASTY + "\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([programs.name, spec.name, "results"])
    assert list(tmp_path.rglob("pwned")) == []
