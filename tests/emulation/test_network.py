"""A real network of two hosts and five switches, looked at from all sides; and one of four hosts on one switch."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulated_plans import fat_tree, install_routes, until

from testbed.emulation import sysctls
from testbed.emulation.command import run
from testbed.emulation.docker_service import connect
from testbed.emulation.names import RUN_LABEL, used_groups
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.offloads import offloads
from testbed.emulation.shaping import verify
from testbed.emulation.wiring import switch_ends

pytestmark = pytest.mark.network

RATE_BPS = 20e6
MACHINE_WIDE = (  # Mininet raises these at its first use; the Docker daemon would switch forwarding on
    "fs.file-max", "kernel.pid_max", "kernel.pty.max", "net.core.netdev_max_backlog", "net.core.rmem_max",
    "net.core.wmem_max", "net.ipv4.ip_forward", "net.ipv4.neigh.default.gc_thresh1", "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem", "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_allowed_congestion_control",
)  # fmt: skip

SEND = """
import socket, struct, sys
mode, source, peer, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
if mode == "receive":
    door = socket.create_server((source, 7000))
    print("ready", flush=True)
    connection = door.accept()[0]
    got = 0
    while data := connection.recv(1 << 20):
        got += len(data)
    print(got)
else:
    connection = socket.socket()
    if source: connection.bind((source, 0))
    connection.connect((peer, 7000))
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    cubic = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\\0").decode()
    print(cubic, struct.unpack_from("I", info, 80)[0], connection.getsockname()[0])
    connection.sendall(bytes(count))
"""


@pytest.fixture(scope="module")
def settings_before() -> dict[str, str]:
    return {name: sysctls.read(name) for name in (*MACHINE_WIDE, sysctls.WMEM_DEFAULT)}


@pytest.fixture(scope="module")
def network(docker_socket: str, settings_before: dict[str, str]) -> Iterator[EmulatedNetwork]:
    with EmulatedNetwork(fat_tree(2, rate_bps=RATE_BPS), "test-network") as network:
        install_routes(network)
        yield network
    after = {name: sysctls.read(name) for name in settings_before}
    assert after == settings_before


@pytest.fixture
def container(network: EmulatedNetwork, docker_socket: str) -> dict[str, Any]:
    with connect(docker_socket) as client:
        described: dict[str, Any] = client.inspect_container(network.hosts[0].container_id)
    return described


def python_in(network: EmulatedNetwork, host: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SEND, *map(str, arguments)]
    process: subprocess.Popen[str] = network.mininet.get(host).popen(command, text=True)
    return process


def exchange(network: EmulatedNetwork, source: str, peer: str, count: int) -> tuple[list[str], int]:
    """Send from h0 to an address of h1: what the sender's socket says of itself, and the bytes that arrived."""
    receiver = python_in(network, "h1", "receive", peer, "-", 0)
    assert receiver.stdout is not None
    assert receiver.stdout.readline() == "ready\n"
    said, errors = python_in(network, "h0", "send", source, peer, count).communicate(timeout=60)
    assert not errors
    got, _ = receiver.communicate(timeout=60)
    return said.split(), int(got)


def test_the_actor_is_the_first_process_and_listens(network: EmulatedNetwork) -> None:
    for number, host in enumerate(network.hosts):
        assert host.address == network.plan.addresses[number]
        until((host.control_dir / "actor.sock").is_socket, f"the actor of {host.name}")
        command = Path(f"/proc/{host.pid}/cmdline").read_text().split("\0")
        assert command[:3] == ["/usr/bin/python3", "-B", "/opt/coflow/actor"]
        assert host.control_dir.stat().st_mode & 0o777 == 0o700


def test_a_container_has_no_privilege(network: EmulatedNetwork, container: dict[str, Any]) -> None:
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{network.hosts[0].pid}/status").read_text().splitlines()
    )
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert set(status["Uid"].split()) == {"65534"}
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert container["HostConfig"]["NetworkMode"] == "none"
    assert not container["HostConfig"]["Privileged"]


def test_a_containers_root_cannot_be_written_and_its_actor_not_changed(
    network: EmulatedNetwork, docker_socket: str
) -> None:
    with connect(docker_socket) as client:
        for path in ("/x", "/tmp/x", "/opt/coflow/actor/x"):
            attempt = client.exec_create(
                network.hosts[0].container_id, ["/usr/bin/python3", "-c", f"open({path!r}, 'w')"], user="0"
            )
            assert b"Read-only file system" in client.exec_start(attempt["Id"])


def test_a_container_has_its_own_hostname_and_limits(network: EmulatedNetwork, container: dict[str, Any]) -> None:
    for host in network.hosts:
        assert run(["nsenter", "--target", str(host.pid), "--uts", "hostname"]) == f"{host.name}\n"
    limits = container["HostConfig"]
    assert (limits["Memory"], limits["NanoCpus"], limits["PidsLimit"]) == (128_000_000, 10**9, 256)


def test_a_container_has_no_other_way_out(network: EmulatedNetwork) -> None:
    for host in network.hosts:
        links = json.loads(run(["ip", "-json", "link", "show", "up"], netns_of=host.pid))
        assert [link["ifname"] for link in links] == ["lo", "eth0"]
        assert links[1]["mtu"] == 9000
        assert links[1]["address"] == host.address.mac
        assert not run(["ip", "-6", "-brief", "address"], netns_of=host.pid)


