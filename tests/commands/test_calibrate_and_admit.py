"""`testbed calibrate`, and what `check`, `plan` and `run` make of a stored calibration, run as a user runs them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from testbed.calibration import store
from testbed.calibration.model import Cost
from testbed.calibration.store import Calibration, Datapath
from testbed.cli import main
from testbed.plan import read_plan
from testbed.planning import make_plans
from testbed.spec.reader import load_experiment
from testbed.sweep.points import sweep_runs

MADE_UP = Calibration(
    date="2026-01-31T12:00:00+00:00",
    versions={"testbed": "0"},
    machine=store.this_machine(),
    topology="fat-tree k=4",
    datapaths={"ovs-user": Datapath(Cost(10e-6, 1e-9), ())},
    timer_lag_s={"median": 6e-5, "p99": 2e-4},
    container_start_s=0.2,
    host_memory_bytes=1_000_000,
)
EXPERIMENT = """\
topology: {kind: fat-tree, k: 4, datapath: ovs-user, link: {rate: auto}}
workload:
  kind: explicit
  coflows:
    - {id: 1, flows: [{from: 0, to: 9, size: 5 MB}]}
schedulers: [fair, sebf]
"""
ALL_TO_ALL = """\
workload: {kind: explicit, coflows: [{id: 1, shuffle: {mappers: [0, 1, 2, 3, 4, 5, 6, 7],
  reducers: {8: 400 MB, 9: 400 MB, 10: 400 MB, 11: 400 MB, 12: 400 MB, 13: 400 MB, 14: 400 MB, 15: 400 MB}}}]}
