"""`testbed sweep` as a user runs it: what it makes, and that breaking it off loses only the runs in hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from small_sweep import EXPERIMENT, Start

from testbed.analysis.sweep_table import sweep_table
from testbed.cli import main
from testbed.display import Display
from testbed.runner import run_simulated
from testbed.spec.reader import load_experiment
from testbed.sweep.points import sweep_runs

SLOWER = EXPERIMENT.replace("coflows: 12", "coflows: 60").replace("[0.3, 0.9]", "[0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]")
DEADLINE_S = 150.0


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["sweep", *arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def finished(folder: Path) -> dict[str, bytes]:
    """Run -> its manifest, of the runs that are complete."""
    manifests = {path.parent.name: path.read_bytes() for path in (folder / "runs").glob("*/manifest.json")}
    return {name: text for name, text in manifests.items() if b'"status": "complete"' in text}


def wait_for_runs(folder: Path, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while len(finished(folder)) < count:
        assert time.monotonic() < deadline, f"no {count} runs within {DEADLINE_S} s"
        time.sleep(0.01)


def simulate_in_turn(like: Path, folder: Path) -> None:
    """The same runs in another folder, one after the other in this process, and their table."""
    runs = sweep_runs(load_experiment(Path("load.yml")))
    for each in reversed(runs):
        run_simulated(each.plan(), folder / "runs", Display(Console(quiet=True)), name=each.name)
    shutil.copy(like / "sweep.json", folder)
    sweep_table(folder).write(folder)


def test_a_sweep_interrupted_and_killed_goes_on_and_ends_as_one_that_was_not(folder: Path, start: Start) -> None:
    (folder / "load.yml").write_text(SLOWER)
    broken, whole = folder / "broken", folder / "whole"
    process = start("load.yml", "--out", str(broken), "--workers", "2")
    wait_for_runs(broken, 2)
    os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches the workers too
    _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    first = finished(broken)
    assert 2 <= len(first) < 28
    assert f"{len(first)} of 28 runs are finished and kept; the same command goes on from here" in said

    process = start("load.yml", "--out", str(broken), "--workers", "2")
    wait_for_runs(broken, len(first) + 2)
    process.kill()
    process.communicate()
    second = finished(broken)
    assert len(second) < 28

    process = start("load.yml", "--out", str(broken), "--workers", "2", "--json")
    out, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, said
    last = finished(broken)
    assert len(last) == len(json.loads(out)["runs"]) == 28
    assert {name: last[name] for name in second} == second == {**second, **first}  # none was made again
    assert len(list((broken / "runs").iterdir())) == 28

    simulate_in_turn(broken, whole)
    for table in ("table.csv", "table.parquet"):
        assert (broken / table).read_bytes() == (whole / table).read_bytes()


def test_the_folder_of_a_sweep(folder: Path, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    process = start("load.yml", "--workers", "1")
    out, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, said
    path = folder / "results/sweeps/load"
    assert out.splitlines()[-1] == "8 runs; table and plots in results/sweeps/load"
    assert "8 runs; 8 simulated to go, about" in said
    table = pd.read_csv(path / "table.csv")
    key = ["workload.load", "repeat", "scheduler"]
    assert table[key].values.tolist() == [[load, repeat, name] for load in (0.3, 0.9) for repeat in (0, 1)
                                          for name in ("fair", "sebf")]  # fmt: skip
    assert (table["coflows"] == 12).all()
    assert (table["mean_s"] > table["median_s"]).all()
    assert table["verdict"].tolist() == ["valid"] * 8
    assert pd.read_parquet(path / "table.parquet").values.tolist() == table.values.tolist()
    assert all((path / "runs" / name / "coflows.csv").exists() for name in table["run"])
    assert sorted(plot.name for plot in (path / "plots").iterdir()) == [
        "mean-cct-by-workload-load.pdf",
        "mean-cct-by-workload-load.png",
    ]
    listed = json.loads((path / "sweep.json").read_text())
    assert listed["vary"] == {"workload.load": [0.3, 0.9]}
    assert [entry["run"] for entry in listed["runs"]] == table["run"].tolist()

    before = finished(path)
    assert run("load.yml") == 0  # nothing is left: no process is started
    assert "8 runs, 8 of them finished; nothing is left to run" in capsys.readouterr().err
    assert finished(path) == before

    with pytest.raises(SystemExit) as stop:
        main(["report", str(path), "--json"])
    assert stop.value.code == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert [(row["experiment"], row["scheduler"], row["runs"]) for row in summary] == [
        (f"load(load={load})", name, 2) for load in (0.3, 0.9) for name in ("fair", "sebf")
    ]


def test_a_run_that_fails_is_named_and_the_others_go_on(folder: Path, start: Start) -> None:
    (folder / "s/runs").mkdir(parents=True)
    broken = sweep_runs(load_experiment(Path("load.yml")))[5].name
    (folder / "s/runs" / broken).write_text("a file where its folder should be")
    process = start("load.yml", "--out", "s", "--workers", "1")
    out, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    error = f"{folder.resolve()}/s/runs/{broken}: the run directory cannot be made (File exists)"
    assert f"failed: {broken}: {error}\n" in said
    assert out.splitlines()[-2:] == [f"failed: {broken}: {error}", "7 runs; table and plots in s"]
    assert json.loads((folder / "s/sweep.json").read_text())["failed"] == {broken: error}
    assert len(pd.read_csv(folder / "s/table.csv")) == 7

    (folder / "s/runs" / broken).unlink()
    process = start("load.yml", "--out", "s", "--workers", "1")
    _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, said
    assert len(pd.read_csv(folder / "s/table.csv")) == 8
    assert json.loads((folder / "s/sweep.json").read_text())["failed"] == {}


def test_finished_runs_of_a_verdict_are_made_again_when_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out"
    assert run("load.yml", "--out", str(out)) == 0
    before = finished(out)
    disturbed = sorted(before)[3]
    fidelity = out / "runs" / disturbed / "fidelity.json"
    fidelity.write_text(fidelity.read_text().replace('"verdict": "valid"', '"verdict": "degraded"'))
    assert run("load.yml", "--out", str(out)) == 0
    assert finished(out) == before
    capsys.readouterr()
    assert run("load.yml", "--out", str(out), "--again", "degraded", "--dry-run", "--json") == 0
    left = [entry["run"] for entry in json.loads(capsys.readouterr().out)["runs"] if not entry["finished"]]
    assert left == [disturbed]
    assert run("load.yml", "--out", str(out), "--again", "degraded") == 0
    after = finished(out)
    assert [name for name in before if after[name] != before[name]] == [disturbed]
    assert json.loads(fidelity.read_text())["verdict"] == "valid"
    assert run("load.yml", "--out", str(out), "--again", "degraded", "--again", "invalid") == 0
    assert finished(out) == after


def test_a_dry_run_starts_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("load.yml", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["workload.load", "scheduler", "source", "repeat", "seed", "flows"]
    assert lines[1].split()[:5] == ["0.3", "fair", "simulation", "0", "1"]
    assert lines[1].split()[6:] == ["to", "go"]
    assert len(lines) == 10
    assert lines[-1].startswith("results/sweeps/load: 8 runs; 8 simulated to go, about ")
    assert [path.name for path in folder.iterdir()] == ["load.yml"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--set", "vary={workload.lode: [1, 2]}"],
            "--set vary={workload.lode: [1, 2]}: workload.lode: unknown key 'lode'; did you mean 'load'?",
        ),
        (["--set", "vary={}"], "load.yml: varies nothing; expected vary: {FIELD: [VALUE, ...]} in it, or --set"),
        (["--set", "workload.load=0.5"], "--set workload.load=0.5: the experiment varies workload.load, so this would"),
        (["--set", "vary={seed: [1, 2]}", "--seed", "3"], "--seed 3: the experiment varies seed, so this would"),
        (["--cluster", "tcp://127.0.0.1:1"], "--cluster tcp://127.0.0.1:1: no Dask scheduler answers there"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    folder: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("load.yml", *options) == (1 if "--cluster" in options else 2)
    assert message in capsys.readouterr().err
    assert not list(folder.glob("results/sweeps/load/runs/*"))


def test_a_folder_holds_one_sweep(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "s").mkdir()
    (folder / "s/sweep.json").write_text('{"format": 1, "experiment": "other", "runs": []}')
    assert run("load.yml", "--out", "s") == 2
    assert capsys.readouterr().err == (
        "error: s: holds the sweep of 'other', not of 'load'; name another folder with --out\n"
    )


def test_two_sweeps_do_not_share_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from testbed.records.sweep_folder import SweepFolder

    with SweepFolder(folder / "s").held():
        assert run("load.yml", "--out", "s") == 1
    assert capsys.readouterr().err == (
        "error: s: another sweep is at work in this folder; wait for it, or name another one with --out\n"
    )


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_other_commands_point_to_sweep(folder: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "load.yml"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "error: load.yml: varies workload.load (2 combinations), which `testbed sweep load.yml` runs; "
        "--set vary={} runs the experiment without\n"
    )
