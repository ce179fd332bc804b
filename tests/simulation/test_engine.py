"""The event engine: starts after others, injection, cuts, failing links, background, resolution, determinism."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from testbed.coflow import ENDLESS, NONE, Ints
from testbed.errors import SimulationError
from testbed.plan import Plan
from testbed.scheduling.base import Allocation, View
from testbed.scheduling.fair import Fair
from testbed.simulation.engine import Simulation, simulate
from testbed.simulation.instance import Job, big_switch_plan, flow_table

BOTH_PATHS = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])
ALL = ["fair", "fair-paced", "fair-coflowsim", "fifo", "scf", "ncf", "lcf", "srpt", "sebf", "wss", "dclas", "bssi"]


class Script:
    """A driver that does things at instants, and when flows finish."""

    def __init__(self, *acts: tuple[float, Callable[[Simulation], None]], on_finish: Any = None) -> None:
        self.acts = acts
        self.on_finish = on_finish

    def begin(self, run: Simulation) -> None:
        for at_s, act in self.acts:
            run.at(at_s, lambda act=act: act(run))

    def finished(self, run: Simulation, flows: Ints) -> None:
        if self.on_finish:
            self.on_finish(run, flows)


def two_on_a_link(scheduler: str = "fair") -> Plan:
    """Coflows 0 and 1 of 4 bytes each, from port 0 to ports 0 and 1."""
    return big_switch_plan([Job({(0, 0): 4}), Job({(0, 1): 4})], scheduler, ports=3)


# ---- starts after others


@BOTH_PATHS
@pytest.mark.parametrize("scheduler", ALL)
def test_a_coflow_after_others_and_a_delay(scheduler: str, compiled: bool) -> None:
    """Coflow 1 arrives 0.5 s after coflow 0 has finished, coflow 2 at once after both."""
    plan = big_switch_plan([Job({(0, 0): 4}), Job({(0, 0): 4}), Job({(0, 0): 4})], scheduler)
    later = [1, 2]
    plan = replace(
        plan,
        coflows=replace(
            plan.coflows,
            arrival_s=np.array([0.0, np.nan, np.nan]),
            after={1: (0,), 2: (0, 1)},
            delay_s={1: 0.5},
        ),
        flows=replace(plan.flows, start_s=np.where(np.isin(plan.flows.coflow, later), np.nan, 0.0)),
    )
    outcome = simulate(plan, compiled=compiled)
    assert outcome.coflow_arrival_s.tolist() == pytest.approx([0, 4.5, 8.5], rel=1e-9)
    assert outcome.start_s.tolist() == pytest.approx([0, 4.5, 8.5], rel=1e-9)
    assert outcome.planned_start_s.tolist() == outcome.start_s.tolist()
    assert outcome.finish_s.tolist() == pytest.approx([4, 8.5, 12.5], rel=1e-9)


@BOTH_PATHS
@pytest.mark.parametrize("scheduler", ALL)
def test_a_flow_after_flows(scheduler: str, compiled: bool) -> None:
    """A chain 0 -> 1 -> 2 inside one coflow, with 1 s between the first two: its CCT counts it all."""
    plan = big_switch_plan([Job({(0, 1): 2, (1, 2): 2, (2, 0): 2})], scheduler)
    plan = replace(
        plan,
        flows=replace(plan.flows, start_s=np.array([0.0, np.nan, np.nan]), after={1: (0,), 2: (1,)}, delay_s={1: 1.0}),
    )
    outcome = simulate(plan, compiled=compiled)
    assert outcome.start_s.tolist() == pytest.approx([0, 3, 5], rel=1e-9)
    assert outcome.finish_s.tolist() == pytest.approx([2, 5, 7], rel=1e-9)


def test_what_waits_for_a_flow_that_is_cut_never_starts_and_says_so() -> None:
    plan = two_on_a_link()
    plan = replace(
        plan,
        coflows=replace(plan.coflows, arrival_s=np.array([0.0, np.nan]), after={1: (0,)}),
        flows=replace(plan.flows, start_s=np.array([0.0, np.nan])),
    )
    outcome = simulate(plan, driver=Script((1.0, lambda run: run.cut(np.array([0])))))
    assert outcome.reason == ["cut", "not started: coflow 0 did not finish"]
    assert np.isnan(outcome.finish_s).all()
    assert np.isnan(outcome.start_s[1])


@BOTH_PATHS
@pytest.mark.parametrize("scheduler", ALL)
def test_flows_of_no_bytes_finish_when_they_start(scheduler: str, compiled: bool) -> None:
    plan = big_switch_plan([Job({(0, 0): 0}, arrival_s=2.0), Job({(0, 0): 4, (1, 1): 0})], scheduler)
    outcome = simulate(plan, compiled=compiled)
    assert outcome.finish_s.tolist() == pytest.approx([2, 4, 0], rel=1e-9)
    assert outcome.first_byte_s.tolist() == [2, 0, 0]


# ---- injection


def test_injected_flows_compete_from_the_instant_they_are_injected() -> None:
    """At 1 s a background flow of 2 bytes joins a flow of 4 on a link: 1 + 4 s for it, and 6 s for the other."""
    ids: list[int] = []
    extra = flow_table([(NONE, NONE, 0, 1, 2, 0.0)], [(0, 4)])
    plan = big_switch_plan([Job({(0, 0): 4})], ports=3)
    outcome = simulate(plan, driver=Script((1.0, lambda run: ids.extend(run.inject(extra).tolist()))))
    assert ids == [1]
    assert outcome.start_s.tolist() == [0, 1]
    assert outcome.finish_s.tolist() == pytest.approx([6, 5], rel=1e-9)
    assert outcome.received_bytes.tolist() == [4, 2]
    assert outcome.decisions[1].reason == "arrival+injected"


def test_a_relay_injects_the_next_hop_when_the_last_one_is_done() -> None:
    """A store-and-forward broadcast from 0 to 1 to 2 that no plan knows of: the coflow ends with its last flow."""

    def forward(run: Simulation, flows: Ints) -> None:
        if flows.tolist() == [0]:
            run.inject(flow_table([(0, 0, 1, 2, 5, run.now_s)], [(1, 5)]))

    plan = big_switch_plan([Job({(0, 1): 5})], "sebf", ports=3)
    outcome = simulate(plan, driver=Script(on_finish=forward))
    assert outcome.finish_s.tolist() == pytest.approx([5, 10], rel=1e-9)


def test_an_injected_flow_may_wait_for_another() -> None:
    extra = replace(flow_table([(NONE, NONE, 0, 1, 2, np.nan)], [(0, 4)]), after={0: (0,)}, delay_s={0: 1.0})
    plan = big_switch_plan([Job({(0, 0): 4})], ports=3)
    outcome = simulate(plan, driver=Script((1.0, lambda run: run.inject(extra))))
    assert outcome.finish_s.tolist() == pytest.approx([4, 7], rel=1e-9)


# ---- cuts and rejections


def test_a_cut_flow_keeps_what_it_has_and_frees_its_share() -> None:
    outcome = simulate(two_on_a_link(), driver=Script((2.0, lambda run: run.cut(np.array([0]), "deadline"))))
    assert outcome.reason == ["deadline", ""]
    assert outcome.received_bytes.tolist() == [1, 4]
    assert np.isnan(outcome.finish_s[0])
    assert outcome.finish_s[1] == pytest.approx(5, rel=1e-9)


class Dismissive(Fair):
    """Rejects or cuts the later of two coflows; the inner loop must not answer for the scheduler it is built on."""

    def __init__(self, what: str) -> None:
        self.what = what

    def allocate(self, view: View) -> Allocation:
        return replace(super().allocate(view), **{self.what: np.flatnonzero(view.arrival_s > 0)})


@pytest.mark.parametrize(("what", "reason", "admitted"), [("reject", "rejected", False), ("cut", "cut", True)])
def test_a_scheduler_may_dismiss_a_coflow(what: str, reason: str, admitted: bool) -> None:
    plan = big_switch_plan([Job({(0, 0): 4}), Job({(0, 1): 4}, arrival_s=1.0)])
    outcome = simulate(plan, scheduler=Dismissive(what))
    assert outcome.reason == ["", reason]
    assert outcome.coflow_admitted.tolist() == [True, admitted]
    assert outcome.finish_s[0] == pytest.approx(4, rel=1e-9)


# ---- links that change


@pytest.mark.parametrize("scheduler", ALL)
def test_a_link_that_slows_down(scheduler: str) -> None:
    """Out port 0 has half its capacity from 2 s on: 2 bytes are left then, and take 4 s."""
    plan = big_switch_plan([Job({(0, 0): 4})], scheduler)
    outcome = simulate(plan, driver=Script((2.0, lambda run: run.set_capacity(1, 0.5))))
    assert outcome.finish_s.tolist() == pytest.approx([6], rel=1e-9)


@pytest.mark.parametrize("scheduler", ALL)
def test_a_link_that_fails_and_comes_back(scheduler: str) -> None:
    plan = big_switch_plan([Job({(0, 0): 4})], scheduler)
    down, up = (lambda run: run.set_capacity(0, 0.0)), (lambda run: run.set_capacity(0, 1.0))
    outcome = simulate(plan, driver=Script((1.0, down), (3.0, up)))
    assert outcome.finish_s.tolist() == pytest.approx([6], rel=1e-9)


def test_a_link_that_stays_down_is_an_error() -> None:
    plan = big_switch_plan([Job({(0, 0): 4})], "sebf")
    with pytest.raises(SimulationError) as error:
        simulate(plan, driver=Script((1.0, lambda run: run.set_capacity(0, 0.0))))
    assert str(error.value) == (
        "scheduler sebf at 1 s: nothing can progress: flow 0 has bytes left and rate 0, nothing else is due, and the "
        "scheduler does not ask to be asked again; check its caps, and for links without capacity on the path"
    )


# ---- background


@pytest.mark.parametrize(("unlabelled_class", "finish_s"), [("top", 8.0), ("bottom", 4.0), ("own", 8.0)])
def test_endless_background_competes_and_ends_with_the_last_coflow(unlabelled_class: str, finish_s: float) -> None:
    plan = big_switch_plan(
        [Job({(0, 0): 4})],
        ports=2,
        background={(0, 1): ENDLESS},
        enforcement=("queue",),
        unlabelled_class=unlabelled_class,
    )
    outcome = simulate(plan)
    assert outcome.finish_s[0] == pytest.approx(finish_s, rel=1e-9)
    assert outcome.reason == ["", "cut: background, ended with the last coflow"]
    assert outcome.received_bytes.tolist() == [4, round(finish_s) - 4]


def test_finite_background_may_outlast_the_last_coflow() -> None:
    plan = big_switch_plan([Job({(0, 0): 1})], ports=2, background={(0, 1): 5})
    assert simulate(plan).finish_s.tolist() == pytest.approx([2, 6], rel=1e-9)


# ---- resolution


@BOTH_PATHS
def test_resolution_puts_decisions_off_and_says_so(compiled: bool) -> None:
    """The second coflow arrives 0.1 s after a decision, and waits for the end of the second before it is served."""
    plan = big_switch_plan([Job({(0, 0): 4}), Job({(1, 1): 1}, arrival_s=0.1)], "fifo")
    exact, coarse = (simulate(plan, resolution_s=r, compiled=compiled) for r in (0.0, 1.0))
    assert exact.finish_s.tolist() == pytest.approx([4, 1.1], rel=1e-9)
    assert coarse.finish_s.tolist() == pytest.approx([4, 2], rel=1e-9)
    assert (exact.facts["resolution_s"], coarse.facts["resolution_s"]) == (0.0, 1.0)


# ---- determinism


@BOTH_PATHS
@pytest.mark.parametrize("scheduler", ALL)
def test_the_same_plan_gives_the_same_run_to_the_bit(scheduler: str, compiled: bool) -> None:
    rng = np.random.default_rng(3)
    jobs = [
        Job(
            {
                (int(a), int(b)): int(rng.integers(1, 1000))
                for a, b in rng.integers(0, 12, (int(rng.integers(1, 40)), 2))
            },
            arrival_s=float(rng.integers(0, 300)),
            weight=float(rng.integers(1, 4)),
        )
        for _ in range(20)
    ]
    plan = big_switch_plan(jobs, scheduler, ports=12, capacity_Bps=3.7)
    first, second = (simulate(plan, compiled=compiled) for _ in range(2))
    assert first.finish_s.tobytes() == second.finish_s.tobytes()
    assert first.first_byte_s.tobytes() == second.first_byte_s.tobytes()
    assert [d.at_s for d in first.decisions] == [d.at_s for d in second.decisions]
    assert all(
        a.cap_Bps.tobytes() == b.cap_Bps.tobytes() for a, b in zip(first.decisions, second.decisions, strict=True)
    )


# ---- input that contradicts itself


def test_a_flow_of_a_coflow_that_is_not_there() -> None:
    plan = two_on_a_link()
    plan = replace(plan, flows=replace(plan.flows, coflow=np.array([0, 9])))
    with pytest.raises(SimulationError) as error:
        simulate(plan)
    assert str(error.value) == "flow 1 belongs to coflow 9, which the plan does not have"


def test_a_flow_that_never_starts() -> None:
    plan = big_switch_plan([Job({(0, 0): 4})], ports=2, background={(0, 1): 5})
    plan = replace(plan, flows=replace(plan.flows, start_s=np.array([0.0, np.nan])))
    with pytest.raises(SimulationError) as error:
        simulate(plan)
    assert str(error.value) == "flow 1 has no start: it belongs to no coflow and waits for no flow"
