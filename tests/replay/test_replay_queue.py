"""What the queue enforcer tells the senders and the records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from replay_rig import F, build_plan

from testbed.coflow import NONE
from testbed.errors import ReplayError
from testbed.plan import Plan
from testbed.replay.enforcement.base import Reach
from testbed.replay.enforcement.queue import Queue
from testbed.replay.enforcement.registry import make_enforcers
from testbed.replay.flow_control import FlowControl
from testbed.scheduling.base import Allocation, View
from testbed.scheduling.registry import make
from testbed.scheduling.view import ViewBuilder


class Marks(FlowControl):
    """A flow control without actors that keeps the marks."""

    def __init__(self, plan: Plan) -> None:
        super().__init__([], plan.flows.src)
        self.of = np.zeros(len(plan.flows), dtype=np.int64)

    def mark(self, flows: Any, dscp: Any) -> None:
        self.of[flows] = dscp


def enforcer_of(plan: Plan) -> tuple[Queue, Marks]:
    marks = Marks(plan)
    (queue,) = make_enforcers(Reach(plan, marks))
    return cast("Queue", queue), marks


def asked(plan: Plan, *flows: int) -> tuple[View, Allocation]:
    """The view of these flows, all just arrived, and what the plan's scheduler says to it."""
    scheduler = make(plan.scheduler.name, plan.scheduler.parameters)
    begun = np.zeros(len(plan.flows), dtype=np.bool_)
    begun[list(flows)] = True
    received = np.zeros(len(plan.flows))
    view = ViewBuilder(plan, scheduler).build(0.0, np.array(flows), received, begun, plan.coflows.arrival_s)
    return view, scheduler.allocate(view)


def coflows(*sizes: int, **settings: Any) -> Plan:
    """A plan of coflows of one flow each between the same two hosts."""
    flows = [F(number, 0, 1, size) for number, size in enumerate(sizes)]
    return build_plan(2, flows, settings.pop("scheduler", "sebf"), ["queue"], **settings)


def test_smaller_coflows_are_marked_above_larger_ones_and_running_ones_stay() -> None:
    plan = coflows(3000, 1000, 2000)
    queue, marks = enforcer_of(plan)
    queue.enforce(*asked(plan, 0))
    first = int(marks.of[0])
    queue.enforce(*asked(plan, 0, 1))
    queue.enforce(*asked(plan, 0, 1, 2))
    assert marks.of[0] == first
    assert marks.of[1] < marks.of[2] < marks.of[0]
    queue.enforce(*asked(plan, 0, 2))
    assert marks.of[0] == first


@pytest.mark.parametrize(("where", "mark"), [("top", 0), ("bottom", 7), ("own", 0)])
def test_flows_without_a_label_are_marked_before_any_decision(where: str, mark: int) -> None:
    flows = [F(0, 0, 1, 1000), F(0, 0, 1, 1000, label=NONE), F(NONE, 0, 1, 1000)]
    plan = replace(build_plan(2, flows, "sebf", ["queue"]), unlabelled_class=where)
    _, marks = enforcer_of(plan)
    assert marks.of[1:].tolist() == [mark, mark]


def test_flows_below_the_minimum_size_are_where_those_without_a_label_are() -> None:
    plan = coflows(1000, 10, scheduler="dclas", parameters={"minimum_size": 500.0})
    _, marks = enforcer_of(replace(plan, unlabelled_class="bottom"))
    assert marks.of.tolist() == [0, 7]


def test_beside_flows_without_a_label_the_first_coflow_shares_their_class() -> None:
    flows = [F(0, 0, 1, 1000), F(1, 0, 1, 2000), F(NONE, 0, 1, 1000)]
    plan = build_plan(2, flows, "sebf", ["queue"])
    queue, marks = enforcer_of(plan)
    queue.enforce(*asked(plan, 0, 1, 2))
    assert marks.of[0] == marks.of[2] == 0
    assert marks.of[1] > 0


def test_own_class_is_that_of_the_true_coflow() -> None:
    flows = [F(0, 0, 1, 1000), F(1, 0, 1, 2000), F(1, 0, 1, 10, label=NONE)]
    plan = replace(build_plan(2, flows, "sebf", ["queue"]), unlabelled_class="own")
    queue, marks = enforcer_of(plan)
    queue.enforce(*asked(plan, 0, 1, 2))
    assert marks.of[2] == marks.of[1] > marks.of[0]


def test_weighted_classes_are_the_schedulers_own() -> None:
    plan = coflows(1000, 1000, scheduler="dclas", parameters={"sharing": "weighted"})
    queue, marks = enforcer_of(plan)
    queue.enforce(*asked(plan, 0, 1))
    assert marks.of.tolist() == [0, 0]
    assert queue.facts()["queue"]["classes"] == "8 classes, weighted 10:9:8:7:6:5:4:3"


def test_weights_that_change_are_an_error() -> None:
    plan = coflows(1000, scheduler="dclas", parameters={"sharing": "weighted"})
    queue, _ = enforcer_of(plan)
    view, allocation = asked(plan, 0)
    allocation.queue_weight = np.array([2.0, 1.0])
    with pytest.raises(ReplayError) as caught:
        queue.enforce(view, allocation)
    assert str(caught.value) == (
        "scheduler dclas(sharing=weighted) at 0.000 s: its class weights are "
        "(2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), those of the ports "
        "(10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0); queues keep the weights of the first allocation: "
        "use pacing for a scheduler that changes them"
    )


@pytest.mark.parametrize("paced", [False, True])
def test_the_records_say_where_coflows_share_a_class(paced: bool) -> None:
    plan = coflows(*range(1000, 11000, 1000))
    if paced:
        plan = replace(plan, enforcement=("queue", "pacing"))
    marks = Marks(plan)
    queue = make_enforcers(Reach(plan, marks))[0]
    queue.enforce(*asked(plan, *range(8)))
    assert queue.facts()["queue"]["decisions_with_coflows_in_one_class"] == 0
    queue.enforce(*asked(plan, *range(10)))
    facts = queue.facts()["queue"]
    assert facts["decisions_with_coflows_in_one_class"] == 1
    assert facts["coflows_in_one_class_max"] == 3
    assert ("note" in facts) is not paced
    assert marks.of.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]
