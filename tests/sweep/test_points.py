"""Which runs a sweep has, and what tells them apart."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from small_sweep import EXPERIMENT

from testbed.errors import SpecError
from testbed.spec.reader import load_experiment
from testbed.sweep.points import SweepRun, sweep_runs


def runs_of(text: str, *overrides: str) -> list[SweepRun]:
    Path("load.yml").write_text(text)
    return sweep_runs(load_experiment(Path("load.yml"), overrides))


def test_every_combination_repeat_scheduler_and_back_end_is_there(folder: Path) -> None:
    vary = "vary: {workload.load: [0.3, 0.9], scheduler: [fair, {name: dclas, queues: 4}], topology.k: [2, 4]}\n"
    runs = runs_of(EXPERIMENT.split("vary")[0].replace("simulation", "[emulation, simulation]") + vary)
    found = [(run.values["workload.load"], run.scheduler.title, run.values["topology.k"], run.repeat, run.source)
             for run in runs]  # fmt: skip
    assert found == [
        (load, scheduler, k, repeat, source)
        for load in (0.3, 0.9)
        for scheduler in ("fair", "dclas(queues=4)")
        for k in (2, 4)
        for repeat in (0, 1)
        for source in ("emulation", "simulation")
    ]
    assert len({run.key for run in runs}) == len({run.name for run in runs}) == len(runs)
    assert runs[0].name == f"load-load=0.3-k=2-fair-0-{runs[0].key}"
    assert runs[-1].name == f"load-load=0.9-k=4-dclas-queues=4-1-sim-{runs[-1].key}"


def test_a_varied_seed_is_the_seed_of_the_runs(folder: Path) -> None:
    runs = runs_of(EXPERIMENT + "seed: 90\n", "vary={seed: [1, 5]}", "schedulers=[fair]")
    assert [run.seed for run in runs] == [1, 2, 5, 6]
    assert {run.plan().experiment for run in runs} == {"load"}


def test_keys_stay_where_plans_stay_and_change_where_plans_change(folder: Path) -> None:
    keys = [run.key for run in runs_of(EXPERIMENT)]
    assert [run.key for run in runs_of("# the same\n" + EXPERIMENT)] == keys
    more = runs_of(EXPERIMENT.replace("[fair, sebf]", "[scf, fair, sebf]").replace("repeats: 2", "repeats: 3"))
    assert set(keys) < {run.key for run in more}
    for change in (("coflows: 12", "coflows: 13"), ("min_bytes: 1 MB", "min_bytes: 2 MB"), ("k: 4", "k: 6"),
                   ("k: 4}", "k: 4, tcp: {initcwnd: 9}}"), ("repeats: 2", "seed: 7\nrepeats: 2")):  # fmt: skip
        assert not set(keys) & {run.key for run in runs_of(EXPERIMENT.replace(*change))}, change
    assert set(keys).isdisjoint(
        run.key for run in runs_of(EXPERIMENT, "schedulers=[fifo, {name: sebf, backfill: false}]")
    )


def test_a_run_makes_its_own_plan_elsewhere(folder: Path) -> None:
    run = runs_of(EXPERIMENT)[-1]
    plan = pickle.loads(pickle.dumps(run)).plan()
    assert (plan.experiment, plan.scheduler.title, plan.repeat, plan.seed) == ("load(load=0.9)", "sebf", 1, 2)
    assert len(plan.flows) == run.flows


def test_a_plan_that_came_out_otherwise_is_not_run(folder: Path) -> None:
    trace = "kind: trace, file: t.txt"
    Path("t.txt").write_text("20 2\n1 0 1 3 1 4:10.0\n2 5 1 3 1 5:10.0\n")
    (run, *_) = runs_of(f"topology: {{kind: fat-tree, k: 4}}\nworkload: {{{trace}}}\nschedulers: [fair]\n"
                        "backends: simulation\nvary: {workload.megabyte: [1 MB, 1 MiB]}\n")  # fmt: skip
    assert run.plan().flows.bytes.tolist() == [10_000_000, 10_000_000]
    Path("t.txt").write_text("20 2\n1 0 1 3 1 4:10.0\n2 5 1 3 1 5:11.0\n")
    with pytest.raises(SpecError, match="the plan made here is not the one of the sweep") as error:
        run.plan()
    assert str(error.value) == (
        f"{run.name}: the plan made here is not the one of the sweep; expected the same version of the testbed and an "
        "unchanged trace file wherever runs are made"
    )


def test_the_same_point_twice_is_a_mistake(folder: Path) -> None:
    with pytest.raises(SpecError) as error:
        runs_of(EXPERIMENT.replace("[0.3, 0.9]", "[0.3, 0.9, 0.3]"))
    assert str(error.value) == (
        "load.yml:1: vary: two runs are the same (workload.load=0.3); expected each value of a field once "
        "('repeats' repeats)"
    )


def test_what_cannot_be_planned_is_found_before_anything_starts(folder: Path) -> None:
    with pytest.raises(SpecError, match=r"workload\.unlabelled\.coflow"):
        runs_of(EXPERIMENT, "vary={workload.unlabelled: [{coflow: 1, flows: 0}, {coflow: 999, flows: 1}]}")
