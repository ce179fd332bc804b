"""Linux routers as switches, on the real thing: what they are made of, where packets go, and what they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulated_plans import big_switch, fat_tree, leaf_spine, until

from testbed.emulation import capabilities, names, routers
from testbed.emulation.cleanup import clean
from testbed.emulation.command import run
from testbed.emulation.controller_process import ControllerProcess
from testbed.emulation.netns import NAMED
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.offloads import offloads
from testbed.emulation.shaping import verify
from testbed.emulation.wiring import switch_ends
from testbed.errors import EmulationError
from testbed.plan import Plan
from testbed.rules.routes import make_rules
from testbed.rules.walk import walk

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def network(docker_socket: str) -> Iterator[EmulatedNetwork]:
    with EmulatedNetwork(fat_tree(2, datapath="router"), "test-router") as network:
        yield network


def namespaces_of(run_id: str) -> list[str]:
    return sorted(path.name for path in NAMED.glob(f"coflow-{run_id}-*")) if NAMED.exists() else []


def test_each_switch_is_a_namespace_that_bears_the_run(network: EmulatedNetwork) -> None:
    wanted = sorted(f"coflow-test-router-{node.name}" for node in network.plan.fabric.switches)
    assert namespaces_of("test-router") == wanted
    assert sorted(json.loads((names.RUNS / "test-router/state.json").read_text())["namespaces"]) == wanted


def test_no_port_is_in_the_root_namespace(network: EmulatedNetwork) -> None:
    ports = {end.interface for end in switch_ends(network._cables)}
    assert not ports & {entry.name for entry in Path("/sys/class/net").iterdir()}
    assert network.pids() == [host.pid for host in network.hosts]
    assert network.forwarding_thread() is None


def test_mininets_own_ping_reaches_everyone_within_half_a_millisecond(network: EmulatedNetwork) -> None:
    assert network.mininet.pingAll(timeout="5") == 0
    peer = network.plan.addresses[1].via[0]
    said = network.mininet["h0"].cmd(f"ping -q -c 50 -i 0.005 {peer}")
    assert "50 received" in said
    least_ms = float(said.split(" = ")[1].split("/")[0])
    assert least_ms < 0.5  # a switch daemon would take milliseconds


def test_mininets_switches_are_the_routers(network: EmulatedNetwork) -> None:
    switch = network.mininet["e0"]
    assert switch.connected()
    assert "blackhole default" in switch.cmd("ip route")
    assert switch.cmd("cat /proc/sys/net/ipv4/ip_forward").strip() == "1"
    with pytest.raises(EmulationError, match=r"^datapath router: there is no Open vSwitch; "):
        network.bridges()


def test_every_port_is_shaped_at_both_ends(network: EmulatedNetwork) -> None:
    for end in switch_ends(network._cables):
        assert end.switch is not None
        verify([network.tree(end)], NAMED / f"coflow-test-router-{end.node}")
    for number, host in enumerate(network.hosts):
        verify([network.tree(network._host_end(number))], host.pid)


def test_slow_links_get_single_frames(network: EmulatedNetwork) -> None:
    found = offloads("eth0", network.hosts[0].pid)
    assert (found["tso"], found["gso"], found["gro"], found["tx"]) == (False, False, False, True)
    shown = json.loads(run(["ip", "-details", "-json", "link", "show", "eth0"], netns_of=network.hosts[0].pid))
    assert (shown[0]["gso_max_segs"], network.facts()["frames_per_segment"]) == (1, 1)


def test_an_unknown_destination_is_dropped_without_a_word(network: EmulatedNetwork) -> None:
    edge = network.plan.addresses[1].primary.split(".")[2]
    said = network.mininet["h0"].cmd(f"ping -q -c 2 -i 0.1 -W 1 10.0.{edge}.77")
    assert "0 received" in said
    assert "errors" not in said


def test_there_is_no_arp(network: EmulatedNetwork) -> None:
    for node in network.plan.fabric.switches:
        shown = json.loads(run(["ip", "-json", "neigh"], netns_of=NAMED / f"coflow-test-router-{node.name}"))
        assert {entry["state"][0] for entry in shown if entry["dst"] == "169.254.1.1"} == {"PERMANENT"}
        assert {entry["dst"] for entry in shown} == {"169.254.1.1"}


def test_several_router_networks_at_once(network: EmulatedNetwork) -> None:
    with EmulatedNetwork(big_switch(2, datapath="router", rate_bps=200e6), "test-router-too") as other:
        assert other.mininet.pingAll(timeout="5") == 0
        assert network.mininet.pingAll(timeout="5") == 0
        shown = json.loads(run(["ip", "-details", "-json", "link", "show", "eth0"], netns_of=other.hosts[0].pid))
        assert (shown[0]["gso_max_segs"], other.facts()["frames_per_segment"]) == (2, 2)
    assert namespaces_of("test-router-too") == []
    assert len(namespaces_of("test-router")) == 5


def test_a_namespace_that_was_deleted_is_told(docker_socket: str) -> None:
    with EmulatedNetwork(big_switch(2, datapath="router"), "test-router-dies") as network:
        run(["ip", "netns", "delete", "coflow-test-router-dies-s0"])
        with pytest.raises(EmulationError) as caught:
            network.check_alive()
    assert str(caught.value) == (
        "switch s0: its network namespace coflow-test-router-dies-s0 was deleted while the network was up"
    )


@pytest.mark.parametrize("function", ["batch", "route_commands", "shape"])
def test_a_bring_up_that_fails_leaves_nothing(
    docker_socket: str, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    real = getattr(routers, function)

    def fail_after_doing_it(*arguments: object, **options: object) -> None:
        real(*arguments, **options)
        raise EmulationError("as if it had failed")

    monkeypatch.setattr(routers, function, fail_after_doing_it)
    with pytest.raises(EmulationError, match=r"^as if it had failed$"):
        EmulatedNetwork(big_switch(2, datapath="router"), "test-router-fails").__enter__()
    assert namespaces_of("test-router-fails") == []
    assert not (names.RUNS / "test-router-fails").exists()


VICTIM = """
import sys
sys.path[:0] = {path!r}
from emulated_plans import big_switch
from testbed.emulation.network import EmulatedNetwork
with EmulatedNetwork(big_switch(2, datapath="router"), "test-router-victim"):
    print("up", flush=True)
    sys.stdin.read()
