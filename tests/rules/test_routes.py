from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_plans import big_switch, expected_path, fat_tree, leaf_spine, visited

from testbed.errors import EmulationError
from testbed.plan import Plan
from testbed.rules.model import Rules
from testbed.rules.routes import make_rules
from testbed.rules.walk import walk
from testbed.topology.routing import paths

PLANS = {
    "k=2": fat_tree(2),
    "k=4": fat_tree(4),
    "k=6": fat_tree(6),
    "k=8": fat_tree(8),
    "leaf-spine": leaf_spine(4, 3, 5),
    "one leaf": leaf_spine(1, 2, 3),
    "300 ports": big_switch(300),  # more than one EDGE on a switch
    "big switch": big_switch(12),
}
RULES = {name: make_rules(plan) for name, plan in PLANS.items()}


def routes(rules: Rules, switch: str) -> list[tuple[int, str, str, tuple[int, ...], str]]:
    found = rules.by_name[switch].routes
    return [(route.priority, route.network, route.mask, route.ports, route.mac) for route in found]


def test_the_routes_of_a_k4_fat_tree_by_hand() -> None:
    rules = RULES["k=4"]
    assert routes(rules, "e3") == [
        (400, "10.0.3.1", "255.0.255.255", (1,), "02:00:00:00:00:07"),
        (400, "10.0.3.2", "255.0.255.255", (2,), "02:00:00:00:00:08"),
        (300, "10.0.3.0", "255.0.255.0", (), ""),
        (200, "10.0.0.0", "255.255.0.0", (3,), ""),
        (200, "10.1.0.0", "255.255.0.0", (3,), ""),
        (200, "10.2.0.0", "255.255.0.0", (4,), ""),
        (200, "10.3.0.0", "255.255.0.0", (4,), ""),
        (100, "10.255.0.0", "255.255.0.0", (3, 4), ""),
    ]
    assert routes(rules, "a3") == [
        (300, "10.0.2.0", "255.0.255.0", (1,), ""),
        (300, "10.0.3.0", "255.0.255.0", (2,), ""),
        (200, "10.2.0.0", "255.255.0.0", (3,), ""),
        (200, "10.3.0.0", "255.255.0.0", (4,), ""),
        (100, "10.255.0.0", "255.255.0.0", (3, 4), ""),
    ]
    assert routes(rules, "c1") == [
        (300, f"10.0.{edge}.0", "255.0.255.0", (edge // 2 + 1,), "") for edge in range(8)
    ]  # fmt: skip


def test_a_big_switch_only_has_last_hops() -> None:
    assert [priority for priority, *_ in routes(RULES["big switch"], "s0")] == [400] * 12 + [300]


def test_datapath_ids_count_from_one_and_hash_bases_differ() -> None:
    switches = RULES["k=8"].switches
    assert [switch.dpid for switch in switches] == list(range(1, 81))
    assert [switch.name for switch in switches] == [node.name for node in PLANS["k=8"].fabric.switches]
    assert len({switch.hash_basis for switch in switches}) == 80


def test_rules_depend_on_plan_and_seed_only() -> None:
    assert make_rules(fat_tree(4, seed=5)) == make_rules(fat_tree(4, seed=5))
    assert make_rules(fat_tree(4, seed=5)) != make_rules(fat_tree(4, seed=6))


def test_there_is_no_rule_per_flow_or_per_pair() -> None:
    """Edges: hosts + 1 + cores + 1; aggregations: edges of the pod + its cores + 1; cores: edges."""
    for k in (2, 4, 6, 8):
        half, edges = k // 2, k * k // 2
        expected = edges * (half + 1 + half**2 + 1) + edges * (half + half + 1) + half**2 * edges
        assert sum(len(switch.routes) for switch in RULES[f"k={k}"].switches) == expected


@pytest.mark.parametrize("name", [name for name in PLANS if PLANS[name].addresses[0].via])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_an_address_of_a_core_takes_the_path_through_it(name: str, data: st.DataObject) -> None:
    plan = PLANS[name]
    host = st.integers(0, len(plan.addresses) - 1)
    source, destination = data.draw(st.tuples(host, host).filter(lambda pair: pair[0] != pair[1]))
    core = data.draw(st.integers(0, len(plan.addresses[0].via) - 1))
    walked = walk(RULES[name], plan.fabric, source, plan.addresses[destination].via[core])
    assert visited(plan, walked.links) == expected_path(plan, source, destination, core)
    assert walked.end == plan.addresses[destination].host
    assert walked.mac == plan.addresses[destination].mac


@pytest.mark.parametrize("name", ["k=2", "k=4", "leaf-spine", "one leaf", "big switch"])
def test_every_pair_of_hosts_and_every_core_get_the_path_of_the_plan(name: str) -> None:
    plan = PLANS[name]
    hosts, ways = len(plan.addresses), max(1, len(plan.addresses[0].via))
    src, dst, via = (column.ravel() for column in np.indices((hosts, hosts, ways)))
    other = src != dst
    src, dst, via = src[other], dst[other], via[other]
    pointers, links = paths(plan.fabric, src, dst, via)
    for flow in range(len(src)):
        address = plan.addresses[dst[flow]]
        destination = address.via[via[flow]] if address.via else address.primary
        walked = walk(RULES[name], plan.fabric, int(src[flow]), destination)
        assert list(walked.links) == links[pointers[flow] : pointers[flow + 1]].tolist()


@pytest.mark.parametrize("name", PLANS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_primary_address_arrives_whatever_the_hashes_choose(name: str, data: st.DataObject) -> None:
    plan = PLANS[name]
    host = st.integers(0, len(plan.addresses) - 1)
    source, destination = data.draw(st.tuples(host, host).filter(lambda pair: pair[0] != pair[1]))
    walked = walk(RULES[name], plan.fabric, source, plan.addresses[destination].primary,
                  lambda _, ports: data.draw(st.sampled_from(ports)))  # fmt: skip
    possible = [expected_path(plan, source, destination, core) for core in range(max(1, len(plan.addresses[0].via)))]
    assert visited(plan, walked.links) in possible
    assert walked.mac == plan.addresses[destination].mac


def test_the_hashes_can_choose_every_core() -> None:
    plan, seen = PLANS["k=4"], Counter[str]()
    for first in (0, 1):
        for second in (0, 1):
            choices = iter((first, second))
            walked = walk(RULES["k=4"], plan.fabric, 0, plan.addresses[15].primary,
                          lambda _, ports, choices=choices: ports[next(choices)])  # fmt: skip
            seen[visited(plan, walked.links)[3]] += 1
    assert seen == Counter(c0=1, c1=1, c2=1, c3=1)


@pytest.mark.parametrize("make", [lambda ecmp: fat_tree(4, ecmp=ecmp), lambda ecmp: leaf_spine(4, 3, 2, ecmp=ecmp)])
def test_single_path_takes_primary_addresses_through_the_first_core_only(make: object) -> None:
    plan: Plan = make("single-path")  # type: ignore[operator]
    rules = make_rules(plan)
    for source in range(len(plan.addresses)):
        for destination, address in enumerate(plan.addresses):
            if source != destination:
                links = walk(rules, plan.fabric, source, address.primary).links
                assert visited(plan, links) == expected_path(plan, source, destination, core=0)
    assert not any(len(route.ports) > 1 for switch in rules.switches for route in switch.routes)


@pytest.mark.parametrize("name", PLANS)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_address_at_all_loops_or_turns_up_again(name: str, data: st.DataObject) -> None:
    """Also those of no host: they end at a switch, or at the host that has these last two octets."""
    plan = PLANS[name]
    layers = {node.name: node.layer for node in plan.fabric.nodes}
    octets = [
        data.draw(st.one_of(st.integers(0, 255), st.sampled_from(octet)))
        for octet in ([10, 10, 9, 192], [0, 1, 3, 255], [0, 1, 7], [1, 2, 200])
    ]
    destination = ".".join(map(str, octets))
    source = data.draw(st.integers(0, len(plan.addresses) - 1))
    walked = walk(RULES[name], plan.fabric, source, destination, lambda _, ports: data.draw(st.sampled_from(ports)))
    nodes = visited(plan, walked.links)
    assert len(walked.links) <= 6
    heights = [{"host": 0, "edge": 1, "leaf": 1, "switch": 1, "aggregation": 2}.get(layers[n], 3) for n in nodes]
    top = heights.index(max(heights))
    assert heights[: top + 1] == sorted(heights[: top + 1])
    assert heights[top:] == sorted(heights[top:], reverse=True)
    if layers[walked.end] == "host":
        owner = next(address for address in plan.addresses if address.host == walked.end)
        assert owner.primary.split(".")[2:] == destination.split(".")[2:]


@pytest.mark.parametrize(
    ("destination", "end"),
    [
        ("10.0.0.200", "e0"),  # no such host at the sender's own edge
        ("10.3.7.200", "e7"),  # nor at another: it does not go up again
        ("10.255.7.200", "e7"),
        ("10.2.99.1", "c2"),  # no such edge
        ("10.255.99.1", "c0"),
        ("10.4.7.1", "e0"),  # no such core
        ("192.168.0.1", "e0"),
        ("255.255.255.255", "e0"),  # never flooded
        ("224.0.0.1", "e0"),
    ],
)
def test_unknown_destinations_are_dropped_where_they_are_found_to_be(destination: str, end: str) -> None:
    assert walk(RULES["k=4"], PLANS["k=4"].fabric, 0, destination).end == end


def test_the_walk_notices_a_loop() -> None:
    plan = PLANS["k=2"]
    edge, aggregation = (RULES["k=2"].by_name[name] for name in ("e0", "a0"))
    back = replace(aggregation, routes=(replace(edge.routes[0], network="10.0.1.1", ports=(1,)),))
    switches = tuple(back if switch.name == back.name else switch for switch in RULES["k=2"].switches)
    message = "rules: a packet from host 0 to 10.0.1.1 loops: ... e0->a0 a0->e0 e0->a0 a0->e0"
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
        walk(Rules(switches), plan.fabric, 0, "10.0.1.1")


def test_addresses_off_the_scheme_are_refused() -> None:
    plan = fat_tree(2)
    stray = replace(plan.addresses[1], via=("10.0.1.9",))
    message = (
        "host h1: addresses 10.255.1.1, 10.0.1.9 cannot be routed; "
        "expected 10.255.EDGE.HOST and, via core c, 10.c.EDGE.HOST with the same EDGE and HOST"
    )
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
        make_rules(replace(plan, addresses=(plan.addresses[0], stray)))


def test_two_hosts_with_one_address_are_refused() -> None:
    plan = fat_tree(2)
    twin = replace(plan.addresses[0], host="h1")
    message = (
        "host h1: primary address 10.255.0.1 is also that of host h0; "
        "expected one host per address: check the plan's addressing"
    )
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
        make_rules(replace(plan, addresses=(plan.addresses[0], twin)))
