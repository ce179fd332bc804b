"""Runs with faults from their records: decisions come out the same again, and the report says what happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.analysis.fault_notes import fault_notes
from testbed.analysis.recomputation import recompute
from testbed.display import Display
from testbed.errors import RecordsError
from testbed.plan import Plan, SchedulerSetting
from testbed.planning import make_plans
from testbed.records.run_directory import Run, create, read_run
from testbed.runner import run_simulated
from testbed.scheduling.gammas import lone_gammas
from testbed.simulation.engine import simulate
from testbed.spec.reader import load_experiment

EXPERIMENT = Path(__file__).parents[2] / "experiments/faults.yml"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return next(make_plans(load_experiment(EXPERIMENT)))


@pytest.mark.parametrize("scheduler", ["fair", "sebf", "srpt", "dclas"])
def test_decisions_come_out_the_same_with_the_capacities_and_paths_of_their_time(
    plan: Plan, scheduler: str, tmp_path: Path
) -> None:
    run = read_run(run_simulated(plan.with_scheduler(SchedulerSetting(scheduler)), tmp_path, Display()))
    assert run.fidelity.verdict == "valid"
    found = recompute(run)
    assert (found.different, found.first) == (0, None)
    assert found.compared == run.facts["decisions"]
    assert run.samples["faults"]["fault"].tolist() == ["link a0-c0 down", "link a0-c0 up"]


def test_a_log_that_knows_of_more_faults_than_the_plan_is_refused(plan: Plan, tmp_path: Path) -> None:
    directory = create(tmp_path, replace(plan, faults=()), "simulation")
    directory.write_outcome(simulate(plan), lone_gammas(plan))
    with pytest.raises(RecordsError) as caught:
        recompute(read_run(directory.path))
    assert str(caught.value).endswith("decisions.parquet: decision 2: 1 faults; the plan has 0")


def emulated(plan: Plan, tmp_path: Path, routed_s: float) -> Run:
    """A run whose records say that it was emulated; its figures are another's."""
    outcome = simulate(plan)
    outcome.source = "emulation"
    outcome.facts["faults"] = {"planned": 2, "happened": 2, "routed_max_s": routed_s, "late_max_s": 0.02}
    directory = create(tmp_path, plan, "emulation")
    directory.write_outcome(outcome, lone_gammas(plan))
    return read_run(directory.path)


def test_what_the_report_says_of_them(plan: Plan, tmp_path: Path) -> None:
    simulated = read_run(run_simulated(plan, tmp_path, Display()))
    runs = [simulated, emulated(plan, tmp_path, 0.1), emulated(plan, tmp_path, 0.25)]
    what = "faults: link a0-c0 down at 2 s; link a0-c0 up at 5 s"
    assert list(fault_notes(runs)) == [
        f"faults, simulation: {what}",
        f"faults, emulation: {what}. Each was true at most 20 ms late; routes had followed within 250 ms",
    ]
