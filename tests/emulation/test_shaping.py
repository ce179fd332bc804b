from __future__ import annotations

import pytest
from emulated_plans import big_switch, with_link

from testbed.emulation.command import batch
from testbed.emulation.port_trees import PortTree, TrafficClass, port_tree
from testbed.emulation.shaping import shape, tree_commands, verify
from testbed.errors import EmulationError
from testbed.scheduling.sharing import Sharing

ROOT_IN_NAMESPACE = pytest.mark.network
"""These need root for a network namespace of their own, nothing else."""

FROM_HOST, FROM_SWITCH = 0, 2
"""Links of a big switch of two ports."""


def tree(rate_bps: float, mtu: int = 9000, buffer_bytes: int = 256_000, interface: str = "lo") -> PortTree:
    link = big_switch(2, rate_bps=rate_bps, buffer_bytes=buffer_bytes).fabric.links[FROM_SWITCH]
    return port_tree(interface, link, mtu)


def test_a_port_has_one_class_at_the_links_rate_with_a_queue_in_bytes() -> None:
    assert tree_commands(tree(20e6, interface="eth0")) == [
        "qdisc add dev eth0 root handle 1: htb default 10",
        "class add dev eth0 parent 1: classid 1:1 htb rate 20000000bit ceil 20000000bit "
        "burst 18028 cburst 18028 quantum 9014",
        "class add dev eth0 parent 1:1 classid 1:10 htb rate 20000000bit ceil 20000000bit prio 0 "
        "burst 18028 cburst 18028 quantum 9014",
        "qdisc add dev eth0 parent 1:10 handle 10: bfifo limit 256000",
    ]


def test_a_hosts_own_queue_is_long_enough_never_to_drop() -> None:
    link = big_switch(2, buffer_bytes=256_000).fabric.links[FROM_HOST]
    assert port_tree("eth0", link, 9000).classes[0].buffer_bytes == 4 << 20


def test_delay_and_loss_are_a_stage_before_the_queue() -> None:
    link = with_link(big_switch(2), FROM_SWITCH, delay_s=0.0001, loss=0.001).fabric.links[FROM_SWITCH]
    lines = tree_commands(port_tree("eth0", link, 1500))
    assert lines[:2] == [
        "qdisc add dev eth0 root handle 2: netem limit 8008 delay 100us loss 0.10000%",
        "qdisc add dev eth0 parent 2:1 handle 1: htb default 10",
    ]


def test_bursts_are_a_millisecond_where_that_is_more_than_two_frames() -> None:
    assert tree(20e6, mtu=1500).burst_bytes == 2 * 1514  # 1 ms would be 2500
    assert tree(1e9, mtu=1500).burst_bytes == 125_000


@ROOT_IN_NAMESPACE
@pytest.mark.parametrize("rate_bps", [1e6, 12_345_678, 40e6, 1e9, 2.5e9, 40e9])
def test_the_kernel_holds_what_was_asked_for(namespace: int, rate_bps: float) -> None:
    """Also above 1 Gbit/s, where Mininet's own TCIntf logs the limit and sets none."""
    shape([tree(rate_bps)], namespace)


@ROOT_IN_NAMESPACE
def test_classes_of_a_port_share_its_rate(namespace: int) -> None:
    leaves = tuple(TrafficClass(8_000, 20e6, 100_000, priority) for priority in range(8))
    ports = [PortTree("lo", 20e6, 9014, leaves)]
    shape(ports, namespace)
    verify(ports, namespace)
    made = [line for line in tree_commands(ports[0]) if line.startswith("class add dev lo parent 1:1 ")]
    assert [line.split("prio ")[1][0] for line in made] == list("01234567")


def test_packets_of_dscp_k_go_to_class_k_and_all_others_to_the_first() -> None:
    ports = PortTree("eth0", 20e6, 9014, (TrafficClass(8_000, 20e6, 100_000),) * 3)
    assert tree_commands(ports)[0] == "qdisc add dev eth0 root handle 1: htb default 10"
    assert tree_commands(ports)[-2:] == [
        "filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip tos 0x04 0xfc flowid 1:11",
        "filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip tos 0x08 0xfc flowid 1:12",
    ]


