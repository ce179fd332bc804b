"""Changes of routing tables, against a table that does what the kernel's does: no network is needed."""

from __future__ import annotations

import ipaddress
import random

import pytest
from emulated_plans import fat_tree, leaf_spine

from testbed.emulation.router_rules import cores_in_use
from testbed.emulation.router_tables import Table, change_commands, restored_neighbours, table_of, without
from testbed.faults import WHOLE, Condition, Fault, ends_of
from testbed.plan import Plan
from testbed.rules.routes import make_rules

VIA = "via 169.254.1.1 dev"


def apply(table: Table, lines: list[str]) -> Table:
    """What the kernel makes of lines; an AssertionError where it would refuse one."""
    after = dict(table)
    for line in lines:
        words = line.removeprefix("route ").split()
        verb, words = words[0], words[1:]
        dropped = words[0] == "blackhole"
        prefix = ipaddress.IPv4Network(words[1] if dropped else words[0])
        if verb == "del":
            assert prefix in after, line
            assert dropped == (not after[prefix]), line
            del after[prefix]
        else:
            assert verb == "replace", line
            after[prefix] = tuple(words[i + 1] for i, word in enumerate(words) if word == "dev")
            assert dropped == (not after[prefix]), line
    return after


def test_lines_by_hand() -> None:
    one, two, three = (ipaddress.IPv4Network(f"10.{i}.0.0/16") for i in (1, 2, 3))
    found: Table = {one: ("p1",), two: (), three: ("p1", "p2")}
    wanted: Table = {one: (), two: ("p1", "p2"), ipaddress.IPv4Network("10.4.0.0/24"): ("p2",)}
    assert change_commands(found, wanted) == [
        "route replace blackhole 10.1.0.0/16",
        f"route replace 10.2.0.0/16 nexthop {VIA} p1 onlink nexthop {VIA} p2 onlink",
        f"route replace 10.4.0.0/24 {VIA} p2 onlink",
        "route del 10.3.0.0/16",
    ]
    assert change_commands(wanted, wanted) == []
    assert without(found, {"p1"}) == {two: (), three: ("p1", "p2")}
    assert without(found, {"p1", "p2"}) == {two: ()}


def test_neighbours_of_ports_that_are_up_again() -> None:
    plan = fat_tree(4)
    e0 = make_rules(plan).by_name["e0"]
    interfaces = {port: f"p{port}" for port, _ in e0.neighbours}
    assert restored_neighbours(e0, interfaces, {"p1", "p3"}) == [
        f"neigh replace 169.254.1.1 lladdr {plan.addresses[0].mac} dev p1 nud permanent",
        "neigh replace 169.254.1.1 lladdr 0a:00:00:00:00:01 dev p3 nud permanent",
    ]


@pytest.mark.parametrize("plan", [fat_tree(4), leaf_spine(3, 3, 2)], ids=lambda plan: plan.fabric.kind)
@pytest.mark.parametrize("seed", range(4))
def test_tables_follow_any_chain_of_faults(plan: Plan, seed: int) -> None:
    """Every change is one that the kernel takes, and what is left after the last is what the rules say."""
    chosen, cores = random.Random(seed), cores_in_use(plan.addresses)
    cables = sorted({ends_of((link.source, link.target)) for link in plan.fabric.links})
    ports = {s.name: {port: f"{s.name}p{port}" for port, _ in s.neighbours} for s in make_rules(plan).switches}
    tables = {rules.name: table_of(rules, cores, ports[rules.name]) for rules in make_rules(plan).switches}
    first = dict(tables)
    condition = WHOLE
    for ends in [*(chosen.choice(cables) for _ in range(6))]:
        event = "up" if ends in condition.down else "down"
        condition = step(plan, condition, Fault(0.0, event, ends), tables, ports)
    for ends in sorted(condition.down):
        condition = step(plan, condition, Fault(0.0, "up", ends), tables, ports)
    assert condition.is_whole
    assert tables == first


def step(
    plan: Plan, condition: Condition, fault: Fault, tables: dict[str, Table], ports: dict[str, dict[int, str]]
) -> Condition:
    """One fault: the kernel takes the routes of the first end away, the other end keeps its own."""
    after = condition.after(fault)
    usable = after.usable(plan.fabric)
    dead = {f"{link.source}p{link.source_port}" for link, ok in zip(plan.fabric.links, usable, strict=True) if not ok}
    if fault.event == "down":
        upper = fault.nodes[0] if fault.nodes[0] in tables else fault.nodes[1]
        other = next(node for node in fault.nodes if node != upper)
        gone = next(link for link in plan.fabric.links if (link.source, link.target) == (upper, other))
        tables[upper] = without(tables[upper], {f"{upper}p{gone.source_port}"})
    for rules in make_rules(plan, after).switches:
        wanted = table_of(rules, cores_in_use(plan.addresses), ports[rules.name], dead)
        tables[rules.name] = apply(tables[rules.name], change_commands(tables[rules.name], wanted))
        assert tables[rules.name] == wanted
        assert not dead & {hop for hops in wanted.values() for hop in hops}
    return after
