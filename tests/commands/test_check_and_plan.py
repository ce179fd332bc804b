"""`testbed check` and `testbed plan`, run as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.plan import read_plan


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "t.yml").write_text("kind: fat-tree\nk: 4\n")
    (tmp_path / "w.yml").write_text("kind: explicit\ncoflows:\n  - {id: 1, flows: [{from: 0, to: 9, size: 5 MB}]}\n")
    (tmp_path / "e.yml").write_text("topology: t.yml\nworkload: w.yml\nschedulers: [fair, sebf]\nrepeats: 2\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_check_says_a_line_about_each_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "trace.txt").write_text("20 1\n1 0 2 3 4 1 4:10.0\n")
    (folder / "trace.yml").write_text("kind: trace\nfile: trace.txt\n")
    (folder / "mix.yml").write_text("kind: synthetic\ncoflows: 30\n")
    assert run("check", "t.yml", "w.yml", "trace.yml", "mix.yml", "e.yml") == 0
    assert capsys.readouterr().out.splitlines() == [
        "t.yml: topology: fat-tree k=4, 16 hosts",
        "w.yml: workload: explicit, 1 coflow, 1 flow",
        "trace.yml: workload: trace trace.txt, 20 ports, 1 coflow before selection",
        "mix.yml: workload: synthetic, 30 coflows, load 0.6",
        "e.yml: experiment: fat-tree k=4, 20 Mbit/s; w, 1 coflow, 1 flow, 5 MB; 4 runs",
    ]


def test_check_shows_the_mistakes_of_all_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "t.yml").write_text("kind: fat-tree\nk: 3\n")
    (folder / "trace.txt").write_text("20 1\n1 0 2 3\n")
    (folder / "trace.yml").write_text("kind: trace\nfile: trace.txt\n")
    assert run("check", "t.yml", "w.yml", "trace.yml") == 2
    captured = capsys.readouterr()
    assert captured.out == "w.yml: workload: explicit, 1 coflow, 1 flow\n"
    assert captured.err.splitlines() == [
        "error: t.yml:2: k: expected an even number, found 3; the nearest are 2 and 4",
        "trace.txt:2: the line ends too early: expected port 2 of 2 mappers",
    ]


def test_check_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--json", "t.yml", "missing.yml") == 2
    assert json.loads(capsys.readouterr().out) == {
        "valid": [{"file": "t.yml", "kind": "topology", "summary": "fat-tree k=4, 16 hosts"}],
        "mistakes": ["missing.yml: no such file; expected a YAML file"],
    }


def test_plan_prints_a_summary_and_the_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "e.yml", "--set", "topology.link.rate=10 Mbit/s") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:9] == [
        "experiment e",
        "topology fat-tree k=4, 10 Mbit/s",
        "network 16 hosts, 20 switches, 48 cables of 10 Mbit/s",
        "workload w, 1 coflow",
        "coflows 1, the last arrives at 0 s",
        "flows 1",
        "bytes 5 MB",
        "lone Gamma median 4.04 s, largest 4.04 s",
        "busiest link h0->e0 carries 5 MB, at least 4.04 s",
    ]
    assert "sebf 1 2 1 1 5 MB 4.04 s 2%" in lines


def test_plan_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "e.yml", "--json", "--scheduler", "fifo", "--seed", "40") == 0
    runs = json.loads(capsys.readouterr().out)
    assert [(each["scheduler"], each["seed"], each["flows"], each["bytes"]) for each in runs] == [
        ("fifo", 40, 1, 5_000_000), ("fifo", 41, 1, 5_000_000),
    ]  # fmt: skip


def test_plans_are_written_to_a_folder(folder: Path) -> None:
    assert run("plan", "e.yml", "--out", "plans") == 0
    names = sorted(path.name for path in Path("plans").iterdir())
    assert names == ["000-fair-0", "001-sebf-0", "002-fair-1", "003-sebf-1"]
    assert read_plan(Path("plans/003-sebf-1")).scheduler.name == "sebf"
    assert run("plan", "e.yml", "--out", "one", "--scheduler", "fair", "--set", "repeats=1") == 0
    assert read_plan(Path("one")).experiment == "e"


def test_one_plan_as_one_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "e.yml", "--out", "p.json") == 2
    assert capsys.readouterr().err == (
        "error: --out p.json: 4 plans do not fit into one file; expected a folder, or one scheduler\n"
    )
    assert not Path("p.json").exists()
    assert run("plan", "e.yml", "--out", "p.json", "--scheduler", "fair", "--set", "repeats=1") == 0
    assert json.loads(Path("p.json").read_text())["scheduler"] == {"name": "fair", "parameters": {}}


def test_a_wrong_spec_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "e.yml", "--out", "plans", "--set", "topology.k=5") == 2
    assert capsys.readouterr().err == (
        "error: --set topology.k=5: topology.k: expected an even number, found 5; the nearest are 4 and 6\n"
    )
    assert not Path("plans").exists()
