"""Bring-up that fails or is interrupted, and what a network does when a part of it dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emulated_plans import big_switch, fat_tree, install_routes, until, with_link

from testbed.emulation import bridges, capabilities, containers, names, network, ovs_service, sysctls
from testbed.emulation.capabilities import choose_datapath, has_kernel_datapath, lacking_qdiscs
from testbed.emulation.docker_service import connect
from testbed.emulation.names import RUN_LABEL
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.owner import kill, processes_with_argument
from testbed.errors import CapabilityError, EmulationError

pytestmark = pytest.mark.network


def assert_nothing_left(run_id: str, docker_socket: str, interfaces_before: set[str]) -> None:
    assert {entry.name for entry in Path("/sys/class/net").iterdir()} == interfaces_before
    with connect(docker_socket) as client:
        assert client.containers(all=True, filters={"label": f"{RUN_LABEL}={run_id}"}) == []
    assert not (names.RUNS / run_id).exists()
    assert processes_with_argument(str(names.RUNS / run_id)) == []
    assert sysctls.read(sysctls.WMEM_DEFAULT) != str(sysctls.WMEM_BYTES)


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (network, "ensure_image"),
        (network, "start_containers"),
        (network, "host_commands"),
        (network, "shape"),
        (bridges, "batch"),
        (bridges, "switch_off"),
        (bridges, "bridge_commands"),
        (bridges, "shape"),
        (network, "PortCounters"),
        (ovs_service, "PrivateOpenVSwitch"),
    ],
)
def test_a_bring_up_that_fails_takes_away_what_it_made(
    docker_socket: str, interfaces_before: set[str], monkeypatch: pytest.MonkeyPatch, module: Any, function: str
) -> None:
    real: Callable[..., Any] = getattr(module, function)

    def fail_after_doing_it(*arguments: Any, **options: Any) -> Any:
        real(*arguments, **options)
        raise EmulationError("as if it had failed")

    monkeypatch.setattr(module, function, fail_after_doing_it)
    with pytest.raises(EmulationError, match=r"^as if it had failed$"), EmulatedNetwork(fat_tree(2), "test-failing"):
        pass
    assert_nothing_left("test-failing", docker_socket, interfaces_before)


def test_an_exception_inside_the_block_goes_through_and_nothing_is_left(
    docker_socket: str, interfaces_before: set[str]
) -> None:
    with pytest.raises(ZeroDivisionError), EmulatedNetwork(big_switch(2), "test-raising"):
        _ = 1 / 0
    assert_nothing_left("test-raising", docker_socket, interfaces_before)


def test_an_actor_that_ends_at_once_is_told_with_what_it_printed(
    docker_socket: str, interfaces_before: set[str]
) -> None:
    command = ["/usr/bin/python3", "-c", "import sys; sys.exit('no actor today')"]
    with (
        pytest.raises(EmulationError, match=r"^host h[01]: its container ended with status 1; it printed:\n  no actor"),
        EmulatedNetwork(big_switch(2), "test-ending", command=command) as net,
    ):
        until(lambda: net.check_alive(), "the end of an actor")
    assert_nothing_left("test-ending", docker_socket, interfaces_before)


def test_a_host_that_dies_is_named(docker_socket: str) -> None:
    with EmulatedNetwork(big_switch(2), "test-dying") as net:
        net.check_alive()
        kill([net.hosts[1].pid])
        with pytest.raises(EmulationError, match=r"^host h1: its container ended with status 137"):
            net.check_alive()


def test_a_switch_daemon_that_dies_is_named(docker_socket: str, interfaces_before: set[str]) -> None:
    if choose_datapath("auto") != "ovs-user":
        pytest.skip("the machine's own Open vSwitch is not ours to kill")
    with EmulatedNetwork(big_switch(2), "test-switchless") as net:
        kill([int((names.RUNS / "test-switchless/ovs/ovs-vswitchd.pid").read_text())])
        with pytest.raises(EmulationError, match=r"^ovs-vswitchd \(killed by signal 9\) while the network was up"):
            net.check_alive()
    assert_nothing_left("test-switchless", docker_socket, interfaces_before)


def test_a_run_waits_for_its_turn_and_says_for_whom(docker_socket: str) -> None:
    with (
        EmulatedNetwork(big_switch(2, datapath="ovs-user"), "test-first"),
        pytest.raises(EmulationError) as caught,
        EmulatedNetwork(big_switch(2, datapath="ovs-user"), "test-second", wait_s=0),
    ):
        pass
    assert str(caught.value) == (
        f"the userspace datapath is taken by run test-first (pid {os.getpid()}); a machine has one at a time: "
        "waited 0 s for it to end"
    )


def test_an_image_that_is_not_there(docker_socket: str, interfaces_before: set[str]) -> None:
    plan = big_switch(2)
    plan = type(plan)(**{**plan.__dict__, "host": type(plan.host)(image="no-such-image")})
    with pytest.raises(CapabilityError) as caught, EmulatedNetwork(plan, "test-imageless"):
        pass
    assert str(caught.value) == (
        "image 'no-such-image' is not in the Docker daemon; build or pull it, or leave out hosts.image "
        "for the testbed's own 'coflow-actor'"
    )
    assert_nothing_left("test-imageless", docker_socket, interfaces_before)


INTERRUPTED = """
import sys
sys.path[:0] = {path!r}
from emulated_plans import fat_tree
from testbed.emulation.network import EmulatedNetwork
try:
    with EmulatedNetwork(fat_tree(4), "test-interrupted", print):
        print("up", flush=True)
        sys.stdin.read()
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("containers_there", [0, 1, 9, 16])
def test_ctrl_c_while_containers_start_leaves_nothing(
    docker_socket: str, interfaces_before: set[str], containers_there: int
) -> None:
    program = INTERRUPTED.format(path=[os.path.dirname(__file__), os.getcwd()])
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with connect(docker_socket) as client:

        def enough() -> bool:
            found = client.containers(all=True, filters={"label": f"{RUN_LABEL}=test-interrupted"})
            return len(found) >= containers_there and (names.RUNS / "test-interrupted/state.json").exists()

        until(enough, f"{containers_there} containers")
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=60)
    assert said.endswith("interrupted\n")
    assert child.returncode == 0
    assert_nothing_left("test-interrupted", docker_socket, interfaces_before)