@ROOT_IN_NAMESPACE
@pytest.mark.parametrize("rate_bps", [1e6, 20e6, 1e9, 40e9])
@pytest.mark.parametrize("sharing", [Sharing(8), Sharing(8, (10, 9, 8, 7, 6, 5, 4, 3))], ids=["strict", "weighted"])
def test_the_kernel_holds_eight_classes(namespace: int, rate_bps: float, sharing: Sharing) -> None:
    batch("ip", ["link add name one up type veth peer name two", "link set dev two up"], netns_of=namespace)
    link = big_switch(2, rate_bps=rate_bps).fabric.links[FROM_SWITCH]
    shape([port_tree(interface, link, 9000, sharing) for interface in ("one", "two")], namespace)


@ROOT_IN_NAMESPACE
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("filter del dev one parent 1:", "none"),
        (
            "filter add dev one parent 1: protocol ip prio 1 u32 match ip tos 0x08 0xfc flowid 1:11",
            "0x08 to 1:11",
        ),
    ],
)
def test_filters_that_somebody_else_changed_are_an_error(namespace: int, change: str, found: str) -> None:
    batch("ip", ["link add name one up type veth peer name two", "link set dev two up"], netns_of=namespace)
    ports = [PortTree(name, 20e6, 9014, (TrafficClass(8_000, 20e6, 100_000),) * 2) for name in ("one", "two")]
    shape(ports, namespace)
    batch("tc", ["filter del dev one parent 1:", change], netns_of=namespace)
    with pytest.raises(EmulationError) as caught:
        verify(ports, namespace)
    assert str(caught.value) == (
        f"interface one: filters send TOS bytes to classes as {found}, expected 0x04 to 1:11; "
        "something else configures this interface"
    )


@ROOT_IN_NAMESPACE
def test_a_rate_that_somebody_else_changed_is_an_error(namespace: int) -> None:
    shape([tree(20e6)], namespace)
    batch(
        "tc",
        ["class change dev lo parent 1:1 classid 1:10 htb rate 1mbit ceil 20mbit quantum 9014"],
        netns_of=namespace,
    )
    with pytest.raises(EmulationError) as caught:
        verify([tree(20e6)], namespace)
    assert str(caught.value) == (
        "interface lo: class 1:10: rate in bit/s is 1e+06, expected 2e+07; "
        "something else configures this interface, or this kernel cannot hold the value"
    )


@ROOT_IN_NAMESPACE
def test_another_buffer_is_an_error(namespace: int) -> None:
    shape([tree(20e6)], namespace)
    with pytest.raises(
        EmulationError, match=r"^interface lo: class 1:10: buffer in bytes is 256000, expected 128000; "
    ):
        verify([tree(20e6, buffer_bytes=128_000)], namespace)


@ROOT_IN_NAMESPACE
def test_an_interface_without_a_tree_is_an_error(namespace: int) -> None:
    with pytest.raises(EmulationError) as caught:
        verify([tree(20e6)], namespace)
    assert str(caught.value) == "interface lo: no HTB tree of ours; tc shows: nothing"


@ROOT_IN_NAMESPACE
def test_the_one_interface_without_a_tree_is_named(namespace: int) -> None:
    batch("ip", ["link add name one up type veth peer name two", "link set dev two up"], netns_of=namespace)
    shape([tree(20e6, interface="one")], namespace)
    with pytest.raises(EmulationError, match=r"^interface two: no HTB tree of ours; tc shows: qdisc noqueue 0: root"):
        verify([tree(20e6, interface="one"), tree(20e6, interface="two")], namespace)


@ROOT_IN_NAMESPACE
def test_the_failing_line_of_a_batch_is_named(namespace: int) -> None:
    with pytest.raises(EmulationError) as caught:
        batch("tc", ["qdisc show dev lo", "qdisc add dev lo root nonsense"], netns_of=namespace)
    assert str(caught.value).endswith("Command failed -:2 (line 2: qdisc add dev lo root nonsense)")
