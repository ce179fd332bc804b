"""The public Facebook trace, whole and exact, against the average CCTs of an independent, coarser simulator."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from testbed.plan import Plan, SchedulerSetting
from testbed.planning import make_plans
from testbed.scheduling.gammas import lone_gammas
from testbed.simulation.engine import simulate
from testbed.spec.reader import load_experiment

ROOT = Path(__file__).parents[2]
FACEBOOK = Path(os.environ.get("COFLOW_TRACE", ROOT / "../shared/traces/FB2010-1Hr-150-0.txt")).resolve()

pytestmark = [
    pytest.mark.trace,
    pytest.mark.skipif(
        not FACEBOOK.exists(), reason=f"the public Facebook trace is not at {FACEBOOK} (set COFLOW_TRACE)"
    ),
]

MEAN_CCT_S = [
    (SchedulerSetting("fair"), 56.2),
    (SchedulerSetting("fair-coflowsim"), 66.8),
    (SchedulerSetting("sebf"), 22.4),
    (SchedulerSetting("sebf", {"order": "static"}), 23.1),
    (SchedulerSetting("bssi"), 22.0),
    (SchedulerSetting("dclas", {"sharing": "strict"}), 35.4),
    (SchedulerSetting("dclas"), 38.1),
    (SchedulerSetting("srpt"), 32.9),
]
"""Seconds, at 128 MB/s a port with MB = 10^6."""


@pytest.fixture(scope="module")
def whole_trace() -> Plan:
    experiment = load_experiment(ROOT / "experiments/simulate-trace.yml", [f"workload.file={FACEBOOK}"])
    return next(iter(make_plans(experiment)))


@pytest.fixture(scope="module")
def gammas_s(whole_trace: Plan) -> np.ndarray:
    return lone_gammas(whole_trace)


def test_gamma_of_coflows_alone(gammas_s: np.ndarray) -> None:
    assert np.mean(gammas_s) == pytest.approx(14.376, abs=0.0005)
    assert np.median(gammas_s) == pytest.approx(0.168, abs=0.0005)
    assert np.max(gammas_s) == pytest.approx(1813.6, abs=0.05)


@pytest.mark.parametrize(("setting", "expected_s"), MEAN_CCT_S, ids=[s.title for s, _ in MEAN_CCT_S])
def test_mean_cct(whole_trace: Plan, gammas_s: np.ndarray, setting: SchedulerSetting, expected_s: float) -> None:
    plan = whole_trace.with_scheduler(setting)
    outcome = simulate(plan)
    row = np.argsort(plan.coflows.coflow)
    last_s = np.full(len(plan.coflows), -np.inf)
    np.maximum.at(last_s, row[np.searchsorted(plan.coflows.coflow[row], plan.flows.coflow)], outcome.finish_s)
    cct_s = last_s - outcome.coflow_arrival_s
    assert np.mean(cct_s) == pytest.approx(expected_s, rel=0.05)
    assert (cct_s >= gammas_s * (1 - 1e-9)).all()
    assert outcome.received_bytes.tolist() == plan.flows.bytes.tolist()
