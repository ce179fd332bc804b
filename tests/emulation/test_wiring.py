from __future__ import annotations

from dataclasses import replace

import pytest
from emulated_plans import big_switch, fat_tree

from testbed.emulation.names import Names
from testbed.emulation.wiring import link_commands, make_cables, ports_of, switch_ends
from testbed.errors import EmulationError
from testbed.fabric import Fabric

NAMES = Names("run", "cabc", 70_000)


def test_every_directed_link_leaves_from_one_end_of_one_cable() -> None:
    fabric = fat_tree(4).fabric
    cables = make_cables(fabric, NAMES)
    assert len(cables) == 48
    assert sorted(end.link for cable in cables for end in cable.ends) == list(range(96))
    for cable in cables:
        for end, other in (cable.ends, cable.ends[::-1]):
            link = fabric.links[end.link]
            assert (link.source, link.target, link.source_port) == (end.node, other.node, end.port)


def test_names_in_the_root_namespace_are_unique_and_fit() -> None:
    fabric = fat_tree(8).fabric
    interfaces = [end.interface for end in switch_ends(make_cables(fabric, NAMES))]
    assert len(set(interfaces)) == len(interfaces) == 80 * 8
    assert max(map(len, interfaces)) <= 15
    assert all(name.startswith("cabc") for name in interfaces)


def test_a_hosts_end_is_made_inside_its_container() -> None:
    cables = make_cables(big_switch(2).fabric, NAMES)
    assert link_commands(cables, 9000, 70_000, [11, 22], ["02:00:00:00:00:01", "02:00:00:00:00:02"], ipv6=True) == [
        "link add name cabcs0p1 mtu 9000 group 70000 type veth "
        "peer name eth0 mtu 9000 address 02:00:00:00:00:01 netns 11",
        "link add name cabcs0p2 mtu 9000 group 70000 type veth "
        "peer name eth0 mtu 9000 address 02:00:00:00:00:02 netns 22",
        "link set dev cabcs0p1 addrgenmode none",
        "link set dev cabcs0p1 up",
        "link set dev cabcs0p2 addrgenmode none",
        "link set dev cabcs0p2 up",
    ]
    assert ports_of(cables, 1) == [{1: "cabcs0p1", 2: "cabcs0p2"}]


def test_a_link_with_no_way_back_is_an_error() -> None:
    fabric = big_switch(2).fabric
    with pytest.raises(EmulationError) as caught:
        make_cables(replace(fabric, links=fabric.links[:3]), NAMES)
    assert str(caught.value) == "link h1->s0: no link leads back from port 2; a cable has both"


def test_a_cable_between_two_hosts_is_an_error() -> None:
    fabric = big_switch(2).fabric
    up = replace(fabric.links[0], name="h0->h1", target="h1", target_port=0)
    down = replace(fabric.links[0], name="h1->h0", source="h1", target="h0", source_port=0, target_port=0)
    with pytest.raises(EmulationError) as caught:
        make_cables(Fabric(fabric.kind, fabric.nodes, (up, down), 9000), NAMES)
    assert str(caught.value) == "link h0->h1: joins two hosts; a host is attached to a switch"
