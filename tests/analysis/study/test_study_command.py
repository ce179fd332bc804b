"""`testbed study` as a user runs it: the plan first, all sweeps, one report, and again with nothing left to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from testbed.cli import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["study", *arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def tables(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "tables").iterdir()}


def test_a_study_goes_on_where_it_was_broken_off_and_ends_the_same(
    specs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = [str(specs), "--out", str(out), "--backends", "simulation", "--workers", "1"]
    assert run(*arguments) == 0
    said = capsys.readouterr()
    assert "a-behind: 12 runs; 6 simulated to go, about" in said.err
    assert "d-shares: 8 runs; 8 simulated to go, about" in said.err
    assert "d-trace: left out: there is no trace file missing.txt (" in said.err
    assert said.out.splitlines()[-1] == f"report: {out}/report.html"
    first = tables(out)
    assert set(first) == {"a-behind.csv", "a-behind-runs.csv", "d-shares.csv"}

    made = sorted((out / "a-behind/runs").iterdir())
    kept = {path.name: path.stat().st_mtime_ns for path in made[1:]}
    shutil.rmtree(made[0])
    shutil.rmtree(out / "d-shares")
    assert run(*arguments) == 0
    assert "a-behind: 12 runs, 5 of them finished; 1 simulated to go, about" in capsys.readouterr().err
    assert tables(out) == first
    assert {path.name: path.stat().st_mtime_ns for path in sorted((out / "a-behind/runs").iterdir())[1:]} == kept


def test_a_dry_run_starts_and_writes_nothing(specs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(specs), "--out", str(tmp_path / "out"), "--dry-run", "--backends", "emulation") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a-behind: 12 runs; 6 emulated to go, about ")
    assert lines[1] == "d-shares: 8 runs; nothing is left to run"
    assert lines[-1].startswith(f"{tmp_path}/out: about ")
    assert not (tmp_path / "out").exists()


def test_a_trace_that_is_named_is_used(specs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "t.txt"
    trace.write_text("20 2\n1 0 1 3 1 4:10.0\n2 5 1 3 1 5:10.0\n")
    assert run(str(specs), "--out", str(tmp_path / "out"), "--dry-run", "--trace", str(trace)) == 0
    assert "d-trace: 2 runs; 2 simulated to go, about" in capsys.readouterr().out


def test_what_is_wrong_is_said_before_anything_starts(
    specs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(tmp_path / "none")) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/none: no study; expected a folder with an experiment (NAME.yml) for each of its sweeps\n"
    )
    assert run(str(specs), "--trace", str(tmp_path / "t.txt")) == 2
    assert capsys.readouterr().err == f"error: --trace {tmp_path}/t.txt: no such file; expected a trace file\n"
    (specs / "a-behind.yml").write_text((specs / "a-behind.yml").read_text().split("vary")[0])
    assert run(str(specs), "--dry-run") == 2
    assert capsys.readouterr().err == (
        f"error: {specs}/a-behind.yml: varies nothing; expected vary: {{FIELD: [VALUE, ...]}} in each file of a study\n"
    )