topology: {kind: fat-tree, k: 4, datapath: ovs-user, link: {rate: 200 Mbit/s}}
schedulers: [fair]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiment, and an empty place for the calibration."""
    monkeypatch.delenv(store.VARIABLE)
    monkeypatch.setattr(store, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    (tmp_path / "e.yml").write_text(EXPERIMENT)
    (tmp_path / "all.yml").write_text(ALL_TO_ALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def plan_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_auto_without_a_calibration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "e.yml") == 2
    assert capsys.readouterr().err == (
        "error: e.yml:1: topology.link.rate: auto: no calibration of this machine is stored; "
        "run `testbed calibrate` (as root), or write a rate such as '20 Mbit/s'\n"
    )


def test_auto_with_a_calibration_of_another_version(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = store.write(MADE_UP)
    path.write_bytes(orjson.dumps({**MADE_UP.document(), "format": 0}))
    assert run("plan", "e.yml") == 2
    assert capsys.readouterr().err == (
        f"error: e.yml:1: topology.link.rate: auto: {path}: format 0, expected 1: written by another version of the "
        "testbed; run `testbed calibrate` (as root)\n"
    )


def test_auto_with_a_calibration_that_lacks_the_datapath(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.write(MADE_UP)
    assert run("plan", "e.yml", "--set", "topology.datapath=router") == 2
    assert capsys.readouterr().err == (
        "error: e.yml:1: topology.link.rate: auto: the calibration of 2026-01-31T12:00:00+00:00 has no figures of "
        "datapath router; run `testbed calibrate --datapath router` (as root)\n"
    )


def test_auto_takes_the_proposal_and_says_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.write(MADE_UP)
    assert run("plan", "e.yml", "--out", "plans") == 0
    lines = plan_lines(capsys)
    assert lines[1:3] == ["topology fat-tree k=4, 25 Mbit/s", "network 16 hosts, 20 switches, 48 cables of 25 Mbit/s"]
    plan = read_plan(Path("plans/000-fair-0"))
    assert {link.rate_bps for link in plan.fabric.links} == {25e6}
    assert plan.spec["topology"]["link"]["rate"] == "25000000.0 bit/s"
    assert plan.calibration["rate"] == {
        "rate_bps": 25e6,
        "datapath": "ovs-user",
        "share": pytest.approx(0.6645, abs=1e-4),
        "figures": {"origin": "calibration of 2026-01-31", "frame_s": 10e-6, "byte_s": 1e-9},
    }
    assert run("plan", "e.yml", "--out", "again") == 0
    assert Path("again/000-fair-0/plan.json").read_bytes() == Path("plans/000-fair-0/plan.json").read_bytes()


def test_a_simulated_run_records_the_figures(folder: Path) -> None:
    store.write(MADE_UP)
    assert run("simulate", "e.yml", "--scheduler", "fair", "--out", "results") == 0
    (directory,) = Path("results").glob("*-sim")
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["calibration"]["rate"]["rate_bps"] == 25e6


def test_plan_says_how_much_of_the_machine_each_run_takes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.write(MADE_UP)
    assert run("plan", "e.yml", "--set", "topology.link.rate=20 Mbit/s") == 0
    lines = plan_lines(capsys)
    load = next(line for line in lines if line.startswith("load"))
    # One flow over five switches is a sixteenth of what all hosts are.
    assert load == (
        "load busiest second 3% of what ovs-user carries (2,073 frames x hops/s, 12.5 MB x hops/s), average 3%, "
        "all hosts at full rate 53%"
    )
    assert "sebf 0 1 1 1 5 MB 2.02 s 3%" in lines
    assert run("plan", "e.yml", "--json") == 0
    runs = json.loads(capsys.readouterr().out)
    assert [each["admission"]["verdict"] for each in runs] == ["fits", "fits"]


def test_plan_without_a_calibration_says_that_figures_are_built_in(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("plan", "e.yml", "--set", "topology.link.rate=20 Mbit/s") == 0
    assert "figures built-in figures; run `testbed calibrate` (as root) to measure this machine" in plan_lines(capsys)


def test_plans_that_are_only_simulated_ask_nothing_of_the_machine(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write(MADE_UP)
    assert run("plan", "e.yml", "--json", "--set", "backends=[simulation]") == 0
    assert [each["admission"] for each in json.loads(capsys.readouterr().out)] == [None, None]


def test_run_refuses_what_is_far_too_much_before_anything_starts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.write(MADE_UP)
    assert run("run", "all.yml") == 1
    assert capsys.readouterr().err == (
        "error: all, fair: the plan needs 266% of what ovs-user forwards here in its busiest second (calibration of "
        "2026-01-31); any workload fits with link.rate 25 Mbit/s or k 2. --force runs it all the same\n"
    )
    assert not Path("results").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may calibrate")
def test_calibrate_needs_root(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate") == 1
    assert capsys.readouterr().err == ("error: calibration needs root: it emulates networks; run it again with sudo\n")


def test_calibrate_refuses_an_unknown_datapath(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", "--datapath", "ovs") == 2
    assert "Invalid value for '--datapath': 'ovs' is not one of" in capsys.readouterr().err


def test_a_calibration_of_another_machine_leaves_the_built_in_figures(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store.write(replace(MADE_UP, machine=store.Machine("5.10.0-1-amd64", "Some CPU", 64)))
    assert run("plan", "e.yml", "--json", "--scheduler", "fair", "--set", "topology.link.rate=20 Mbit/s") == 0
    (planned,) = json.loads(capsys.readouterr().out)
    assert planned["admission"]["origin"] == (
        f"built-in figures; {path}: was measured on another machine (kernel 5.10.0-1-amd64, 64 cores of Some CPU); "
        f"this one has {store.this_machine()}; run `testbed calibrate` (as root)"
    )


def test_a_plan_on_built_in_figures_is_warned_of_and_not_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("plan", "all.yml", "--json") == 0
    (planned,) = json.loads(capsys.readouterr().out)
    assert planned["admission"]["busiest"] > 1.5
    assert planned["admission"]["verdict"] == "near the limit"


@pytest.mark.parametrize("field", ["topology.k", "topology.link.mtu"])
def test_auto_follows_what_an_experiment_varies(folder: Path, field: str) -> None:
    store.write(MADE_UP)
    values = {"topology.k": [2, 4], "topology.link.mtu": [1500, 9000]}[field]
    (folder / "e.yml").write_text(EXPERIMENT.replace("to: 9", "to: 1") + f"vary: {{{field}: {values}}}\n")
    rates = {plan.fabric.links[0].rate_bps for plan in make_plans(load_experiment(folder / "e.yml"))}
    assert len(rates) == 2


def test_a_sweep_plans_the_same_runs_again_with_auto(folder: Path) -> None:
    store.write(MADE_UP)
    (folder / "e.yml").write_text(EXPERIMENT + "vary: {seed: [1, 2]}\nbackends: [simulation]\n")
    for run_ in sweep_runs(load_experiment(folder / "e.yml")):
        store.write(replace(MADE_UP, datapaths={"ovs-user": Datapath(Cost(1e-6, 1e-9), ())}))
        assert run_.plan().fabric.links[0].rate_bps == 25e6  # as planned, whatever was calibrated since
