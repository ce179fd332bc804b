"""CCTs against Gamma, on constructed records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from good_runs import assessed, check, good_run
from run_factory import F, finish_at, gammas_of, make_plan, stop, tiny_plan


def test_a_coflow_faster_than_gamma_is_caught() -> None:
    plan, outcome = good_run()
    outcome.finish_s[0] = 0.9
    verdict = assessed(plan, outcome)
    assert [check.name for check in verdict.failed] == ["CCT / Gamma, least"]
    assert verdict.failed[0].words == (
        "coflow 5 took 0.9 s where Gamma is 1 s: a link exceeded its rate, or flows took other paths than planned; "
        "check the shapers (logs) before using any figure"
    )
    plan = tiny_plan()
    simulated = finish_at(plan, {5: 0.9999, 9: 6.0}, "simulation")
    assert [check.name for check in assessed(plan, simulated).failed] == ["CCT / Gamma, least"]


@pytest.mark.parametrize(("cct_s", "expected"), [(0.92, "valid"), (0.88, "invalid")])
def test_on_slow_links_what_their_shapers_let_out_at_once_is_allowed(cct_s: float, expected: str) -> None:
    plan, outcome = good_run()
    rate_bps = 3 * (plan.fabric.mtu + 14) * 8 / 0.05
    links = tuple(replace(link, rate_bps=rate_bps) for link in plan.fabric.links)
    outcome.finish_s[0] = cct_s
    verdict = assessed(replace(plan, fabric=replace(plan.fabric, links=links)), outcome)
    assert check(verdict, "CCT / Gamma, least").verdict == expected


@pytest.mark.parametrize(("factor", "expected"), [(1.4, "valid"), (2.0, "degraded"), (3.5, "invalid")])
def test_slow_lone_coflows_are_caught(factor: float, expected: str) -> None:
    plan, outcome = good_run()
    outcome.finish_s[:] = outcome.coflow_arrival_s[[0, 1, 1]] + factor * gammas_of(plan)[[0, 1, 1]]
    plan = replace(plan, coflows=replace(plan.coflows, arrival_s=np.array([0.0, 9.0])))
    outcome.coflow_arrival_s[1] = 9.0
    outcome.finish_s[1:] += 7.0
    verdict = check(assessed(plan, outcome), "CCT / Gamma, lone coflows")
    assert (verdict.figure, verdict.verdict) == (pytest.approx(factor), expected)


def test_coflows_that_overlap_or_never_end_are_not_lone() -> None:
    flows = [F(i, 0, 1, 1_000_000) for i in range(5)]
    plan = make_plan(flows, {0: 0.0, 1: 1.0, 2: 3.0, 3: 7.0, 4: 20.0})
    outcome = finish_at(plan, {0: 1.0, 1: 2.5, 2: 2.0, 3: 3.0, 4: 2.0})
    lone = check(assessed(plan, outcome), "CCT / Gamma, lone coflows")
    assert lone.details == {"max": 3.0, "coflows": 3}  # 1 and 2 overlap
    stop(outcome, 3, "interrupted", 0)
    lone = check(assessed(plan, outcome), "CCT / Gamma, lone coflows")
    assert lone.details == {"max": 1.0, "coflows": 1}  # 3 never left
