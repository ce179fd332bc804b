"""What planned faults cause is not held against a run; whatever else goes wrong still is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from run_factory import F, finish_at, gammas_of, make_plan, port_samples, stop

from testbed.faults import Fault
from testbed.fidelity import assess
from testbed.fidelity.faults import host_gammas
from testbed.outcome import Outcome
from testbed.plan import Plan

DOWN = (Fault(0.5, "down", ("l0", "s1")),)
KILL = (Fault(0.5, "kill", ("h1",)),)


def run(faults: tuple[Fault, ...]) -> tuple[Plan, Outcome]:
    """Two coflows; the first flow of the second crosses l0->s1."""
    flows = [F(5, 0, 1, 1_000_000), F(9, 0, 2, 2_000_000), F(9, 1, 3, 2_500_000)]
    plan = replace(make_plan(flows, {5: 0.0, 9: 2.0}), faults=faults)
    outcome = finish_at(plan, {5: 1.25, 9: 3.25})
    outcome.samples["ports"] = port_samples(plan, outcome)
    return plan, outcome


def failed(plan: Plan, outcome: Outcome) -> list[str]:
    return [check.name for check in assess(plan, outcome, gammas_of(plan)).failed]


def losing(plan: Plan, outcome: Outcome, link: str) -> Outcome:
    """A tenth of what was sent into a link never came out of it."""
    ports = outcome.samples["ports"]
    received = np.where(ports["link"] == link, ports["received_bytes"] * 0.9, ports["received_bytes"])
    outcome.samples["ports"] = ports.assign(received_bytes=received.astype(np.int64))
    return outcome


PER_PORT = "conservation per port"
DELIVERED = "delivered / offered, uncongested links"
FORWARDED = "forwarded / received, uncongested switches"


@pytest.mark.parametrize(
    ("faults", "link", "expected"),
    [
        ((), "l0->s1", [PER_PORT, DELIVERED]),
        (DOWN, "l0->s1", []),
        (DOWN, "l0->s0", [PER_PORT, DELIVERED]),
        ((Fault(0.5, "crash", ("s1",)),), "l0->s1", []),
        ((Fault(0.5, "crash", ("s0",)),), "l0->s1", [PER_PORT, DELIVERED]),
        (KILL, "h1->l0", []),
        ((Fault(0.5, "slow", ("l0", "s1"), 1e6),), "l0->s1", []),
    ],
)
def test_a_link_that_was_broken_may_lose_frames(faults: tuple[Fault, ...], link: str, expected: list[str]) -> None:
    plan, outcome = run(faults)
    found = failed(plan, losing(plan, outcome, link))
    assert [name for name in found if name in (DELIVERED, PER_PORT)] == expected


def test_checks_that_faults_take_the_ground_from() -> None:
    plan, outcome = run(())
    assert FORWARDED not in assess(plan, outcome, gammas_of(plan)).unmeasured
    plan, outcome = run(DOWN)
    unmeasured = assess(plan, outcome, gammas_of(plan)).unmeasured
    lost = "switches drop what was on its way to something that a fault of the plan broke"
    assert {name: why for name, why in unmeasured.items() if "fault" in why} == {
        FORWARDED: lost,
        "loss without a full queue": lost,
        "sent again without a full queue": lost,
        "balance over the core": "faults of the plan send flows other ways than planned",
        "departures off the ideal, p99": "faults of the plan change what a link's rate is",
    }


def test_an_actor_that_was_paused_on_purpose_is_not_late() -> None:
    plan, outcome = run((Fault(0.5, "pause", ("h1",)), Fault(1.5, "resume", ("h1",))))
    outcome.samples["lateness"] = pd.DataFrame({"host": ["h0", "h1"], "late_s": [0.001, 1.0], "timers": [100, 100]})
    assert failed(plan, outcome) == []
    outcome.samples["lateness"] = pd.DataFrame({"host": ["h1", "h0"], "late_s": [0.001, 1.0], "timers": [100, 100]})
    assert failed(plan, outcome) == ["actor lateness p99", "actor stall, longest"]


@pytest.mark.parametrize("reason", ["fault: host h1 was killed", "fault: no path is left", "not started: coflow 5 did"])
def test_flows_that_a_fault_stopped_are_not_missing(reason: str) -> None:
    plan, outcome = run(KILL)
    stop(outcome, 2, reason, 100)
    assert failed(plan, outcome) == []


def test_a_flow_that_no_fault_explains_is_missing_all_the_same() -> None:
    plan, outcome = run(KILL)
    stop(outcome, 2, "connection reset", 100)
    assert failed(plan, outcome) == ["unfinished flows"]
    plan, outcome = run(())
    stop(outcome, 2, "not started: coflow 5 did not finish", 0)
    assert "unfinished flows" in failed(plan, outcome)


def test_the_gamma_that_nothing_beats_is_that_of_the_hosts_links() -> None:
    """Planned over one spine, two flows of different hosts need 4 s; sent over two, they need 2."""
    flows = [F(1, 0, 2, 2_000_000), F(7, 0, 2, 1), F(1, 1, 3, 2_000_000)]
    plan = make_plan(flows, {1: 0.0, 7: 10.0})
    outcome = finish_at(plan, {1: 2.0, 7: 1.0})
    assert gammas_of(plan)[0] == 4.0
    assert failed(plan, outcome) == ["CCT / Gamma, least"]
    broken = replace(plan, faults=DOWN)
    assert host_gammas(broken).tolist() == [2.0, 1e-6]
    assert failed(broken, outcome) == []
    assert failed(broken, finish_at(plan, {1: 1.5, 7: 1.0})) == ["CCT / Gamma, least"]


def test_only_coflows_that_ended_before_the_first_fault_count_as_alone() -> None:
    plan, outcome = run((Fault(1.5, "down", ("l0", "s1")),))
    (check,) = (c for c in assess(plan, outcome, gammas_of(plan)).checks if c.name == "CCT / Gamma, lone coflows")
    assert (check.figure, check.details["coflows"]) == (pytest.approx(1.25), 1.0)


def test_a_host_that_was_paused_may_start_late() -> None:
    plan, outcome = run((Fault(1.5, "pause", ("h1",)), Fault(3.0, "resume", ("h1",))))
    outcome.start_s[2] += 1.0
    outcome.samples["starts"] = pd.DataFrame({"flow": [0, 1, 2], "allowed_s": outcome.planned_start_s})
    assert failed(plan, outcome) == []
    outcome.start_s[1] += 1.0
    assert failed(plan, outcome) == ["start skew p99"]
