"""The eight invariants of a coflow scheduler, over every registered one, on random instances and several fabrics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed_run import ObservedRun, observe
from variant_plans import (
    BYTE_PARAMETERS,
    QUICK,
    VARIANTS,
    ccts,
    commands_madd,
    lone_gamma_s,
    plans,
    titles,
    wastes,
    with_flows,
)

from testbed.plan import Plan, SchedulerSetting
from testbed.scheduling import registry
from testbed.scheduling.view import ViewBuilder
from testbed.simulation.engine import simulate

ALL_KINDS = ("labelled", "unlabelled", "background")
ENFORCEMENTS = (("pacing",), ("queue",), ("pacing", "queue"), ("none",))

each_variant = pytest.mark.parametrize("setting", VARIANTS, ids=titles(VARIANTS))


def test_every_registered_scheduler_is_here() -> None:
    assert {setting.name for setting in VARIANTS} == set(registry.known())


def within_capacity(run: ObservedRun) -> None:
    """Invariant 1, of the resulting rates."""
    for moment in run.moments:
        assert (moment.link_rates() <= moment.view.capacity_Bps * (1 + 1e-9)).all()
        assert (moment.rate >= 0).all()
        assert (moment.rate <= moment.allocation.cap_Bps * (1 + 1e-9)).all() or "pacing" not in run.plan.enforcement


def conserves_bytes(run: ObservedRun) -> None:
    """Invariant 2: what the rates add up to over time is the flow's size, all of it, and no flow is left."""
    assert run.outcome.received_bytes.tolist() == run.plan.flows.bytes.tolist()
    assert run.delivered() == pytest.approx(run.plan.flows.bytes, rel=1e-8, abs=1e-8)
    assert np.isfinite(run.outcome.finish_s).all()


def at_least_gamma(run: ObservedRun) -> None:
    """Invariant 3."""
    for coflow, cct_s in ccts(run.plan, run.outcome.finish_s).items():
        assert cct_s >= lone_gamma_s(run.plan, coflow) * (1 - 1e-9)


def conserves_work(run: ObservedRun) -> None:
    """Invariant 4: every unfinished flow crosses a link that is full."""
    for moment in run.moments:
        full = moment.link_rates() >= moment.view.capacity_Bps * (1 - 1e-6)
        assert np.logical_or.reduceat(full[moment.view.path_links], moment.view.path_ptr[:-1]).all()


@each_variant
@QUICK
@given(data=st.data())
def test_1_2_3_feasible_conserving_and_no_faster_than_alone(setting: SchedulerSetting, data: st.DataObject) -> None:
    run = observe(data.draw(plans(setting=setting, kinds=ALL_KINDS, enforcements=ENFORCEMENTS)))
    within_capacity(run)
    conserves_bytes(run)
    at_least_gamma(run)


@pytest.mark.parametrize("setting", [s for s in VARIANTS if not wastes(s)], ids=lambda s: s.title)
@QUICK
@given(data=st.data())
def test_4_work_conservation(setting: SchedulerSetting, data: st.DataObject) -> None:
    smallest = int(setting.parameters.get("minimum_size", 0))
    plan = data.draw(plans(setting=setting, smallest=smallest, enforcements=(("pacing",), ("queue",))))
    conserves_work(observe(plan))


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])
@pytest.mark.parametrize("setting", [s for s in VARIANTS if commands_madd(s)], ids=lambda s: s.title)
@QUICK
@given(data=st.data())
def test_5_a_lone_coflow_under_madd_takes_gamma(setting: SchedulerSetting, compiled: bool, data: st.DataObject) -> None:
    plan = data.draw(plans(setting=setting, max_coflows=1))
    found = ccts(plan, simulate(plan, compiled=compiled).finish_s)
    assert found == pytest.approx({id_: lone_gamma_s(plan, id_) for id_ in found}, rel=1e-9)


@each_variant
@QUICK
@given(data=st.data(), factor=st.sampled_from([3, 1000, 1024]))
def test_6_scaling_sizes_and_capacities_changes_nothing(
    setting: SchedulerSetting, data: st.DataObject, factor: int
) -> None:
    plan = data.draw(plans(setting=setting, kinds=ALL_KINDS, enforcements=ENFORCEMENTS))
    links = tuple(replace(link, capacity_Bps=link.capacity_Bps * factor) for link in plan.fabric.links)
    parameters = {k: v * factor if k in BYTE_PARAMETERS else v for k, v in setting.parameters.items()}
    scaled = replace(
        plan,
        fabric=replace(plan.fabric, links=links),
        flows=replace(plan.flows, bytes=plan.flows.bytes * factor),
        scheduler=SchedulerSetting(setting.name, parameters),
    )
    assert simulate(scaled).finish_s == pytest.approx(simulate(plan).finish_s, rel=1e-9)


