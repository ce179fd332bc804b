from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from run_factory import F, finish_at, gammas_of, make_plan, port_samples, stop
from run_writer import WriteRun

from testbed.analysis import figure_data
from testbed.analysis.bins import BinLimits
from testbed.analysis.coflows import coflow_frame
from testbed.coflow import NONE
from testbed.records.run_directory import create, read_run


def test_a_curve_ends_below_one_where_coflows_did_not_finish(write_run: WriteRun) -> None:
    (curve,) = figure_data.cct_curves(coflow_frame([write_run("fair", {1: 4.0, 2: 2.0, 3: np.nan, 4: 8.0})]), "fair")
    assert curve.value.tolist() == [2.0, 4.0, 8.0]
    assert curve.share.tolist() == [0.25, 0.5, 0.75]


def test_boxes_leave_out_empty_bins(write_run: WriteRun) -> None:
    coflows = coflow_frame([write_run("fair", {1: 4.0, 2: 20.0}, size={2: 6_000_000})])
    (box,) = figure_data.cct_boxes(coflows, BinLimits(), "fair")
    assert {name: cct.tolist() for name, cct in box.cct_s.items()} == {"SN": [4.0], "LN": [20.0]}


def test_factors_and_agreement_pair_the_same_coflows(write_run: WriteRun) -> None:
    runs = [write_run("fair", {1: 4.0, 2: 9.0}), write_run("sebf", {1: 2.0, 2: 3.0}),
            write_run("sebf", {1: 2.2, 2: 3.3}, source="emulation")]  # fmt: skip
    coflows = coflow_frame(runs)
    (factors,) = figure_data.factors(coflows, "fair")
    assert (factors.source, factors.scheduler, factors.factor.tolist()) == ("simulation", "sebf", [2.0, 3.0])
    assert factors.gamma_s.tolist() == [1.0, 1.0]
    (agreement,) = figure_data.agreements(coflows, "fair")
    np.testing.assert_allclose(agreement.emulated_s / agreement.simulated_s, 1.1)
    np.testing.assert_allclose(agreement.median_ratio, 1.1)


def test_a_gantt_has_a_lane_for_each_coflow_in_progress(tmp_path: Path) -> None:
    flows = [F(1, 0, 1, 10), F(1, 0, 2, 10), F(2, 1, 2, 99), F(3, 2, 3, 10), F(NONE, 3, 0, 5, start_s=0.5)]
    plan = make_plan(flows, {1: 0.0, 2: 1.0, 3: 5.0})
    outcome = finish_at(plan, {1: 4.0, 2: 2.0, 3: 5.0, NONE: 0.1}, "simulation")
    outcome.finish_s[1] = 2.0
    stop(outcome, 3, "interrupted", 0)
    outcome.start_s[3] = np.nan
    run = create(tmp_path, plan, "simulation")
    run.write_outcome(outcome, gammas_of(plan))
    chart = figure_data.gantt(read_run(run.path), labelled=2)
    bars = {
        (int(coflow), float(finish)): (low, high, start)
        for coflow, finish, low, high, start in zip(
            chart.coflow, chart.finish_s, chart.low, chart.high, chart.start_s, strict=True
        )
    }
    assert chart.heaviest == (2, 1)
    assert bars[1, 4.0][:2] == (0.0, 0.5)  # the last to finish lies lowest
    assert bars[1, 2.0][:2] == (0.5, 1.0)
    assert bars[NONE, 0.6][:2] == (1.0, 2.0)
    assert bars[2, 3.0][:2] == (1.0, 2.0)  # the background flow's lane is free again
    lane, _, start = bars[3, 5.0]
    assert (lane, start) == (0.0, 5.0)  # never started: waited until the end of the run


def test_a_gantt_of_very_many_flows_shows_coflows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_data, "MOST_FLOWS", 3)
    plan = make_plan([F(1, 0, 1, 10)] * 4 + [F(2, 0, 1, 10)], {1: 0.0, 2: 0.0})
    run = create(tmp_path, plan, "simulation")
    run.write_outcome(finish_at(plan, {1: 4.0, 2: 2.0}, "simulation"), gammas_of(plan))
    chart = figure_data.gantt(read_run(run.path))
    assert (chart.of, sorted(chart.coflow.tolist()), sorted(chart.finish_s.tolist())) == ("coflow", [1, 2], [2.0, 4.0])


def test_utilisation_is_sent_bytes_over_rate_from_the_hosts_up_and_down(tmp_path: Path) -> None:
    plan = make_plan([F(1, 0, 2, 4_000_000)], {1: 0.0})
    outcome = finish_at(plan, {1: 8.0})
    outcome.start_s[0] = 0.0
    outcome.samples["ports"] = port_samples(plan, outcome, every_s=2.0)
    run = create(tmp_path, plan, "emulation")
    run.write_outcome(outcome, gammas_of(plan))
    chart = figure_data.utilisation(read_run(run.path))
    assert chart is not None
    assert chart.groups == (("host→leaf", 4), ("leaf→spine", 4), ("spine→leaf", 4), ("leaf→host", 4))
    busy = np.flatnonzero(chart.share.any(axis=1))
    assert len(busy) == 4
    np.testing.assert_allclose(chart.share[busy][:, :4], 0.5, rtol=1e-5)
    np.testing.assert_allclose(chart.share[:, 4:], 0, atol=1e-5)
    assert chart.share.shape == (16, len(chart.edges_s) - 1)


def test_there_is_no_utilisation_without_samples(write_run: WriteRun) -> None:
    assert figure_data.utilisation(write_run("fair", {1: 1.0})) is None


def test_the_first_run_of_each_kind_is_shown(write_run: WriteRun) -> None:
    runs = [write_run("sebf", {1: 1.0}, repeat=1), write_run("sebf", {1: 1.0}, repeat=0), write_run("fair", {1: 1.0}),
            write_run("dclas", {1: 1.0})]  # fmt: skip
    shown = figure_data.first_runs(runs, "fair")
    assert [(run.scheduler, run.repeat) for run in shown] == [("fair", 0), ("dclas", 0), ("sebf", 0)]