def test_names_carry_the_run_and_are_all_written_down(network: EmulatedNetwork, container: dict[str, Any]) -> None:
    state = json.loads(Path("/run/coflow-testbed/runs/test-network/state.json").read_text())
    ends = switch_ends(network._cables)
    assert sorted(state["interfaces"]) == sorted(end.interface for end in ends)
    assert sorted(used_groups()[state["group"]]) == sorted(state["interfaces"])
    assert state["taps"] == [*(bridge.name for bridge in network.bridges().values()), "ovs-netdev"]
    assert all(name.startswith(state["tag"]) for name in [*state["interfaces"], *state["taps"][:-1]])
    assert container["Config"]["Labels"][RUN_LABEL] == "test-network"
    assert container["Name"] == f"/{state['tag']}-h0"


def test_bridges_have_the_datapath_ids_and_ports_of_the_plan(network: EmulatedNetwork) -> None:
    bridges = network.bridges()
    assert [bridge.dpid for bridge in bridges.values()] == [1, 2, 3, 4, 5]
    assert list(bridges) == [node.name for node in network.plan.fabric.switches]
    for switch in network.mininet.switches:
        shown = switch.dpctl("show")
        assert f"dpid:{bridges[switch.name].dpid:016x}" in shown
        ports = sorted(link.source_port for link in network.plan.fabric.links if link.source == switch.name)
        for port in ports:
            assert f" {port}({switch.interface_name(port)})" in shown


def test_every_port_is_shaped_at_both_ends_and_stays_so(network: EmulatedNetwork) -> None:
    """Open vSwitch would remove queueing disciplines that it did not make whenever a bridge is reconfigured."""
    bridge = next(iter(network.bridges().values())).name
    network.open_vswitch.vsctl("set", "Bridge", bridge, "other-config:touched=1")
    verify([network.tree(end) for end in switch_ends(network._cables)])
    for number, host in enumerate(network.hosts):
        verify([network.tree(network._host_end(number))], host.pid)


def test_offloads_are_off_at_both_ends(network: EmulatedNetwork) -> None:
    none = {"tso": False, "gso": False, "gro": False, "tx": False}
    assert all(offloads(end.interface) == none for end in switch_ends(network._cables))
    assert all(offloads("eth0", host.pid) == none for host in network.hosts)


def test_mininets_own_ping_reaches_everyone(network: EmulatedNetwork) -> None:
    assert network.mininet.pingAll(timeout="5") == 0


@pytest.mark.parametrize(("size", "passes"), [(9000 - 28, True), (9000 - 27, False)])
def test_frames_up_to_the_mtu_pass(network: EmulatedNetwork, size: int, passes: bool) -> None:
    peer = network.plan.addresses[1].primary
    _, _, status = network.mininet.get("h0").pexec(f"ping -c 1 -W 5 -M do -s {size} {peer}")
    assert (status == 0) is passes


def test_tcp_is_as_stated_and_no_byte_is_lost(network: EmulatedNetwork) -> None:
    """The machine's default congestion control may be another, and one that a namespace may not choose."""
    (first, second) = network.plan.addresses
    sent_before, received_before = network.port_counters()
    count = 2_000_000
    said, got = exchange(network, first.via[0], second.via[0], count)
    assert said == ["cubic", "2", first.via[0]]
    assert got == count

    def settled() -> bool:
        sent, received = network.port_counters()
        return bool(np.array_equal(sent, received))

    until(settled, "as many bytes received as sent on every link")
    sent, _ = network.port_counters()
    forward = [i for i, link in enumerate(network.plan.fabric.links) if link.name in PATH]
    assert len(forward) == 6
    assert ((sent - sent_before)[forward] > count).all()
    assert ((sent - sent_before)[forward] < 1.1 * count).all()
    assert (received_before <= sent_before).all()


PATH = {"h0->e0", "e0->a0", "a0->c0", "c0->a1", "a1->e1", "e1->h1"}


def test_a_socket_that_binds_to_nothing_takes_the_path_its_peers_address_names(network: EmulatedNetwork) -> None:
    (first, second) = network.plan.addresses
    assert exchange(network, "", second.via[0], 1000)[0][2] == first.via[0]
    assert exchange(network, "", second.primary, 1000)[0][2] == first.primary


def test_there_is_no_arp(network: EmulatedNetwork) -> None:
    for host in network.hosts:
        neighbours = json.loads(run(["ip", "-json", "neigh"], netns_of=host.pid))
        assert [(entry["dst"], entry["state"]) for entry in neighbours] == [("169.254.1.1", ["PERMANENT"])]


def test_a_link_is_never_faster_than_its_rate(network: EmulatedNetwork) -> None:
    link = next(i for i, link in enumerate(network.plan.fabric.links) if link.name == "h0->e0")
    carried, began = network.port_counters()[0][link], time.monotonic()
    exchange(network, "", network.plan.addresses[1].primary, 4_000_000)
    carried, took_s = network.port_counters()[0][link] - carried, time.monotonic() - began
    bursts = 2 * 2 * 9014
    assert 4_000_000 < carried <= RATE_BPS / 8 * took_s + bursts


def test_the_network_is_alive(network: EmulatedNetwork) -> None:
    network.check_alive()
    assert network.datapath in ("ovs-user", "ovs-kernel")
    assert set(network.phases) >= {"docker", "containers", "links", "hosts", "bridges", "shaping"}
