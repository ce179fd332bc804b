"""Faults in simulation, computed by hand: a fat-tree of k = 4 whose links carry 1 MB/s of goodput, frames 4 % more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from testbed.fidelity import VALID, assess
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.scheduling.gammas import lone_gammas
from testbed.simulation.engine import simulate
from testbed.spec.reader import load_experiment

TWO = (
    "[{id: 1, flows: [{from: 0, to: 8, size: 4 MB, via: 0}]}, {id: 2, flows: [{from: 2, to: 10, size: 4 MB, via: 1}]}]"
)
"""They share no link. Without a0-c0 both cross a0->c1 and c1->a4; a0 has no other core then."""
ONE = "[{id: 1, flows: [{from: 0, to: 8, size: 4 MB}]}]"
FROM_ONE_HOST = "[{id: 1, flows: [{from: 0, to: 1, size: 4 MB}]}, {id: 2, flows: [{from: 0, to: 2, size: 4 MB}]}]"


def plan(folder: Path, scheduler: str, coflows: str, faults: str, more: str = "") -> Plan:
    (folder / "x.yml").write_text(
        "topology: {kind: fat-tree, k: 4, link: {goodput: 8 Mbit/s}}\nbackends: [simulation]\n"
        f"schedulers: [{scheduler}]\n"
        f"workload:\n  kind: explicit\n  coflows: {coflows}\n  faults: {faults}\n{more}"
    )
    return next(make_plans(load_experiment(folder / "x.yml")))


def finishes(planned: Plan, outcome: Outcome) -> list[float]:
    """By coflow; 0 for those that did not finish."""
    order = np.argsort(planned.flows.coflow, kind="stable")
    return [round(finish, 6) for finish in np.nan_to_num(outcome.finish_s[order]).tolist()]


DOWN_2_UP_4 = "[{at: 2 s, link: [c0, a0], event: down}, {at: 4 s, link: [a0, c0], event: up}]"
CASES = [
    # both at 1 MB/s until 2 s, then half of a link for each
    ("fair", TWO, "[{at: 2 s, link: [c0, a0], event: down}]", [6.0, 6.0]),
    # 2 MB each are left at 2 s, 1 MB each at 4 s, when the planned paths are back
    ("fair", TWO, DOWN_2_UP_4, [5.0, 5.0]),
    # sebf serves coflow 1 first while they share a link: coflow 2 has its last 2 MB from 4 s on
    ("sebf", TWO, "[{at: 2 s, link: [c0, a0], event: down}]", [4.0, 6.0]),
    ("sebf", TWO, DOWN_2_UP_4, [4.0, 6.0]),
    # a host's only link: the flow stands still for 2 s
    ("fair", ONE, "[{at: 1 s, link: [e0, h0], event: down}, {at: 3 s, link: [e0, h0], event: up}]", [6.0]),
    ("sebf", ONE, "[{at: 1 s, switch: e4, event: crash}, {at: 3 s, switch: e4, event: restart}]", [6.0]),
    ("fair", ONE, "[{at: 1 s, host: 8, event: pause}, {at: 3 s, host: 8, event: resume}]", [6.0]),
    # a slow link, whichever way the flow takes: half of the rate from 1 s to 3 s
    ("fair", ONE, "[{at: 1 s, link: [e0, h0], event: slow, rate: RATE}, {at: 3 s, link: [e0, h0], event: up}]", [5.0]),
    # both leave by h0->e0: half a link each until h1 is gone, and then all of it for the second
    ("fair", FROM_ONE_HOST, "[{at: 2 s, host: 1, event: kill}]", [0.0, 5.0]),
    ("sebf", FROM_ONE_HOST, "[{at: 2 s, host: 1, event: kill}]", [0.0, 6.0]),
    ("sebf", FROM_ONE_HOST, "[{at: 2 s, host: 1, event: pause}, {at: 3 s, host: 1, event: resume}]", [5.0, 8.0]),
    # nothing begins at, or goes on to, a host that is gone before the start
    ("fair", FROM_ONE_HOST, "[{at: 0 s, host: 1, event: kill}]", [0.0, 4.0]),
    # nobody comes back: the rest ends as it would
    ("fair", FROM_ONE_HOST, "[{at: 2 s, host: 1, event: pause}]", [0.0, 5.0]),
    ("dclas", ONE, "[{at: 1 s, link: [e0, h0], event: down}]", [0.0]),
]


@pytest.mark.parametrize(("scheduler", "coflows", "faults", "expected"), CASES)
def test_finishes_by_hand(tmp_path: Path, scheduler: str, coflows: str, faults: str, expected: list[float]) -> None:
    whole = plan(tmp_path, scheduler, coflows, "[]")
    planned = plan(
        tmp_path, scheduler, coflows, faults.replace("RATE", f"{whole.fabric.links[0].rate_bps / 2!r} bit/s")
    )
    outcome = simulate(planned)
    assert finishes(planned, outcome) == expected
    assert assess(planned, outcome, lone_gammas(planned)).verdict == VALID


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ("[{at: 1 s, link: [e0, h0], event: down}]", "fault: no path is left"),
        ("[{at: 1 s, switch: e0, event: crash}]", "fault: no path is left"),
        ("[{at: 1 s, host: 0, event: pause}]", "fault: host h0 is paused"),
        ("[{at: 1 s, host: 8, event: kill}]", "fault: host h8 was killed"),
    ],
)
def test_a_run_ends_with_what_will_never_finish(tmp_path: Path, faults: str, reason: str) -> None:
    coflows = ONE[:-1] + ", {id: 2, after: [1], flows: [{from: 4, to: 5, size: 1 MB}]}]"
    background = "  background: {long: [{from: 4, to: 5}]}\n"
    planned = plan(tmp_path, "sebf", coflows, faults, background)
    outcome = simulate(planned)
    by_coflow = dict(zip(planned.flows.coflow.tolist(), outcome.reason, strict=True))
    assert by_coflow[1] == reason
    assert by_coflow[2] == "not started: coflow 1 did not finish"
    assert by_coflow[-1] == "cut: background, ended with the last coflow"
    assert np.isnan(outcome.finish_s).all()
    assert outcome.received_bytes[planned.flows.coflow == 1].tolist() == [1_000_000]
    assert assess(planned, outcome, lone_gammas(planned)).verdict == VALID


def test_the_scheduler_sees_what_is_left(tmp_path: Path) -> None:
    planned = plan(tmp_path, "sebf", TWO, DOWN_2_UP_4)
    outcome = simulate(planned)
    assert [(d.at_s, d.reason, d.faults) for d in outcome.decisions][1:] == [
        (2.0, "fault", 1),
        (4.0, "coflow-finished+fault", 2),
    ]
    assert sorted(outcome.decisions[1].cap_Bps.tolist()) == [0.0, 1e6]
    faults = outcome.samples["faults"]
    assert faults.to_dict("list") == {
        "planned_s": [2.0, 4.0],
        "at_s": [2.0, 4.0],
        "fault": ["link c0-a0 down", "link a0-c0 up"],
        "routed_s": [0.0, 0.0],
    }


def test_a_fault_that_breaks_nothing_changes_nothing(tmp_path: Path) -> None:
    elsewhere = "[{at: 1 s, switch: a7, event: crash}, {at: 2 s, host: 15, event: kill}]"
    for scheduler in ("fair", "sebf", "srpt", "dclas"):
        whole, broken = plan(tmp_path, scheduler, TWO, "[]"), plan(tmp_path, scheduler, TWO, elsewhere)
        assert np.allclose(simulate(broken).finish_s, simulate(whole, compiled=False).finish_s, rtol=1e-12)
