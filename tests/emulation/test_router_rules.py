"""The driver for routers, held against the rules: a routing table read from its lines, the longest prefix first."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace

import pytest
from emulated_plans import big_switch, fat_tree, leaf_spine

from testbed.emulation.router_rules import cores_in_use, route_commands
from testbed.errors import EmulationError
from testbed.plan import Plan
from testbed.rules.model import Route, SwitchRules
from testbed.rules.routes import make_rules

Table = list[tuple[ipaddress.IPv4Network, tuple[int, ...]]]

PLANS = {
    "fat-tree": fat_tree(4),
    "single-path": fat_tree(4, ecmp="single-path"),
    "leaf-spine": leaf_spine(3, 2, 2),
    "big-switch": big_switch(5),
}


def lines_of(plan: Plan, rules: SwitchRules) -> list[str]:
    return route_commands(rules, cores_in_use(plan.addresses), {port: f"p{port}" for port, _ in rules.neighbours})


def table_of(lines: list[str]) -> Table:
    table = []
    for line in lines:
        if line.startswith("route add blackhole "):
            prefix = line.removeprefix("route add blackhole ").replace("default", "0.0.0.0/0")
            table.append((ipaddress.IPv4Network(prefix), ()))
        elif line.startswith("route add "):
            hops = tuple(int(port) for port in re.findall(r"via 169\.254\.1\.1 dev p(\d+) onlink", line))
            table.append((ipaddress.IPv4Network(line.split()[2]), hops))
    return table


def lookup(table: Table, destination: str) -> tuple[int, ...]:
    address = ipaddress.IPv4Address(destination)
    return max((row for row in table if address in row[0]), key=lambda row: row[0].prefixlen)[1]


@pytest.mark.parametrize("name", PLANS)
def test_every_packet_leaves_where_the_rules_say(name: str) -> None:
    plan = PLANS[name]
    own = [address for host in plan.addresses for address in (host.primary, *host.via)]
    strangers = ["10.0.0.99", "10.255.1.99", "10.0.77.1", "10.1.200.1", "10.200.0.1", "8.8.8.8", "169.254.1.1"]
    for rules in make_rules(plan).switches:
        table = table_of(lines_of(plan, rules))
        for destination in (*own, *strangers):
            route = rules.route(destination)
            if destination == "10.200.0.1" and route is not None:
                continue  # a rule for all cores; no core 200 is in use, so no route names it
            assert lookup(table, destination) == (route.ports if route else ()), (rules.name, destination)


@pytest.mark.parametrize("name", PLANS)
def test_a_port_to_a_host_has_its_mac_and_any_other_the_gateways(name: str) -> None:
    plan = PLANS[name]
    macs = {address.host: address.mac for address in plan.addresses}
    for rules in make_rules(plan).switches:
        text = "\n".join(lines_of(plan, rules))
        said = re.findall(r"neigh replace 169\.254\.1\.1 lladdr (\S+) dev p(\d+) nud permanent", text)
        found = {port: mac for mac, port in said}
        assert found == {str(port): macs.get(node, "0a:00:00:00:00:01") for port, node in rules.neighbours}


@pytest.mark.parametrize("name", PLANS)
def test_no_prefix_is_said_twice(name: str) -> None:
    for rules in make_rules(PLANS[name]).switches:
        prefixes = [prefix for prefix, _ in table_of(lines_of(PLANS[name], rules))]
        assert len(prefixes) == len(set(prefixes))


def one_switch(*routes: Route) -> SwitchRules:
    return SwitchRules("e0", 1, 7, ((1, "h0"), (2, "a0")), routes)


def test_a_mask_that_no_prefixes_say_is_an_error() -> None:
    rules = one_switch(Route(300, "10.0.3.0", "255.240.255.0", (1,)))
    with pytest.raises(EmulationError) as caught:
        route_commands(rules, (0, 255), {1: "p1", 2: "p2"})
    assert str(caught.value) == (
        "switch e0: rule 10.0.3.0/255.240.255.0 is no prefix, with or without its second octet; "
        "use an OpenFlow datapath for these rules"
    )


def test_a_priority_that_contradicts_the_prefixes_is_an_error() -> None:
    wide, narrow = Route(400, "10.0.0.0", "255.255.0.0", (1,)), Route(300, "10.0.3.0", "255.255.255.0", (2,))
    with pytest.raises(EmulationError) as caught:
        route_commands(one_switch(narrow, wide), (0,), {1: "p1", 2: "p2"})
    assert str(caught.value) == (
        "switch e0: rule 10.0.0.0/255.255.0.0 of priority 400 comes before 10.0.3.0/255.255.255.0 of 300, but a "
        "router takes the longer prefix; use an OpenFlow datapath for these rules"
    )
    assert route_commands(one_switch(replace(narrow, priority=500), wide), (0,), {1: "p1", 2: "p2"})[2:] == [
        "route add 10.0.3.0/24 via 169.254.1.1 dev p2 onlink",
        "route add 10.0.0.0/16 via 169.254.1.1 dev p1 onlink",
        "route add blackhole default",
    ]