def test_a_congested_port_does_not_make_an_idle_one_drop(docker_socket: str) -> None:
    """All ports of the userspace switch send through one socket, which the kernel's default buffer lets overflow."""
    with EmulatedNetwork(big_switch(5, rate_bps=10e6, mtu=1500, buffer_bytes=512_000), "test-congested") as net:
        install_routes(net)
        address = [host.address.primary for host in net.hosts]
        flood = (
            "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); end = time.monotonic() + 3\n"
            f"while time.monotonic() < end: s.sendto(bytes(1400), ('{address[1]}', 9))"
        )
        floods = [net.mininet.get(host).popen([sys.executable, "-c", flood]) for host in ("h0", "h2")]
        pinged, _, _ = net.mininet.get("h3").pexec(f"ping -q -i 0.01 -c 250 -W 5 {address[4]}")
        for process in floods:
            process.communicate(timeout=60)
        assert "250 packets transmitted, 250 received" in pinged, pinged


def test_what_this_machine_lacks_is_told_before_anything_starts(docker_socket: str) -> None:
    plan = with_link(big_switch(2), 1, delay_s=0.001)
    if "netem" not in lacking_qdiscs():
        capabilities.require(plan)
        return
    with pytest.raises(CapabilityError) as caught, EmulatedNetwork(plan, "test-delayed"):
        pass
    assert str(caught.value) == (
        f"link h1->s0: delay 1 ms needs the queueing discipline 'netem', which kernel {os.uname().release} lacks; "
        "leave delay and loss out of the topology file, or use a kernel with sch_netem"
    )
    assert not (names.RUNS / "test-delayed").exists()


def test_datapaths() -> None:
    assert choose_datapath("ovs-user") == "ovs-user"
    assert choose_datapath("auto") == ("ovs-kernel" if has_kernel_datapath() else "ovs-user")
    assert choose_datapath("router") == "router"
    if not has_kernel_datapath():
        with pytest.raises(CapabilityError, match=r"^datapath 'ovs-kernel': kernel \S+ has no openvswitch module; "):
            choose_datapath("ovs-kernel")


def test_a_tear_down_in_another_thread_works(docker_socket: str, interfaces_before: set[str]) -> None:
    errors: list[BaseException] = []

    def use() -> None:
        try:
            with EmulatedNetwork(big_switch(2), "test-threaded") as net:
                net.check_alive()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert errors == []
    assert_nothing_left("test-threaded", docker_socket, interfaces_before)


def test_the_control_socket_can_be_reached_from_outside(docker_socket: str) -> None:
    with EmulatedNetwork(big_switch(2), "test-reached") as net:
        for host in net.hosts:
            path = host.control_dir / "actor.sock"
            until(path.is_socket, f"the actor of {host.name}")
            with socket.socket(socket.AF_UNIX) as door:
                until(lambda door=door, path=path: door.connect_ex(str(path)) == 0, "a connection")  # type: ignore[misc]
    assert containers.UNPRIVILEGED != 0
