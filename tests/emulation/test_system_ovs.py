"""The machine's own Open vSwitch, which carries the kernel datapath.

Where the kernel has no such datapath the same code runs with userspace bridges in the machine's own Open vSwitch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from emulated_plans import fat_tree, install_routes

from testbed.emulation import capabilities
from testbed.emulation.cleanup import Removal, clean
from testbed.emulation.names import BRIDGE_KEY
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.open_vswitch import SystemOpenVSwitch, system_runs
from testbed.emulation.ovs_service import stop_system_ovs
from testbed.emulation.taps import SHARED_TAP

pytestmark = pytest.mark.network


@pytest.fixture
def ran_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Whether the machine's own Open vSwitch ran before the test; afterwards it is as it was."""
    if not capabilities.has_kernel_datapath():
        monkeypatch.setattr(SystemOpenVSwitch, "datapath_type", "netdev")
        monkeypatch.setattr(capabilities, "choose_datapath", lambda _: "ovs-kernel")
    ran = system_runs("ovs-vswitchd")
    yield ran
    if not ran:
        stop_system_ovs({})


def test_only_the_runs_own_bridges_go_from_the_machines_own_open_vswitch(docker_socket: str, ran_before: bool) -> None:
    switch = SystemOpenVSwitch()
    with EmulatedNetwork(fat_tree(2, datapath="ovs-kernel"), "test-system") as net:
        install_routes(net)
        assert {bridge.name for bridge in net.bridges().values()} <= set(switch.vsctl("list-br").split())
        assert net.mininet.pingAll(timeout="5") == 0
        net.check_alive()
        switch.vsctl("add-br", "cabcs0", "--", "set", "Bridge", "cabcs0", f"datapath_type={switch.datapath_type}")
    assert system_runs("ovs-vswitchd"), "somebody else's bridge is in it"
    assert "cabcs0" in switch.vsctl("list-br").split()
    assert switch.vsctl("--bare", "--columns=_uuid", "find", "QoS", f"external_ids:{BRIDGE_KEY}=test-system") == ""
    switch.vsctl("del-br", "cabcs0")


def test_a_bridge_that_open_vswitch_kept_over_a_restart_goes(docker_socket: str, ran_before: bool) -> None:
    switch = SystemOpenVSwitch()
    with EmulatedNetwork(fat_tree(2, datapath="ovs-kernel"), "test-system-living") as net:
        kept = [
            "create",
            "QoS",
            "type=linux-noop",
            f"external_ids:{BRIDGE_KEY}=test-forgotten",
            "--",
            "add-br",
            "ckept",
        ]
        kept += ["--", "set", "Bridge", "ckept", f"external_ids:{BRIDGE_KEY}=test-forgotten"]
        switch.vsctl("--", *kept, f"datapath_type={switch.datapath_type}")
        assert clean(dry_run=True) == clean() == [Removal("test-forgotten", "bridge", "ckept")]
        assert clean() == []
        assert {bridge.name for bridge in net.bridges().values()} == set(switch.vsctl("list-br").split())
        assert (
            switch.vsctl("--bare", "--columns=_uuid", "find", "QoS", f"external_ids:{BRIDGE_KEY}=test-forgotten") == ""
        )


def test_an_open_vswitch_that_was_started_for_a_run_ends_with_it(
    docker_socket: str, ran_before: bool, interfaces_before: set[str]
) -> None:
    with EmulatedNetwork(fat_tree(2, datapath="ovs-kernel"), "test-system-ends"):
        assert system_runs("ovs-vswitchd")
    assert system_runs("ovs-vswitchd") == ran_before
    left = {entry.name for entry in Path("/sys/class/net").iterdir()} - interfaces_before
    assert left <= {SHARED_TAP, "ovs-system"}  # Open vSwitch's own, which it keeps
