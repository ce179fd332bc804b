from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from emulated_plans import big_switch, fat_tree

from testbed.emulation.command import batch, run
from testbed.emulation.host_network import (
    available_congestion_controls,
    core_prefixes,
    host_commands,
    require_congestion_control,
)
from testbed.emulation.offloads import offloads, switch_off
from testbed.errors import CapabilityError, EmulationError
from testbed.plan import TcpSetting


def test_a_host_is_configured_in_one_batch_without_arp() -> None:
    plan = fat_tree(4)
    prefixes = core_prefixes(plan.addresses)
    lines = host_commands(plan.addresses[5], TcpSetting("reno", initcwnd=2, rto_min_s=0.01), prefixes)
    behaviour = "via 169.254.1.1 dev eth0 onlink src {} initcwnd 2 rto_min 10ms congctl reno"
    assert lines == [
        "link set dev eth0 up",
        "addr add 10.255.2.2/32 dev eth0",
        *(f"addr add 10.{core}.2.2/32 dev eth0" for core in range(4)),
        "neigh replace 169.254.1.1 lladdr 0a:00:00:00:00:01 dev eth0 nud permanent",
        "route add default " + behaviour.format("10.255.2.2"),
        *(f"route add 10.{core}.0.0/21 " + behaviour.format(f"10.{core}.2.2") for core in range(4)),
    ]


def test_a_big_switch_has_only_the_default_route() -> None:
    assert core_prefixes(big_switch(3).addresses) == []


def test_addresses_that_do_not_name_their_core_are_an_error() -> None:
    first, second = fat_tree(2).addresses
    with pytest.raises(EmulationError) as caught:
        core_prefixes([first, replace(second, via=("10.255.1.9",))])
    assert str(caught.value) == ("addresses via core 0 (10.0.0.0/8) overlap with 10.255.0.0/23; expected them apart")


@pytest.mark.parametrize(("asked_s", "line"), [(0.0002, "rto_min 1ms"), (0.2, "rto_min 200ms")])
def test_rto_min_is_whole_milliseconds(asked_s: float, line: str) -> None:
    lines = host_commands(big_switch(2).addresses[0], TcpSetting(rto_min_s=asked_s), [])
    assert line in lines[-1]


@pytest.mark.network
def test_the_kernel_takes_a_window_like_the_other_attributes(namespace: int) -> None:
    lines = host_commands(big_switch(2).addresses[0], TcpSetting(window_bytes=54_000), [])
    assert lines[-1].endswith(" initcwnd 2 rto_min 10ms congctl cubic window 54000")
    batch("ip", ["link add eth0 type veth peer name other", *lines], netns_of=namespace)
    shown = run(["ip", "route", "show", "default"], netns_of=namespace).split()
    told = dict(pairwise(shown))
    assert (told["window"], told["initcwnd"], told["congctl"]) == ("54000", "2", "cubic")


def test_a_congestion_control_that_the_kernel_lacks_is_an_error() -> None:
    with pytest.raises(CapabilityError) as caught:
        require_congestion_control("nonesuch")
    assert str(caught.value) == (
        "tcp.congestion: this kernel has no 'nonesuch'; it has: "
        f"{', '.join(sorted(available_congestion_controls()))}; choose one of these in the topology file"
    )


@pytest.mark.network
def test_offloads_are_off_and_read_back(namespace: int) -> None:
    batch("ip", ["link add name one type veth peer name two"], netns_of=namespace)
    assert offloads("one", namespace)["tx"]
    switch_off(["one", "two"], namespace)
    for interface in ("one", "two"):
        assert offloads(interface, namespace) == {"tso": False, "gso": False, "gro": False, "tx": False}


@pytest.mark.network
def test_offloads_of_an_interface_that_is_not_there(namespace: int) -> None:
    with pytest.raises(EmulationError, match=r"^interface nowhere: ethtool command 0x1f: No such device$"):
        switch_off(["nowhere"], namespace)