@each_variant
@QUICK
@given(data=st.data(), seed=st.integers(0, 999))
def test_7_the_order_of_the_input_changes_nothing(setting: SchedulerSetting, data: st.DataObject, seed: int) -> None:
    plan = data.draw(plans(setting=setting, kinds=ALL_KINDS, enforcements=ENFORCEMENTS))
    rows = shuffled(plan, seed)
    coflow_rows = np.random.default_rng(seed).permutation(len(plan.coflows))
    table = plan.coflows
    other = replace(
        with_flows(plan, rows),
        coflows=replace(
            table,
            coflow=table.coflow[coflow_rows],
            arrival_s=table.arrival_s[coflow_rows],
            weight=table.weight[coflow_rows],
            deadline_s=table.deadline_s[coflow_rows],
        ),
    )
    assert simulate(other).finish_s == pytest.approx(simulate(plan).finish_s[rows], rel=1e-9)


def shuffled(plan: Plan, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Flow rows in a random order, but for those of one label between the same hosts: among these the id decides."""
    flows = plan.flows
    rows = np.random.default_rng(seed).permutation(len(flows))
    _, group = np.unique(np.column_stack((flows.label, flows.src, flows.dst)), axis=0, return_inverse=True)
    group = group.reshape(-1)
    for one in np.unique(group):
        places = np.flatnonzero(group[rows] == one)
        rows[places] = np.sort(rows[places])
    return rows


BLIND = [s for s in VARIANTS if not registry.scheduler_class(s.name).clairvoyant]


@pytest.mark.parametrize("setting", BLIND, ids=titles(BLIND))
@QUICK
@given(data=st.data(), seed=st.integers(0, 999))
def test_8_a_blind_scheduler_answers_the_same_whatever_is_left(
    setting: SchedulerSetting, data: st.DataObject, seed: int
) -> None:
    plan = data.draw(plans(setting=setting, kinds=ALL_KINDS, smallest=12))
    scheduler = registry.make(setting.name, setting.parameters)
    rng = np.random.default_rng(seed)
    received = np.floor(plan.flows.bytes * rng.random(len(plan.flows)))
    active = np.flatnonzero(rng.random(len(plan.flows)) < 0.8)
    longer = replace(plan, flows=replace(plan.flows, bytes=plan.flows.bytes + rng.integers(0, 99, len(plan.flows))))
    answers = []
    for each in (plan, longer):
        started = np.ones(len(each.flows), dtype=np.bool_)
        view = ViewBuilder(each, scheduler).build(5.0, active, received, started, each.coflows.arrival_s)
        hidden = (view.remaining, view.size, view.coflow_size, view.coflow_length, view.coflow_gamma_s)
        assert hidden == (None,) * 5
        answers.append(scheduler.allocate(view))
    for name in ("cap_Bps", "queue", "order", "queue_weight", "ask_again_s", "ask_at_received"):
        assert np.array_equal(getattr(answers[0], name), getattr(answers[1], name)), name


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])
@pytest.mark.parametrize("setting", BLIND, ids=titles(BLIND))
@QUICK
@given(data=st.data())
def test_8_a_blind_run_is_the_same_until_the_first_flow_ends(
    setting: SchedulerSetting, compiled: bool, data: st.DataObject
) -> None:
    plan = data.draw(plans(setting=setting, smallest=12))
    longer = replace(plan, flows=replace(plan.flows, bytes=plan.flows.bytes * 3))
    before, after = (simulate(each, compiled=compiled) for each in (plan, longer))
    first_s = np.min(before.finish_s) * (1 - 1e-9)
    first = [decision for decision in before.decisions if decision.at_s < first_s]
    for mine, other in zip(first, after.decisions, strict=False):
        assert (mine.at_s, mine.reason) == (other.at_s, other.reason)
        assert mine.coflows.tolist() == other.coflows.tolist()
        assert mine.flows.tolist() == other.flows.tolist()
        assert mine.cap_Bps.tolist() == other.cap_Bps.tolist()
