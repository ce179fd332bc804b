from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from run_factory import F, finish_at, gammas_of, make_plan
from run_writer import WriteRun

from testbed.commands.compare import command as compare
from testbed.commands.report import command as report
from testbed.errors import RecordsError, SpecError
from testbed.records.run_directory import create


def call(command: object, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], standalone_mode=False)  # type: ignore[arg-type]
    if result.exception is not None:
        raise result.exception
    return result


def two_runs(write_run: WriteRun) -> None:
    write_run("fair", {1: 2.0, 2: 6.0, 3: 4.0})
    write_run("sebf", {1: 1.0, 2: 4.0, 3: 1.0})


def test_the_report_says_the_verdict_first_and_then_the_summary(write_run: WriteRun, tmp_path: Path) -> None:
    two_runs(write_run)
    result = call(report, tmp_path)
    assert [line.rstrip() for line in result.output.splitlines()] == [
        "verdict: valid (every check that could be made is within its limit)",
        "scheduler  source      runs  coflows  mean s  median s  p95 s  p99 s  CCT/Gamma  vs fair  per coflow  verdict",
        "fair       simulation     1        3   4.000     4.000  5.800  5.960       4.00    1.00x       1.00x  valid",
        "sebf       simulation     1        3   2.000     1.000  3.700  3.940       2.00    2.00x       2.00x  valid",
        "CCT/Gamma: mean slowdown. vs fair: mean CCT of fair / mean CCT of the same coflows, above 1 is better; per "
        "coflow: median of that ratio.",
        "not drawn: emulated-vs-simulated: no coflow was both emulated and simulated",
        "not drawn: gantt-emulation: no emulation",
        "not drawn: link-utilisation: the port counters were not sampled",
        "not drawn: departures: no departures from a saturated link were noted",
        f"plots: 8 files in {tmp_path}/report",
        f"report: {tmp_path}/report/report.html",
    ]
    assert result.return_value == 0
    assert (tmp_path / "report" / "cct-cdf.pdf").exists()


def test_an_invalid_run_is_loud_and_exits_with_3(write_run: WriteRun, tmp_path: Path) -> None:
    two_runs(write_run)
    plan = make_plan([F(1, 0, 1, 1_000_000)], {1: 0.0}, scheduler="scf")
    outcome = finish_at(plan, {1: 2.0}, "simulation")
    outcome.received_bytes[0] = 7
    run = create(tmp_path, plan, "simulation")
    run.write_outcome(outcome, gammas_of(plan))
    result = call(report, tmp_path, "--out", tmp_path / "plots")
    lines = result.output.splitlines()
    assert lines[:4] == [
        "verdict: INVALID (do not use these figures)",
        f"  {run.path.name}",
        "    conservation of bytes: 1 flows (at most 0 flows): invalid",
        "    flow 0 of 1000000 bytes sent 1000000 and delivered 7; bytes were lost or counted twice: do not use this "
        "run, and report it with its logs",
    ]
    assert any(line.startswith("scf ") and line.rstrip().endswith("invalid") for line in lines)
    assert result.return_value == 3


def test_the_report_as_json(write_run: WriteRun, tmp_path: Path) -> None:
    two_runs(write_run)
    interrupted = create(tmp_path, make_plan([F(1, 0, 1, 1)], {1: 0.0}), "emulation").path
    document = json.loads(call(report, tmp_path, "--json").output)
    assert document["verdict"] == "valid"
    assert [row["factor"] for row in document["summary"]] == [1.0, 2.0]
    assert document["notes"] == [
        f"left out: {interrupted}: incomplete: the run was interrupted before its records were written"
    ]
    assert len(document["plots"]) == 8
    assert Path(document["page"]).read_text().startswith("<!doctype html>")
    assert document["agreement"] == []
    assert document["plots_omitted"]["gantt-emulation"] == "no emulation"


def test_plots_of_one_run_go_into_it(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run("fair", {1: 2.0})
    call(report, run.path)
    assert (run.path / "report" / "cct-cdf.png").exists()
    call(report, tmp_path, "--json")  # the plots inside the run do not disturb its being found


def test_compare_prints_bins_with_intervals(write_run: WriteRun, tmp_path: Path) -> None:
    two_runs(write_run)
    lines = [line.rstrip() for line in call(compare, tmp_path, "--short", "2 MB", "--narrow", 50).output.splitlines()]
    assert lines[0] == "tiny; S/L: longest flow under / from 2 MB; N/W: up to / over 50 flows"
    assert lines[1].split() == ["scheduler", "source", "bin", "coflows", "mean", "s", "95", "%", "median", "s", "p95",
                                "s", "p99", "s", "CCT/Gamma", "vs", "fair", "95", "%", "per", "coflow"]  # fmt: skip
    assert [line.split()[:4] for line in lines[2:6]] == [
        ["fair", "simulation", "all", "3"], ["fair", "simulation", "SN", "3"],
        ["sebf", "simulation", "all", "3"], ["sebf", "simulation", "SN", "3"],
    ]  # fmt: skip
    assert lines[6] == "95 %: bootstrap confidence intervals over coflows."


def test_compare_as_csv_and_json(write_run: WriteRun, tmp_path: Path) -> None:
    two_runs(write_run)
    document = json.loads(call(compare, tmp_path, "--json", "--csv", tmp_path / "table.csv").output)
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["rows"])
    assert list(rows[0]) == [
        "experiment", "source", "scheduler", "bin", "runs", "coflows", "unfinished", "mean_s", "median_s", "p95_s",
        "p99_s", "slowdown_mean", "slowdown_median", "slowdown_p95", "mean_low_s", "mean_high_s", "factor",
        "factor_low", "factor_high", "factor_median", "pairs", "interval",
    ]  # fmt: skip
    assert float(rows[-1]["factor"]) == pytest.approx(document["rows"][-1]["factor"])
    assert document["baseline"] == "fair"


def test_wrong_options_are_clear_errors(write_run: WriteRun, tmp_path: Path) -> None:
    two_runs(write_run)
    with pytest.raises(SpecError) as error:
        call(compare, tmp_path, "--short", "2")
    assert str(error.value).startswith("--short: not a size: '2', expected the form '256 KB'")
    with pytest.raises(SpecError) as error:
        call(report, tmp_path, "--baseline", "fiar")
    assert str(error.value) == "--baseline: unknown scheduler 'fiar'; did you mean 'fair'? known: fair, sebf"
    with pytest.raises(RecordsError) as failed:
        call(report, tmp_path / "none")
    assert str(failed.value) == f"{tmp_path}/none: no such directory; expected a run directory or a folder of them"
    assert not (tmp_path / "report").exists()
