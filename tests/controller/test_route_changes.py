"""Changes of routes: as messages, and on real Open vSwitch, where a connection goes over to another spine and back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from os_ken.ofproto import ofproto_protocol, ofproto_v1_3
from private_network import PrivateNetwork, private_network, until
from small_plans import leaf_spine
from traffic import transfer_tcp

from controller.openflow import ROUTES, SPREAD, route_messages
from controller.route_table import RouteTable
from testbed.emulation.northbound_client import NorthboundClient
from testbed.faults import WHOLE, Fault
from testbed.rules.model import Route
from testbed.rules.route_change import RouteChange, key_of, route_changes
from testbed.rules.routes import make_rules

EDGE = Route(350, "10.0.2.0", "255.255.255.0", (4,))
SPREADING = Route(350, "10.255.2.0", "255.255.255.0", (4, 3))
OLD = Route(100, "10.255.0.0", "255.255.0.0", (3, 4))


def test_numbers_of_routes_that_spread_are_never_used_twice() -> None:
    table = RouteTable((EDGE, OLD))
    assert table.apply(RouteChange((SPREADING,))) == ({key_of(SPREADING): 2}, [])
    assert table.apply(RouteChange((Route(350, "10.255.2.0", "255.255.255.0", (3, 4)),))) == (
        {key_of(SPREADING): 3},
        [2],
    )
    assert table.apply(RouteChange((Route(350, "10.255.2.0", "255.255.255.0", (3,)),))) == ({}, [3])
    assert table.apply(RouteChange((), (OLD, EDGE))) == ({}, [1])
    assert table.routes == (Route(350, "10.255.2.0", "255.255.255.0", (3,)),)


def test_messages_that_change_routes() -> None:
    datapath = ofproto_protocol.ProtocolDesc(version=ofproto_v1_3.OFP_VERSION)
    change = RouteChange((EDGE, SPREADING), (OLD,))
    messages = route_messages(datapath, change, {key_of(SPREADING): 7}, [1], 4711)
    assert [purpose for _, purpose in messages] == [
        "route 10.0.2.0/255.255.255.0 to port 4",
        "route 10.255.2.0/255.255.255.0 to port 4, 3",
        "route 10.255.2.0/255.255.255.0 to port 4, 3: number 0",
        "route 10.255.2.0/255.255.255.0 to port 4, 3: number 1",
        "no route 10.255.0.0/255.255.0.0 to port 3, 4",
        "no route of number 1",
        "barrier",
    ]
    single, spread, _, second, gone, entries, _ = (message for message, _ in messages)
    assert (single.command, single.table_id, single.priority) == (ofproto_v1_3.OFPFC_ADD, ROUTES, 350)
    assert spread.instructions[-1].table_id == SPREAD
    assert dict(second.match.items()) == {"reg0": 1, "reg1": 7}
    assert (gone.command, gone.table_id, gone.priority) == (ofproto_v1_3.OFPFC_DELETE_STRICT, ROUTES, 100)
    assert (entries.command, entries.table_id, dict(entries.match.items())) == (
        ofproto_v1_3.OFPFC_DELETE,
        SPREAD,
        {"reg1": 1},
    )


@pytest.fixture
def network() -> Iterator[PrivateNetwork]:
    with private_network(leaf_spine(2, 2, 1)) as made:
        yield made


@pytest.mark.network
def test_a_flow_goes_over_to_another_spine_and_back(network: PrivateNetwork) -> None:
    plan = network.plan
    source, destination = (plan.addresses[host].via[0] for host in (0, 1))
    whole, broken = make_rules(plan), make_rules(plan, WHOLE.after(Fault(0.0, "down", ("l0", "s0"))))

    def crossed_spines() -> set[str]:
        before = network.crossed()
        transfer_tcp(network, 0, source, 1, destination, 200_000)
        after = network.crossed()
        return {link.split("->")[1] for link in after if after[link] > before[link] + 20} & {"s0", "s1"}

    assert crossed_spines() == {"s0"}
    took_s = network.controller.change_routes(route_changes(whole, broken))
    assert set(took_s) == {"l0", "l1"}
    assert all(0 < seconds < 1 for seconds in took_s.values())
    # Open vSwitch answers the barrier before it has gone over its cache: the first packets may take the old way.
    until(lambda: crossed_spines() == {"s1"}, "the other spine")
    network.controller.change_routes(route_changes(broken, whole))
    until(lambda: crossed_spines() == {"s0"}, "the first spine again")


@pytest.mark.network
def test_what_is_no_change_of_routes_is_refused(network: PrivateNetwork) -> None:
    wrong = {"switches": {"l0": {"set": [{"priority": 1}]}}}
    with contextlib.closing(NorthboundClient(network.controller.northbound, network.controller.token)) as client:
        status, answer = client.request("POST", "/routes", {}, wrong, 10.0)
    assert status == 400
    assert answer["error"] == (
        "routes: switch l0: routes: 'ports'; expected lists of {priority, network, mask, ports, mac} with IPv4 network "
        "and mask"
    )
