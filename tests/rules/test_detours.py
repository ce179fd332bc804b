"""Routes around what is broken: by hand, and against the paths that the simulator gives the same flows."""

from __future__ import annotations

import itertools
import random

import pytest
from small_plans import big_switch, fat_tree, leaf_spine

from testbed.errors import EmulationError
from testbed.faults import WHOLE, Condition, Fault, ends_of
from testbed.plan import Plan
from testbed.rules.model import Route, Rules, rules_from_json
from testbed.rules.route_change import RouteChange, route_change_of, route_changes
from testbed.rules.routes import make_rules
from testbed.rules.walk import walk
from testbed.topology.rerouting import Rerouting

PLANS = {"k=2": fat_tree(2), "k=4": fat_tree(4), "leaf-spine": leaf_spine(3, 3, 2)}
DOWN = WHOLE.after(Fault(0.0, "down", ("c0", "a0")))


def test_by_hand_for_one_dead_link() -> None:
    changes = route_changes(make_rules(PLANS["k=4"]), make_rules(PLANS["k=4"], DOWN))
    assert sorted(changes) == ["a0", "a2", "a4", "a6"]  # the others' hops are as good as before
    assert not any(change.remove for change in changes.values())
    mask = "255.255.255.0"
    a0 = [(route.priority, route.network, route.mask, route.ports) for route in changes["a0"].set]
    # a0 itself has core 1 left for all other pods, also for what is spread
    assert sorted(a0) == sorted((350, f"10.{core}.{edge}.0", mask, (4,)) for core in (0, 255) for edge in range(2, 8))
    # core 0 leads to pod 0 no more: the others have core 1 left for its two edge switches
    a2 = [(route.priority, route.network, route.mask, route.ports) for route in changes["a2"].set]
    assert sorted(a2) == sorted((350, f"10.{core}.{edge}.0", mask, (4,)) for core in (0, 255) for edge in (0, 1))


def test_the_way_back() -> None:
    whole, broken = make_rules(PLANS["k=4"]), make_rules(PLANS["k=4"], DOWN)
    back = route_changes(broken, whole)
    forth = route_changes(whole, broken)
    assert {name: change.remove for name, change in back.items()} == {
        name: change.set for name, change in forth.items()
    }
    assert make_rules(PLANS["k=4"], DOWN.after(Fault(1.0, "up", ("a0", "c0")))) == whole


def broken_somehow(plan: Plan, seed: int) -> Condition:
    """One to four dead cables or switches, whichever."""
    chosen = random.Random(seed)
    cables = sorted({ends_of((link.source, link.target)) for link in plan.fabric.links})
    condition = WHOLE
    for _ in range(chosen.randint(1, 4)):
        if chosen.random() < 0.7:
            condition = condition.after(Fault(0.0, "down", chosen.choice(cables)))
        else:
            condition = condition.after(Fault(0.0, "crash", (chosen.choice(plan.fabric.switches).name,)))
    return condition


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("seed", range(8))
def test_every_address_of_a_core_takes_the_path_that_is_simulated(name: str, seed: int) -> None:
    plan = PLANS[name]
    condition = broken_somehow(plan, seed)
    rules, usable = make_rules(plan, condition), condition.usable(plan.fabric)
    around = Rerouting(plan.fabric, usable)
    for source, target in itertools.permutations(range(len(plan.addresses)), 2):
        for via, address in enumerate(plan.addresses[target].via):
            expected = around.path(source, target, via)
            if expected is not None:
                assert walk(rules, plan.fabric, source, address).links == expected


@pytest.mark.parametrize("ecmp", ["per-flow", "hash", "single-path"])
@pytest.mark.parametrize("seed", range(4))
def test_primary_addresses_meet_no_dead_link_either(ecmp: str, seed: int) -> None:
    plan = fat_tree(4, ecmp)
    condition = broken_somehow(plan, seed)
    rules, usable = make_rules(plan, condition), condition.usable(plan.fabric)
    around = Rerouting(plan.fabric, usable)
    hashed = random.Random(seed)
    for source, target in itertools.permutations(range(16), 2):
        if around.path(source, target, 0) is None:
            continue
        for _ in range(3):
            walked = walk(rules, plan.fabric, source, plan.addresses[target].primary, lambda _, p: hashed.choice(p))
            assert walked.end == plan.addresses[target].host
            assert usable[list(walked.links)].all()


def test_a_single_switch_has_no_way_around() -> None:
    plan = big_switch(12)
    assert make_rules(plan, WHOLE.after(Fault(0.0, "down", ("h3", "s0")))) == make_rules(plan)


def test_rules_and_changes_survive_json() -> None:
    broken = make_rules(PLANS["k=4"], DOWN)
    assert rules_from_json(broken.to_json()) == broken
    change = RouteChange(
        (Route(350, "10.0.2.0", "255.255.255.0", (4, 3)),), (Route(300, "10.0.1.0", "255.0.255.0", ()),)
    )
    assert route_change_of(change.document()) == change
    assert len(Rules(()).by_name) == 0


WRONG = [
    ([], "routes []; expected an object with set, remove or both"),
    ({"sett": []}, "routes {'sett': []}; expected an object with set, remove or both"),
    ({"set": [{"priority": 0, "network": "10.0.0.0", "mask": "255.0.0.0", "ports": []}]},
     "routes: route {'priority': 0, 'network': '10.0.0.0', 'mask': '255.0.0.0', 'ports': []}; expected lists of "
     "{priority, network, mask, ports, mac} with IPv4 network and mask"),
    ({"set": [{"priority": 1, "network": "10.0.0", "mask": "255.0.0.0", "ports": []}]},
     "routes: Expected 4 octets in '10.0.0'; expected lists of {priority, network, mask, ports, mac} with IPv4 network "
     "and mask"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "words"), WRONG)
def test_what_is_no_change_of_routes(document: object, words: str) -> None:
    with pytest.raises(EmulationError) as caught:
        route_change_of(document)
    assert str(caught.value) == words
