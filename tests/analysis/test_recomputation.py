"""Decisions made again from the records of a run: the same where nothing was touched, found where something was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from testbed.analysis.recomputation import INNER_LOOP_TOLERANCE, recompute
from testbed.cli import main
from testbed.errors import RecordsError
from testbed.outcome import Decision, Outcome
from testbed.plan import Plan, SchedulerSetting
from testbed.planning import make_plans
from testbed.records import files
from testbed.records.decision_log import decision_table
from testbed.records.run_directory import create, read_run
from testbed.scheduling.gammas import lone_gammas
from testbed.simulation.engine import simulate
from testbed.spec.reader import load_experiment

SPEC = """
topology: {kind: big-switch, ports: 4, link: {rate: 20 Mbit/s}}
workload:
  kind: synthetic
  coflows: 12
  load: 0.9
  max_width: 6
  size_scale: 0.05
  min_bytes: 100 KB
  max_bytes: 5 MB
  unlabelled: {share: 0.2, seed: 1}
schedulers: [fair]
backends: [simulation]
"""
SCHEDULERS = (
    SchedulerSetting("fair"),
    SchedulerSetting("srpt"),
    SchedulerSetting("sebf"),
    SchedulerSetting("wss"),
    SchedulerSetting("bssi"),
    SchedulerSetting("dclas", {"first_limit": 2e5, "factor": 2}),
    SchedulerSetting("dclas", {"first_limit": 2e5, "sharing": "strict", "sync": 0.01, "minimum_size": 300_000.0}),
)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    spec = tmp_path_factory.mktemp("spec") / "experiment.yml"
    spec.write_text(SPEC)
    return next(make_plans(load_experiment(spec)))


def labelled(plan: Plan) -> Plan:
    """The same with every flow labelled: then the compiled loop runs it."""
    return replace(plan, flows=replace(plan.flows, label=plan.flows.coflow))


def written(results: Path, plan: Plan, outcome: Outcome) -> Path:
    run = create(results, plan, outcome.source)
    run.write_outcome(outcome, lone_gammas(plan))
    return run.path


@pytest.mark.parametrize("setting", SCHEDULERS, ids=lambda setting: setting.title)
def test_what_a_scheduler_was_asked_it_answers_again_to_the_bit(
    plan: Plan, setting: SchedulerSetting, tmp_path: Path
) -> None:
    outcome = simulate(plan.with_scheduler(setting))
    result = recompute(read_run(written(tmp_path, plan.with_scheduler(setting), outcome)))
    assert (result.different, result.first, result.tolerance) == (0, None, 0.0)
    assert result.compared == len(outcome.decisions) > 10


@pytest.mark.parametrize("setting", SCHEDULERS, ids=lambda setting: setting.title)
def test_what_the_compiled_loop_decided_comes_out_within_rounding(
    plan: Plan, setting: SchedulerSetting, tmp_path: Path
) -> None:
    whole = labelled(plan).with_scheduler(setting)
    outcome = simulate(whole)
    result = recompute(read_run(written(tmp_path, whole, outcome)))
    inner = setting.name != "srpt" and "minimum_size" not in setting.parameters
    assert outcome.facts.get("inner_loop", False) == inner
    assert result.tolerance == (INNER_LOOP_TOLERANCE if inner else 0.0)
    assert (result.different, result.first) == (0, None)
    assert result.compared == len(outcome.decisions) > 10


@pytest.fixture
def recorded(plan: Plan, tmp_path: Path) -> tuple[Path, list[Decision]]:
    sebf = plan.with_scheduler(SchedulerSetting("sebf"))
    outcome = simulate(sebf)
    return written(tmp_path, sebf, outcome), outcome.decisions


def rewrite(path: Path, decisions: list[Decision]) -> None:
    files.write_parquet(path / "decisions.parquet", decision_table(decisions))


def test_a_cap_that_differs_in_its_last_bit_is_found(
    recorded: tuple[Path, list[Decision]], capsys: pytest.CaptureFixture[str]
) -> None:
    path, decisions = recorded
    at = next(number for number, decision in enumerate(decisions) if np.isfinite(decision.cap_Bps).any())
    then = decisions[at]
    row = int(np.flatnonzero(np.isfinite(then.cap_Bps) & (then.cap_Bps > 0))[0])
    cap = then.cap_Bps.copy()
    cap[row] = np.nextafter(cap[row], np.inf)
    decisions[at] = replace(then, cap_Bps=cap)
    rewrite(path, decisions)
    with pytest.raises(SystemExit) as ended:
        main(["replay-decisions", str(path)])
    assert ended.value.code == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{path}: {len(decisions)} decisions compared (to the bit), 1 different"
    assert second == (
        f"the first: decision {at} at {then.at_s:.9g} s ({then.reason}): cap_Bps of flow {then.flows[row]} is "
        f"{cap[row]} on record, {then.cap_Bps[row]} computed"
    )


def test_what_the_scheduler_saw_counts(recorded: tuple[Path, list[Decision]]) -> None:
    path, decisions = recorded
    rewrite(path, [replace(decision, received=np.zeros(len(decision.flows))) for decision in decisions])
    result = recompute(read_run(path))
    assert 0 < result.different < result.compared == len(decisions)


def test_the_command_says_that_all_came_out(
    recorded: tuple[Path, list[Decision]], capsys: pytest.CaptureFixture[str]
) -> None:
    path, decisions = recorded
    with pytest.raises(SystemExit) as ended:
        main(["replay-decisions", str(path), "--json"])
    assert ended.value.code == 0
    assert f'"compared": {len(decisions)}' in capsys.readouterr().out


def test_a_log_that_does_not_fit_the_plan(recorded: tuple[Path, list[Decision]], plan: Plan) -> None:
    path, decisions = recorded
    rewrite(path, [replace(decisions[0], flows=decisions[0].flows + 1000)])
    with pytest.raises(RecordsError) as caught:
        recompute(read_run(path))
    last, count = int(decisions[0].flows.max()) + 1000, len(plan.flows)
    assert str(caught.value) == (
        f"{path}/decisions.parquet: decision 0: flow {last} is not in the plan, which has {count} flows"
    )


def test_a_log_of_another_version(recorded: tuple[Path, list[Decision]]) -> None:
    path, decisions = recorded
    table: pa.Table = decision_table(decisions).drop_columns(["received"])
    files.write_parquet(path / "decisions.parquet", table)
    with pytest.raises(RecordsError) as caught:
        recompute(read_run(path))
    assert str(caught.value) == (
        f"{path}/decisions.parquet: column 'received' is missing; written by another version of the testbed"
    )
