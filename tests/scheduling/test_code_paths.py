"""The compiled inner loops against the plain event loop: the same CCTs, whichever runs a plan.

The compiled loops keep blocks, heaps and drained loads from event to event; the plain loop asks the scheduler's
`allocate` and the network model anew at each one. They share the rules, not the bookkeeping.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from variant_plans import FABRICS, QUICK, VARIANTS, RandomFlow, make_plan, plans

from testbed.outcome import Decision, Outcome
from testbed.plan import Plan, SchedulerSetting
from testbed.scheduling import registry
from testbed.simulation import composed_run, srpt_run
from testbed.simulation.engine import simulate

COMPOSED = [s for s in VARIANTS if s.name != "srpt" and not s.parameters.get("minimum_size")]


def assert_same(compiled: Outcome, plain: Outcome) -> None:
    """Every column that both back ends of a run fill in, and what was decided and when."""
    assert compiled.finish_s == pytest.approx(plain.finish_s, rel=1e-9)
    assert compiled.start_s == pytest.approx(plain.start_s, rel=1e-9)
    assert compiled.first_byte_s == pytest.approx(plain.first_byte_s, rel=1e-9)
    assert compiled.planned_start_s == pytest.approx(plain.planned_start_s, rel=1e-9)
    assert compiled.coflow_arrival_s == pytest.approx(plain.coflow_arrival_s, rel=1e-9)
    assert compiled.received_bytes.tolist() == plain.received_bytes.tolist()
    assert compiled.reason == plain.reason


def takes_inner_loop(plan: Plan) -> bool:
    scheduler = registry.make(plan.scheduler.name, plan.scheduler.parameters)
    return composed_run.core_of(plan, scheduler) is not None


@pytest.mark.parametrize("setting", COMPOSED, ids=lambda s: s.title)
@QUICK
@given(data=st.data(), resolution_s=st.sampled_from([0.0, 0.0, 0.3]))
def test_inner_loop_agrees_with_the_event_loop(
    setting: SchedulerSetting, data: st.DataObject, resolution_s: float
) -> None:
    plan = data.draw(plans(setting=setting))
    assert takes_inner_loop(plan)
    compiled, plain = (simulate(plan, resolution_s=resolution_s, compiled=c) for c in (True, False))
    assert_same(compiled, plain)


def reasons(decision: Decision) -> set[str]:
    """Why the scheduler was asked, but for two things that are a matter of taste.

    A flow of no bytes may end a coflow, which the inner loop does not tell apart; and a tick within rounding of a
    completion may be told with it or not.
    """
    return {why.replace("coflow-finished", "flow-finished") for why in decision.reason.split("+")} - {"tick"}


@pytest.mark.parametrize("setting", COMPOSED, ids=lambda s: s.title)
@QUICK
@given(data=st.data())
def test_decisions_agree(setting: SchedulerSetting, data: st.DataObject) -> None:
    plan = data.draw(plans(setting=setting))
    compiled, plain = simulate(plan), simulate(plan, compiled=False)
    assert len(compiled.decisions) == len(plain.decisions)
    for mine, other in zip(compiled.decisions, plain.decisions, strict=True):
        assert mine.at_s == pytest.approx(other.at_s, rel=1e-9)
        assert reasons(mine) == reasons(other)
        assert mine.coflows.tolist() == other.coflows.tolist()
        assert mine.flows.tolist() == other.flows.tolist()
        assert mine.queue.tolist() == other.queue.tolist()
        assert mine.cap_Bps == pytest.approx(other.cap_Bps, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("setting", COMPOSED, ids=lambda s: s.title)
@QUICK
@given(data=st.data(), delay_s=st.sampled_from([0.0, 0.4]))
def test_chains_agree(setting: SchedulerSetting, data: st.DataObject, delay_s: float) -> None:
    """Every second coflow waits for the one before it, and the last flow of each coflow that does not for its first."""
    plan = chained(data.draw(plans(setting=setting, smallest=0)), delay_s)
    compiled, plain = simulate(plan), simulate(plan, compiled=False)
    assert_same(compiled, plain)
    assert np.isfinite(compiled.finish_s).all()


def chained(plan: Plan, delay_s: float) -> Plan:
    ids, flows = plan.coflows.coflow.tolist(), plan.flows
    later = dict(zip(ids[1::2], ids[0::2], strict=False))
    arrival_s = np.where(np.isin(plan.coflows.coflow, list(later)), np.nan, plan.coflows.arrival_s)
    start_s = np.where(np.isin(flows.coflow, list(later)), np.nan, flows.start_s)
    after = {}
    for id_ in set(ids) - set(later):
        mine = np.flatnonzero(flows.coflow == id_).tolist()
        if len(mine) > 1:
            after[mine[-1]] = (mine[0],)
            start_s[mine[-1]] = np.nan
    return replace(
        plan,
        coflows=replace(
            plan.coflows,
            arrival_s=arrival_s,
            after={id_: (other,) for id_, other in later.items()},
            delay_s=dict.fromkeys(later, delay_s),
        ),
        flows=replace(flows, start_s=start_s, after=after, delay_s=dict.fromkeys(after, delay_s)),
    )


@settings(QUICK, max_examples=100)
@given(data=st.data(), resolution_s=st.sampled_from([0.0, 0.0, 0.3]))
def test_srpt_loop_agrees_with_the_event_loop(data: st.DataObject, resolution_s: float) -> None:
    plan = data.draw(plans(setting=SchedulerSetting("srpt"), fabrics=("big-switch", "fat-tree")))
    scheduler = registry.make("srpt", {})
    served = srpt_run.SrptRun(plan, scheduler, resolution_s).run()
    assert_same(served, simulate(plan, resolution_s=resolution_s, compiled=False))


@pytest.mark.parametrize(
    "setting", [s for s in VARIANTS if not s.parameters.get("minimum_size")], ids=lambda s: s.title
)
def test_a_thousand_flows_agree(setting: SchedulerSetting) -> None:
    """Wide coflows beside narrow ones: long enough for lists to be remade, and for SRPT's own loop."""
    rng = np.random.default_rng(7)
    width = [400, 3, 250, 1, 1, 120, 30, 2, 90, 150]
    flows = [
        RandomFlow(c, int(rng.integers(16)), int(rng.integers(16)), int(rng.integers(1, 50)))
        for c, flows in enumerate(width)
        for _ in range(flows)
    ]
    coflows = [(c, float(rng.integers(0, 40)), float(rng.integers(1, 4))) for c in range(len(width))]
    plan = make_plan(FABRICS["fat-tree"], setting, coflows, flows)
    assert takes_inner_loop(plan) or srpt_run.serves(plan, registry.make(setting.name, setting.parameters))
    assert_same(simulate(plan), simulate(plan, compiled=False))