"""


def test_clean_after_a_kill_9(docker_socket: str) -> None:
    program = VICTIM.format(path=[os.path.dirname(__file__), os.getcwd()])
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    until(lambda: child.stdout is not None and child.stdout.readline() == "up\n", "the victim's network")
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert namespaces_of("test-router-victim") == ["coflow-test-router-victim-s0"]
    removed = [removal for removal in clean() if removal.run == "test-router-victim"]
    assert [each.name for each in removed if each.kind == "namespace"] == ["coflow-test-router-victim-s0"]
    assert namespaces_of("test-router-victim") == []
    assert [removal for removal in clean() if removal.run == "test-router-victim"] == []


def links_crossed(network: EmulatedNetwork, source: str, destination: str) -> set[str]:
    """Names of the links that pings from h0 crossed, there and back."""
    before, _ = network.port_counters()
    network.mininet["h0"].cmd(f"ping -q -c 3 -i 0.05 -W 1 -s 1000 -I {source} {destination}")
    after, _ = network.port_counters()
    return {network.plan.fabric.links[number].name for number in np.flatnonzero(after - before >= 3 * 1000)}


def walked(plan: Plan, source: int, destination: str) -> set[str]:
    """The same, by the rules alone."""
    return {plan.fabric.links[number].name for number in walk(make_rules(plan), plan.fabric, source, destination).links}


@pytest.mark.parametrize("datapath", ["router", "auto"])
def test_both_drivers_send_packets_where_the_rules_say(docker_socket: str, tmp_path: Path, datapath: str) -> None:
    """Two leaves and two spines: each own address crosses its spine, the primary one the first (single-path)."""
    plan = leaf_spine(2, 2, 1, datapath=datapath, ecmp="single-path")
    with contextlib.ExitStack() as stack:
        controllers: list[ControllerProcess] = []

        def start(directory: Path) -> tuple[str, int]:
            controllers.append(stack.enter_context(ControllerProcess(plan, directory, tmp_path / "log")))
            return controllers[0].address

        network = stack.enter_context(EmulatedNetwork(plan, "test-drivers", controller=start))
        for controller in controllers:
            controller.wait_ready()
        first, second = plan.addresses
        for own, peer in zip((*first.via, first.primary), (*second.via, second.primary), strict=True):
            assert links_crossed(network, own, peer) == walked(plan, 0, peer) | walked(plan, 1, own)
        stranger = second.via[1].rpartition(".")[0] + ".77"
        assert links_crossed(network, first.via[1], stranger) == walked(plan, 0, stranger)


SPREAD = """
import socket, sys
for port in range(400):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("", 20000 + port))
        door.sendto(bytes(1000), (sys.argv[1], 9))
"""


def test_the_hash_does_not_polarise(docker_socket: str) -> None:
    """Flows of a host spread over all cores: the choice at the edge does not decide the one above it."""
    if not capabilities.has_hash_seed():
        pytest.skip("this kernel hashes alike in all routers")
    plan = replace(fat_tree(4, datapath="router"), ecmp="hash")
    with EmulatedNetwork(plan, "test-router-hash") as network:
        sending = network.mininet["h0"].popen([sys.executable, "-c", SPREAD, plan.addresses[15].primary])
        sending.communicate(timeout=60)
        assert sending.returncode == 0

        def arrived() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
            _, received = network.port_counters()
            return np.array([received[i] // 1000 for i, link in enumerate(plan.fabric.links) if link.target[0] == "c"])

        until(lambda: arrived().sum() >= 400, "every datagram at a core switch")
        assert sorted(arrived())[-4] > 50, arrived()
