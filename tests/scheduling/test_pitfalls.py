"""Mistakes found in others' coflow code, each held off by a test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from variant_plans import VARIANTS, titles, wastes

from testbed.errors import SchedulerError
from testbed.plan import Plan, SchedulerSetting
from testbed.scheduling import registry
from testbed.scheduling.base import View
from testbed.scheduling.filling import coflow_gammas, greedy_rates, madd_rates
from testbed.scheduling.view import ViewBuilder
from testbed.simulation.engine import simulate
from testbed.simulation.instance import Job, big_switch_plan, flow_table

BOTH_PATHS = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])


def view_of(plan: Plan, received: list[float]) -> View:
    """A clairvoyant view of all the plan's flows, with so much received of each."""
    flows = len(plan.flows)
    builder = ViewBuilder(plan, registry.make("sebf", {}))
    started = np.ones(flows, dtype=np.bool_)
    return builder.build(0.0, np.arange(flows), np.array(received), started, plan.coflows.arrival_s)


def with_parallel_flows(parameters: dict[str, Any], scheduler: str) -> Plan:
    """One coflow: flows of 3 and of 4 bytes from port 0 to port 0, and one of 2 bytes from port 1 to port 0."""
    plan = big_switch_plan([Job({(0, 0): 1})], scheduler, parameters, ports=2)
    rows = [(0, 0, 0, 0, 3, 0.0), (0, 0, 0, 0, 4, 0.0), (0, 0, 1, 0, 2, 0.0)]
    return replace(plan, flows=flow_table(rows, [(0, 2), (0, 2), (1, 2)]))


def test_nothing_left_to_carry_over_a_full_port_does_not_make_gamma_infinite() -> None:
    """Coflow 1 has its last bytes on a free port; its flow on the port that coflow 0 fills has none left."""
    plan = big_switch_plan([Job({(0, 0): 4}), Job({(1, 0): 3, (1, 1): 6})])
    view = view_of(plan, [0, 3, 0])
    assert madd_rates(view, np.array([0, 1]), backfill=False).tolist() == [1, 0, 1]
    assert coflow_gammas(view).tolist() == [4, 6]


@BOTH_PATHS
def test_a_finished_reducer_does_not_hold_up_its_coflow(compiled: bool) -> None:
    """Coflow 1 takes out port 0 when coflow 0 has sent its byte there; coflow 0 goes on at full rate elsewhere."""
    jobs = [Job({(0, 0): 1, (1, 1): 10}), Job({(2, 0): 2}, arrival_s=1.5)]
    plan = big_switch_plan(jobs, "sebf", {})
    assert simulate(plan, compiled=compiled).finish_s.tolist() == pytest.approx([1, 10, 3.5], rel=1e-9)


def test_free_capacity_is_lowered_inside_a_coflow() -> None:
    """Three flows of one coflow out of one port share it; none sees the whole port free."""
    plan = big_switch_plan([Job({(0, 0): 2, (0, 1): 2, (0, 2): 2})])
    view = view_of(plan, [0, 0, 0])
    for rates in (greedy_rates(view, np.array([0])), madd_rates(view, np.array([0]))):
        assert rates.tolist() == pytest.approx([1 / 3] * 3, rel=1e-12)


@pytest.mark.parametrize("setting", VARIANTS, ids=titles(VARIANTS))
def test_caps_of_one_sender_never_exceed_its_port(setting: SchedulerSetting) -> None:
    plan = big_switch_plan([Job({(0, out): 40 for out in range(4)})], setting.name, setting.parameters)
    first = simulate(plan).decisions[0].cap_Bps
    assert first.sum() <= 1 + 1e-9 or setting.name == "fair"


@BOTH_PATHS
@pytest.mark.parametrize("scheduler", ["fifo", "scf", "bssi", "srpt"])
def test_rates_are_made_anew_when_a_flow_ends_and_its_coflow_does_not(scheduler: str, compiled: bool) -> None:
    """Coflow 1 takes in port 0 at instant 1, when coflow 0's flow there ends, not when coflow 0 does."""
    plan = big_switch_plan([Job({(0, 0): 1, (1, 1): 2}), Job({(0, 2): 9})], scheduler)
    outcome = simulate(plan, compiled=compiled)
    assert outcome.finish_s.tolist() == pytest.approx([1, 2, 10], rel=1e-9)
    assert "flow-finished" in [decision.reason for decision in outcome.decisions]


@BOTH_PATHS
@pytest.mark.parametrize("setting", VARIANTS, ids=titles(VARIANTS))
def test_parallel_flows_on_one_port_pair_add(setting: SchedulerSetting, compiled: bool) -> None:
    plan = with_parallel_flows(setting.parameters, setting.name)
    finish_s = simulate(plan, compiled=compiled).finish_s
    assert finish_s.max() == pytest.approx(9, rel=1e-9) or wastes(setting)
    assert finish_s.max() >= 9 * (1 - 1e-9)


def test_parallel_flows_add_in_gamma() -> None:
    plan = with_parallel_flows({}, "sebf")
    assert coflow_gammas(view_of(plan, [0, 0, 0])).tolist() == [9]
    assert madd_rates(view_of(plan, [0, 0, 0]), np.array([0])).tolist() == pytest.approx([3 / 9, 4 / 9, 2 / 9])


def test_an_unknown_scheduler_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SchedulerError) as error:
        simulate(big_switch_plan([Job({(0, 0): 1})], "sbef"))
    assert str(error.value) == (
        "unknown scheduler 'sbef'; did you mean 'sebf'? known: bssi, dclas, fair, fair-coflowsim, fair-paced, fifo, "
        "lcf, ncf, scf, sebf, srpt, wss"
    )


@BOTH_PATHS
def test_small_flows_are_registered_unless_a_minimum_size_is_given(compiled: bool) -> None:
    """Ten flows of 100 bytes sink after 200 bytes in all; unregistered (a minimum of 101) they never do."""
    jobs = [Job({(0, out): 100 for out in range(10)}), Job({(0, 10): 120}, arrival_s=1.0)]
    dclas = {"first_limit": 200, "factor": 100, "sharing": "strict"}
    sunk = simulate(big_switch_plan(jobs, "dclas", dclas), compiled=compiled)
    assert sunk.finish_s[10] == pytest.approx(320, rel=1e-9)
    ignored = simulate(big_switch_plan(jobs, "dclas", {**dclas, "minimum_size": 101}), compiled=compiled)
    assert ignored.finish_s[10] > 1000
