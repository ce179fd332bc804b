"""Plans that grow: rows join behind those that are there, and what was there stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from testbed.coflow import CoflowTable
from testbed.growth import grow, with_coflows, with_flows, with_some_flow
from testbed.outcome import empty_outcome
from testbed.plan import ApplicationSetting, Plan, Program, read_plan
from testbed.scheduling.sharing import sharing_of
from testbed.simulation.instance import Job, big_switch_plan


def plan() -> Plan:
    return big_switch_plan([Job({(0, 1): 5, (2, 0): 7})], ports=3)


def test_flows_and_coflows_join_behind_those_that_are_there() -> None:
    old, more = plan(), big_switch_plan([Job({(1, 2): 9}, arrival_s=3.0)], ports=3)
    coflow = CoflowTable(np.array([4]), np.array([3.0]), np.ones(1), np.array([np.nan]))
    grown = with_flows(with_coflows(old, coflow), more.flows)
    assert grown.coflows.coflow.tolist() == [0, 4]
    assert grown.flows.bytes.tolist() == [5, 7, 9]
    assert [grown.flows.path(flow) for flow in range(3)] == [(0, 4), (2, 3), (1, 5)]
    assert len(old.flows) == 2


def test_an_outcome_grows_with_its_plan() -> None:
    old = plan()
    outcome = empty_outcome(old, "emulation")
    outcome.finish_s[:] = [1.0, 2.0]
    grown = with_flows(old, old.flows)
    grow(outcome, grown)
    assert outcome.plan is grown
    assert outcome.finish_s[:2].tolist() == [1.0, 2.0]
    assert np.isnan(outcome.finish_s[2:]).all()
    assert len(outcome.reason) == len(outcome.sent_bytes) == len(outcome.planned_start_s) == 4
    assert len(outcome.coflow_arrival_s) == 1


def test_some_flow_only_where_there_is_none() -> None:
    old = plan()
    assert with_some_flow(old) is old
    stand_in = with_some_flow(big_switch_plan([], ports=3))
    assert stand_in.flows.path(0) == (0, 4)
    assert stand_in.flows.label.tolist() == stand_in.coflows.coflow.tolist() == [0]


def test_ports_have_the_weights_of_a_scheduler_that_only_applications_feed() -> None:
    applications = ApplicationSetting(programs=(Program(0, ("true",)),))
    fields = {"enforcement": ("queue",), "applications": applications}
    empty = big_switch_plan([], "dclas", {"sharing": "weighted"}, ports=2, **fields)
    fed = big_switch_plan([Job({(0, 1): 10**9})], "dclas", {"sharing": "weighted"}, ports=2, **fields)
    assert sharing_of(empty).weight == sharing_of(fed).weight != ()


def test_applications_are_in_the_written_plan(tmp_path: Path) -> None:
    applications = ApplicationSetting("folder", (Program(1, ("python3", "x.py")),), 5.0)
    written = big_switch_plan([], ports=2, applications=applications)
    written.write(tmp_path)
    assert read_plan(tmp_path).applications == applications
