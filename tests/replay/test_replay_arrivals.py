from __future__ import annotations

import numpy as np
import pytest
from replay_rig import F, build_plan

from testbed.coflow import ENDLESS, NONE
from testbed.errors import ReplayError
from testbed.replay.arrivals import Arrival, Arrivals


def test_planned_arrivals_come_in_the_order_of_time_with_all_that_starts_at_one_instant() -> None:
    plan = build_plan(2, [F(2, 0, 1, 10, 1.0), F(1, 0, 1, 10, 0.5), F(1, 1, 0, 10, 1.0), F(NONE, 0, 1, 5, 0.0)])
    assert Arrivals(plan).planned == [
        Arrival(0.0, [], [3]),
        Arrival(0.5, [0], [1]),
        Arrival(1.0, [1], [0, 2]),
    ]


def test_a_flow_starts_some_delay_after_the_last_of_those_it_waits_for() -> None:
    plan = build_plan(2, [F(1, 0, 1, 10), F(1, 0, 1, 10), F(1, 1, 0, 10, after=(0, 1), delay_s=0.25)])
    arrivals = Arrivals(plan)
    assert arrivals.flow_finished(1, 3.0) == (None, [])
    assert arrivals.flow_finished(0, 2.0) == (None, [Arrival(3.25, [], [2])])
    assert arrivals.flow_finished(2, 4.0) == (0, [])


def test_a_coflow_and_its_flows_start_after_the_last_flow_of_those_it_waits_for() -> None:
    flows = [F(1, 0, 1, 10), F(2, 0, 1, 10), F(3, 1, 0, 10), F(3, 1, 0, 10)]
    arrivals = Arrivals(build_plan(2, flows, after={3: (1, 2)}, delay_s={3: 1.0}))
    assert arrivals.planned == [Arrival(0.0, [0, 1], [0, 1])]
    assert arrivals.flow_finished(0, 5.0) == (0, [])
    assert arrivals.flow_finished(1, 4.0) == (1, [Arrival(6.0, [2], [2, 3])])


def test_an_endless_flow_does_not_keep_its_coflow_from_finishing() -> None:
    arrivals = Arrivals(build_plan(2, [F(1, 0, 1, 10), F(1, 0, 1, ENDLESS)]))
    assert arrivals.flow_finished(0, 1.0) == (0, [])


def test_truth_counts_and_not_labels() -> None:
    arrivals = Arrivals(build_plan(2, [F(1, 0, 1, 10), F(1, 0, 1, 10, label=NONE), F(2, 0, 1, 10, label=1)]))
    assert arrivals.flow_finished(0, 1.0) == (None, [])
    assert arrivals.flow_finished(1, 2.0) == (0, [])


def test_a_flow_that_never_starts_is_an_error() -> None:
    plan = build_plan(2, [F(1, 0, 1, 10), F(1, 0, 1, 10)])
    plan.flows.start_s[1] = np.nan
    with pytest.raises(
        ReplayError, match=r"^flow 1: it has no start; expected an instant, or 'after', or its coflow's$"
    ):
        Arrivals(plan)
