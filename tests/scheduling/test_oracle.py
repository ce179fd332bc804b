"""BSSI against the best of all orders."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_oracle import best_order, weighted_sum_s
from variant_plans import QUICK, plans

from testbed.plan import SchedulerSetting
from testbed.simulation.instance import Job, big_switch_plan

B = [Job({(1, 1): 10, (2, 2): 10, (3, 3): 10}), Job({(1, 1): 11}), Job({(2, 2): 11}), Job({(3, 3): 11})]


def test_the_oracle_finds_the_optimum_of_worked_example_b() -> None:
    sum_s, order = best_order(big_switch_plan(B))
    assert sum_s == pytest.approx(11 + 11 + 11 + 21, rel=1e-9)
    assert order == (1, 2, 3, 0)


def test_bssi_on_worked_example_b() -> None:
    assert weighted_sum_s(big_switch_plan(B, "bssi")) == pytest.approx(21 + 21 + 11 + 11, rel=1e-9)


def test_a_heavy_coflow_comes_first() -> None:
    """Two coflows on one port pair: by weight over size the second one is ahead, and BSSI puts it there."""
    plan = big_switch_plan([Job({(0, 0): 10}), Job({(0, 0): 30}, weight=4.0)], "bssi")
    assert weighted_sum_s(plan) == pytest.approx(4 * 30 + 40, rel=1e-9) == best_order(plan)[0]


@settings(QUICK, max_examples=25)
@given(data=st.data())
def test_bssi_is_within_4_of_the_optimum(data: st.DataObject) -> None:
    bssi = SchedulerSetting("bssi")
    plan = data.draw(plans(setting=bssi, max_coflows=4, max_flows=12, arrivals=(0.0,), smallest=1))
    assert weighted_sum_s(plan) <= 4 * best_order(plan)[0] * (1 + 1e-9)
