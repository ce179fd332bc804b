"""What the ports of a run are given: one class, eight strict ones, or eight by weight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from testbed.plan import Plan
from testbed.scheduling.sharing import ONE_CLASS, Sharing, sharing_of
from testbed.simulation.instance import Job, big_switch_plan

JOBS = [Job({(0, 0): 3}), Job({(0, 1): 2})]


def plan(scheduler: str, parameters: dict[str, Any], *enforcement: str) -> Plan:
    return replace(big_switch_plan(JOBS, scheduler, parameters), enforcement=enforcement)


@pytest.mark.parametrize("enforcement", ["none", "pacing", "meter"])
def test_ports_have_one_class_unless_queues_are_enforced(enforcement: str) -> None:
    assert sharing_of(plan("sebf", {}, enforcement)) == ONE_CLASS
    assert ONE_CLASS.words == "one class"


@pytest.mark.parametrize("enforcement", [("queue",), ("pacing", "queue")])
@pytest.mark.parametrize("scheduler", ["fair", "sebf", "fifo", "bssi", "srpt", "wss"])
def test_an_order_of_coflows_is_strict(scheduler: str, enforcement: tuple[str, ...]) -> None:
    sharing = sharing_of(plan(scheduler, {}, *enforcement))
    assert sharing == Sharing(8)
    assert sharing.words == "8 classes, strict"


def test_dclas_says_whether_its_queues_share_by_weight() -> None:
    weighted = sharing_of(plan("dclas", {"sharing": "weighted"}, "queue"))
    assert weighted == Sharing(8, (10, 9, 8, 7, 6, 5, 4, 3))
    assert weighted.words == "8 classes, weighted 10:9:8:7:6:5:4:3"
    assert sharing_of(plan("dclas", {"sharing": "strict"}, "queue")) == Sharing(8)


def test_without_a_labelled_flow_nothing_has_weights() -> None:
    unlabelled = [Job({(0, 0): 3}, unlabelled=frozenset({(0, 0)}))]
    lone = replace(big_switch_plan(unlabelled, "dclas", {}), enforcement=("queue",))
    assert sharing_of(lone) == Sharing(8)
