"""How long a sweep is said to take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.spec.reader import load_experiment
from testbed.sweep.estimate import START_S, estimate, guess_s
from testbed.sweep.points import SweepRun, sweep_runs


@pytest.fixture
def runs(folder: Path) -> list[SweepRun]:
    """Four under fair (rows 0 and 2 of each point), four under sebf, each with 1000 flows and 40 s to send."""
    return [replace(run, flows=1000, least_s=40.0) for run in sweep_runs(load_experiment(Path("load.yml")))]


def test_without_finished_runs_it_is_a_guess_from_the_plans(runs: list[SweepRun]) -> None:
    expected = estimate(runs, {}, runs, workers=2)
    assert expected.seconds == pytest.approx(START_S + 4 * guess_s(runs[0]))
    assert expected.basis == "a rough guess from the size of the plans"
    twice = [replace(run, flows=2_001_000) for run in runs]
    assert guess_s(twice[0]) - guess_s(runs[0]) == pytest.approx(400.0)


def test_finished_runs_of_a_scheduler_tell_about_its_others(runs: list[SweepRun]) -> None:
    took = {runs[0].name: 7.0, runs[1].name: 70.0}  # one under fair, one under sebf
    left = [run for run in runs if run.name not in took]
    expected = estimate(left, took, runs, workers=1)
    assert expected.seconds == pytest.approx(START_S + 3 * 7.0 + 3 * 70.0)
    assert expected.basis == "from 2 finished runs"


def test_one_slow_run_holds_up_the_end_however_many_processes_there_are(runs: list[SweepRun]) -> None:
    took = {runs[0].name: 7.0, runs[1].name: 70.0}
    assert estimate(runs[2:], took, runs, workers=100).seconds == pytest.approx(START_S + 70.0)


def test_emulations_follow_one_another(runs: list[SweepRun]) -> None:
    emulated = [replace(run, source="emulation", name=f"e{i}") for i, run in enumerate(runs)]
    assert estimate(emulated, {}, emulated, workers=8).seconds == pytest.approx(8 * guess_s(emulated[0]))
    assert guess_s(emulated[0]) > 40.0
    mixed = estimate([emulated[0], runs[0]], {}, [emulated[0], runs[0]], workers=8)
    assert mixed.seconds == pytest.approx(guess_s(emulated[0]) + START_S + guess_s(runs[0]))


def test_nothing_left_takes_no_time(runs: list[SweepRun]) -> None:
    assert estimate([], {run.name: 1.0 for run in runs}, runs, workers=2).seconds == 0
