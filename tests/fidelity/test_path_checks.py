from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from good_runs import assessed, check, good_run, of_link, set_link
from run_factory import F, finish_at, leaf_spine, make_plan, port_samples

from testbed.coflow import NONE
from testbed.outcome import Outcome
from testbed.plan import Plan

BALANCE = "balance over the core"


def move(outcome: Outcome, share: float) -> None:
    """A share of what was to go up from l0 to s1 and down to l1 goes by s0 instead."""
    for planned, other in (("l0->s1", "l0->s0"), ("s1->l1", "s0->l1")):
        for column in ("sent_bytes", "received_bytes"):
            moved = (share * of_link(outcome, "ports", planned, column)).astype(np.int64)
            set_link(outcome, "ports", planned, column, of_link(outcome, "ports", planned, column) - moved)
            set_link(outcome, "ports", other, column, of_link(outcome, "ports", other, column) + moved)


@pytest.mark.parametrize(("share", "expected"), [(0.01, "valid"), (0.04, "degraded"), (1.0, "invalid")])
def test_flows_on_other_paths_than_planned_are_caught(share: float, expected: str) -> None:
    plan, outcome = good_run()
    move(outcome, share)
    found = check(assessed(plan, outcome), BALANCE)
    moved, both = 2.0, 4.5  # MB by s1, and over the core
    assert found.verdict == expected
    assert found.figure + found.details["excused"] == pytest.approx(share * moved / both, rel=0.05, abs=1e-3)
    if expected == "invalid":
        assert found.words.startswith("flows took other paths than planned, most of all on link ")
        assert found.words.endswith(
            " than planned: a switch's rules differ from the plan's; run `testbed clean` and repeat the run, and "
            "report it with its logs"
        )


def test_flows_that_were_cut_are_held_against_what_they_sent() -> None:
    plan, outcome = good_run()
    outcome.sent_bytes[1] = outcome.received_bytes[1] = 200_000
    outcome.finish_s[1], outcome.reason[1] = np.nan, "cut"
    finished = finish_at(plan, {5: 1.25, 9: 3.25})
    finished.sent_bytes[1] = 200_000
    outcome.samples["ports"] = port_samples(plan, finished, acknowledged=True)
    assert check(assessed(plan, outcome), BALANCE).verdict == "valid"


def test_what_flows_that_were_cut_and_messages_in_band_may_add_is_excused() -> None:
    plan, outcome = good_run()
    move(outcome, 0.04)
    outcome.facts["control_sent_bytes"] = 200_000
    before = check(assessed(plan, outcome), BALANCE)
    assert before.verdict == "degraded"
    assert check(assessed(replace(plan, control="in-band"), outcome), BALANCE).verdict == "valid"
    outcome.finish_s[1], outcome.reason[1] = np.nan, "cut"
    after = check(assessed(plan, outcome), BALANCE)
    core = 2 * (4_500_000 * 1.025 + 4_500_000 / 1448 * 33 * 1.025)
    assert after.details["excused"] - before.details["excused"] == pytest.approx(64_000 / core, rel=0.02)


def hashed(ways: list[int]) -> tuple[Plan, Outcome]:
    """As many equal flows from the first leaf to the second, by these spines; the plan does not know them."""
    flows = [F(1, 0, 2, 200_000) for _ in ways]
    plan = make_plan(flows, {1: 0.0}, fabric=leaf_spine(spines=4))
    up = np.array([next(i for i, link in enumerate(plan.fabric.links) if link.name == f"l0->s{way}") for way in ways])
    down = np.array([next(i for i, link in enumerate(plan.fabric.links) if link.name == f"s{way}->l1") for way in ways])
    taken = plan.flows.path_links.copy().reshape(-1, 4)
    taken[:, 1], taken[:, 2] = up, down
    outcome = finish_at(plan, {1: 30.0})
    real = replace(plan, flows=replace(plan.flows, path_links=taken.ravel()))
    outcome.samples["ports"] = port_samples(real, outcome, acknowledged=True)
    return replace(plan, ecmp="hash"), outcome


def test_a_hash_that_spreads_as_chance_does_is_valid() -> None:
    ways = np.random.default_rng(5).integers(4, size=40).tolist()
    found = check(assessed(*hashed(ways)), BALANCE)
    assert found.verdict == "valid"
    assert found.details["flows"] == 40


def test_a_polarised_hash_is_reported() -> None:
    found = check(assessed(*hashed([2] * 40)), BALANCE)
    assert (found.verdict, found.unit) == ("degraded", "times the mean link")
    assert found.words == (
        "the hash sent more to link l0->s2 than chance explains: switches choose alike (polarisation), or differ in "
        "what they hash; use routing: {ecmp: per-flow}, or take it as what such a network does"
    )


def test_without_traffic_in_the_core_there_is_no_balance() -> None:
    plan = make_plan([F(1, 0, 1, 1_000_000), F(NONE, 2, 3, 1000)], {1: 0.0})
    outcome = finish_at(plan, {1: 1.2, NONE: 1.2})
    outcome.samples["ports"] = port_samples(plan, outcome)
    assert assessed(plan, outcome).unmeasured[BALANCE] == "nothing crossed the core"
