from __future__ import annotations

import csv
import errno
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from run_factory import F, finish_at, gammas_of, make_plan, port_samples, stop, tiny_plan, with_flows

from testbed.coflow import ENDLESS, NONE
from testbed.errors import RecordsError
from testbed.outcome import Decision, Outcome
from testbed.plan import Plan, SchedulerSetting
from testbed.records import files
from testbed.records.decision_log import read_decisions
from testbed.records.finding import find_runs, read_runs
from testbed.records.run_directory import Run, create, read_run, run_name
from testbed.records.schema import COFLOWS, FLOWS

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "records.md"
COFLOW_COLUMNS = ["source", "scheduler", "repeat", "coflow", "arrival_s", "finish_s", "cct_s", "flows", "bytes",
                  "gamma_s", "deadline_s", "met", "delivered", "admitted"]  # fmt: skip
FLOW_COLUMNS = ["source", "scheduler", "repeat", "coflow", "label", "flow", "from", "to", "bytes", "planned_start_s",
                "start_s", "first_byte_s", "finish_s", "fct_s", "sent_bytes", "received_bytes", "retransmits", "rtt_s",
                "path", "reason"]  # fmt: skip


def written(results: Path, plan: Plan, outcome: Outcome) -> Path:
    run = create(results, plan, outcome.source)
    run.write_outcome(outcome, gammas_of(plan))
    return run.path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_csv_files_hold_exactly_the_columns_of_the_contract(tmp_path: Path) -> None:
    plan = tiny_plan()
    path = written(tmp_path, plan, finish_at(plan, {5: 2.0, 9: 8.0}))
    assert (path / "coflows.csv").read_text().splitlines() == [
        ",".join(COFLOW_COLUMNS),
        "emulation,fair,0,5,0,2,2,1,1000000,1,,,1,true",
        "emulation,fair,0,9,1,9,8,2,8000000,6,,,1,true",
    ]
    assert (path / "flows.csv").read_text().splitlines() == [
        ",".join(FLOW_COLUMNS),
        "emulation,fair,0,5,5,0,0,1,1000000,0,0.0009765625,0.0029296875,2,2,1000000,1000000,0,0.004,h0->l0->h1,",
        "emulation,fair,0,9,9,1,0,2,2000000,1,1.0009765625,1.0029296875,9,8,2000000,2000000,0,0.004,"
        "h0->l0->s1->l1->h2,",
        "emulation,fair,0,9,9,2,1,3,6000000,1,1.0009765625,1.0029296875,9,8,6000000,6000000,0,0.004,"
        "h1->l0->s0->l1->h3,",
    ]


def test_every_column_is_documented() -> None:
    text = DOCUMENTATION.read_text()
    for column in (*COFLOWS, *FLOWS):
        assert f"| `{column.name}` | {column.meaning} |" in text


def test_a_flow_that_did_not_finish_stays_with_an_empty_finish_and_a_reason(tmp_path: Path) -> None:
    plan = tiny_plan()
    outcome = finish_at(plan, {5: 2.0, 9: 8.0})
    stop(outcome, 2, "interrupted", 3_000_000)
    path = written(tmp_path, plan, outcome)
    flow = rows_of(path / "flows.csv")[2]
    assert (flow["finish_s"], flow["fct_s"], flow["reason"], flow["received_bytes"]) == (
        "", "", "interrupted", "3000000")  # fmt: skip
    coflow = rows_of(path / "coflows.csv")[1]
    assert (coflow["finish_s"], coflow["cct_s"], coflow["delivered"]) == ("", "", "0.625")
    run = read_run(path)
    assert len(run.flows) == 3
    assert run.flows["reason"].isna().tolist() == [True, True, False]


def test_deadlines_background_and_rejected_coflows(tmp_path: Path) -> None:
    flows = [F(1, 0, 1, 1000), F(2, 0, 1, 1000), F(3, 0, 1, 1000), F(NONE, 2, 3, 500, start_s=0.0), F(3, 1, 2, 0)]
    plan = make_plan(flows, {1: 0.0, 2: 0.0, 3: 0.0}, deadline_s={1: 2.0, 2: 0.5, 3: 9.0})
    plan = with_flows(plan, bytes=np.array([1000, 1000, 1000, ENDLESS, 0]))
    outcome = finish_at(plan, {1: 1.0, 2: 1.0, 3: 1.0, NONE: 1.0})
    stop(outcome, 2, "rejected", 0)
    stop(outcome, 3, "cut", 700)
    outcome.coflow_admitted[2] = False
    run = read_run(written(tmp_path, plan, outcome))
    assert run.coflows["met"].tolist() == [True, False, False]
    assert run.coflows["admitted"].tolist() == [True, True, False]
    assert run.coflows["delivered"].tolist() == [1.0, 1.0, 0.0]
    assert run.coflows["flows"].tolist() == [1, 1, 2]
    background = run.flows.iloc[3]
    assert background[["coflow", "label", "bytes"]].isna().all()
    assert background["received_bytes"] == 700


def test_a_coflow_that_starts_after_others_counts_from_the_arrival_that_came_true(tmp_path: Path) -> None:
    plan = tiny_plan()
    outcome = finish_at(plan, {5: 2.0, 9: 8.0})
    outcome.coflow_arrival_s[1] = 4.0
    assert read_run(written(tmp_path, plan, outcome)).coflows["cct_s"].tolist() == [2.0, 5.0]


def decision(
    at_s: float, reason: str, coflows: list[int], flows: list[int], caps: list[float], queue: list[int], took_s: float
) -> Decision:
    def per_coflow(value: float) -> np.ndarray[Any, Any]:
        return np.full(len(coflows), value)

    return Decision(
        at_s, reason, np.array(coflows), np.array(flows), np.array(caps), np.array(queue), took_s,
        received=np.arange(len(flows)) / 3, coflow_received=per_coflow(7.5), coflow_width=np.array(coflows),
        coflow_arrival_s=per_coflow(np.nan), ask_at_received=per_coflow(np.inf), ask_again_s=at_s or np.inf,
        queue_weight=np.empty(0), reject=np.array(coflows[1:], dtype=np.int64), cut=np.empty(0, dtype=np.int64),
    )  # fmt: skip


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    plan = tiny_plan(scheduler="sebf", repeat=3)
    outcome = finish_at(plan, {5: 2.0, 9: 8.0}, "simulation")
    outcome.samples["ports"] = port_samples(plan, outcome)
    outcome.facts = {"events": 7, "allowed_s": np.array([0.0, np.nan]), "timings": {"bring-up": 1.5}}
    outcome.decisions = [
        decision(0.0, "arrival", [5], [0], [np.inf], [0], np.nan),
        decision(1.0, "arrival+tick", [9, 5], [1, 2, 0], [1.0, 0.0, 5e5], [0, 0, 1], 0.002),
    ]
    path = written(tmp_path, plan, outcome)
    run = read_run(path)
    assert (run.source, run.scheduler, run.repeat, run.seed, run.experiment, run.name) == (
        "simulation", "sebf", 3, 1, "tiny", path.name)  # fmt: skip
    assert (run.plan.scheduler, run.plan.fabric) == (plan.scheduler, plan.fabric)
    np.testing.assert_array_equal(run.plan.flows.path_links, plan.flows.path_links)
    np.testing.assert_array_equal(run.flows["finish_s"], outcome.finish_s)
    assert run.flows["coflow"].dtype == pd.Int64Dtype()
    assert run.flows["sent_bytes"].dtype == np.int64
    pd.testing.assert_frame_equal(run.samples["ports"], outcome.samples["ports"])
    assert run.facts == {"events": 7, "allowed_s": [0.0, None], "timings": {"bring-up": 1.5}}
    assert run.decisions["active_flows"].tolist() == [1, 3]
    assert run.decisions["cap_Bps"][0].tolist() == [np.inf]
    assert run.decisions["flows"][1].tolist() == [1, 2, 0]
    assert run.decisions["reason"].tolist() == ["arrival", "arrival+tick"]
    assert np.isnan(run.decisions["latency_s"][0])
    back = list(read_decisions(files.read_parquet(path / "decisions.parquet"), "decisions"))
    for mine, other in zip(outcome.decisions, back, strict=True):
        for name, value in vars(mine).items():
            np.testing.assert_array_equal(value, getattr(other, name))
    assert run.fidelity.verdict == "valid"


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    plan = tiny_plan()
    path = written(tmp_path, plan, finish_at(plan, {5: 2.0, 9: 8.0}))
    for name in ("flows", "coflows"):
        table = pyarrow.parquet.read_table(path / f"{name}.parquet").to_pandas()
        text = pd.read_csv(path / f"{name}.csv")
        assert list(table.columns) == list(text.columns)
        for column in table.columns:
            assert table[column].astype(object).where(table[column].notna(), None).tolist() == (
                text[column].astype(object).where(text[column].notna(), None).tolist()
            )


def test_a_title_with_commas_is_quoted_in_csv_and_plain_in_the_name(tmp_path: Path) -> None:
    plan = replace(tiny_plan(), scheduler=SchedulerSetting("dclas", {"queues": 4, "factor": 2.0}))
    path = written(tmp_path, plan, finish_at(plan, {5: 2.0, 9: 8.0}))
    assert rows_of(path / "flows.csv")[0]["scheduler"] == "dclas(queues=4, factor=2)"
    assert re.fullmatch(r"\d{8}-\d{6}-tiny-dclas-queues=4-factor=2-0", path.name)


def test_names_of_runs_in_one_second_differ_and_simulation_is_told_apart(tmp_path: Path) -> None:
    plan = tiny_plan()
    paths = [create(tmp_path, plan, "simulation").path for _ in range(5)]
    assert len(set(paths)) == 5
    assert all(path.name.endswith("tiny-fair-0-sim") for path in paths)
    assert run_name(replace(plan, experiment="../weird name"), "emulation") == "weird-name-fair-0"


def test_plan_and_manifest_are_there_before_anything_starts(tmp_path: Path) -> None:
    run = create(tmp_path, tiny_plan(), "emulation", arguments=["run", "x.yml"], capabilities={"netem": False})
    assert sorted(path.name for path in run.path.iterdir()) == ["manifest.json", "plan.json"]
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest["status"] == "started"
    assert manifest["arguments"] == ["run", "x.yml"]
    assert manifest["capabilities"] == {"netem": False}
    assert manifest["software"]["packages"]["numpy"] == np.__version__
    assert manifest["machine"]["cores"] >= 1
    assert manifest["machine"]["memory_bytes"] > 0
    assert manifest["sysctls"]["net.ipv4.tcp_congestion_control"]
    assert manifest["seed"] == 1
    assert run.logs.is_dir()


def test_a_run_that_was_interrupted_is_left_out_of_its_folder_but_an_error_when_named(tmp_path: Path) -> None:
    plan = tiny_plan()
    unfinished = create(tmp_path, plan, "emulation").path
    with pytest.raises(RecordsError) as error:
        read_runs([unfinished])
    assert str(error.value) == f"{unfinished}: incomplete: the run was interrupted before its records were written"
    with pytest.raises(RecordsError) as error:
        read_runs([tmp_path])
    assert str(error.value) == (
        "no complete run among the directories:\n"
        f"{unfinished}: incomplete: the run was interrupted before its records were written"
    )
    complete = written(tmp_path / "sweep" / "0", plan, finish_at(plan, {5: 2.0, 9: 8.0}))
    runs, left_out = read_runs([tmp_path])
    assert [run.path for run in runs] == [complete]
    assert left_out == [f"{unfinished}: incomplete: the run was interrupted before its records were written"]


def test_a_run_is_found_once_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = tiny_plan()
    path = written(tmp_path, plan, finish_at(plan, {5: 2.0, 9: 8.0}))
    monkeypatch.chdir(tmp_path)
    assert find_runs([tmp_path, path, Path(path.name), Path()]) == [path]


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ("flows.parquet", "{path}: incomplete: flows.parquet is missing"),
        ("plan.json", "{path}: incomplete: plan.json is missing"),
        ("coflows.parquet", "{path}/coflows.parquet: no such file; expected a complete run directory"),
        ("fidelity.json", "{path}/fidelity.json: cannot be read (No such file or directory); expected a complete run "
         "directory"),
        ("manifest.json", "{path}: not a run directory: it has no manifest.json"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(tmp_path: Path, remove: str, message: str) -> None:
    plan = tiny_plan()
    path = written(tmp_path, plan, finish_at(plan, {5: 2.0, 9: 8.0}))
    (path / remove).unlink()
    with pytest.raises(RecordsError) as error:
        read_run(path)
    assert str(error.value) == message.format(path=path)


def test_wrong_paths_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(RecordsError) as error:
        read_run(tmp_path / "none")
    assert str(error.value) == (
        f"{tmp_path}/none: no such directory; expected a run directory, results/<time>-<experiment>-..."
    )
    with pytest.raises(RecordsError) as error:
        find_runs([tmp_path])
    assert str(error.value) == f"{tmp_path}: neither a run directory nor a folder of them (no manifest.json in it)"
    with pytest.raises(RecordsError) as error:
        find_runs([tmp_path / "none"])
    assert str(error.value) == f"{tmp_path}/none: no such directory; expected a run directory or a folder of them"
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError) as error:
        create(tmp_path / "file", tiny_plan(), "emulation")
    assert str(error.value) == f"{tmp_path}/file: no run directory can be made there (File exists)"
    with pytest.raises(RecordsError) as error:
        create(tmp_path, tiny_plan(), "dream")
    assert str(error.value) == "unknown source 'dream' of a run; known: emulation, simulation"


def test_records_of_another_version_are_refused(tmp_path: Path) -> None:
    plan = tiny_plan()
    path = written(tmp_path, plan, finish_at(plan, {5: 2.0, 9: 8.0}))
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(RecordsError) as error:
        read_run(path)
    assert str(error.value) == f"{path}/manifest.json: format 99, expected 1: written by another version"
    (path / "manifest.json").write_text("{")
    with pytest.raises(RecordsError, match=r"manifest\.json: not readable as JSON"):
        read_run(path)
    shutil.copy(path / "flows.csv", path / "coflows.parquet")
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RecordsError, match=r"coflows\.parquet: not readable as Parquet \("):
        read_run(path)


def test_an_outcome_that_does_not_fit_the_plan_is_refused(tmp_path: Path) -> None:
    plan = tiny_plan()
    outcome = finish_at(plan, {5: 2.0, 9: 8.0})
    run = create(tmp_path, plan, "simulation")
    with pytest.raises(RecordsError) as error:
        run.write_outcome(outcome, gammas_of(plan))
    assert str(error.value) == f"{run.path}: made for simulation, the outcome is from emulation"
    run = create(tmp_path, plan, "emulation")
    with pytest.raises(RecordsError) as error:
        run.write_outcome(replace(outcome, reason=[""]), gammas_of(plan))
    assert str(error.value) == "outcome.reason: 1 rows, expected 3: one for each flow planned"
    with pytest.raises(RecordsError) as error:
        run.write_outcome(outcome, np.zeros(9))
    assert str(error.value) == "outcome.gammas: 9 rows, expected 2: one for each coflow planned"


@pytest.mark.parametrize("broken", ["flows.parquet", "coflows.csv", "decisions.parquet", "facts.json", "fidelity.json"])
def test_a_crash_while_writing_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    plan = tiny_plan()
    run = create(tmp_path, plan, "emulation")
    replacing = files.os.replace

    def replace_or_crash(source: Path, target: Path) -> None:
        if Path(target).name == broken:
            raise KeyboardInterrupt
        replacing(source, target)

    monkeypatch.setattr(files.os, "replace", replace_or_crash)
    with pytest.raises(KeyboardInterrupt):
        run.write_outcome(finish_at(plan, {5: 2.0, 9: 8.0}), gammas_of(plan))
    monkeypatch.undo()
    names = {path.name for path in run.path.iterdir()}
    assert broken not in names
    assert not {name for name in names if name.endswith(".tmp")}
    with pytest.raises(RecordsError, match="incomplete"):
        read_run(run.path)


def test_a_full_disk_is_a_clear_error_and_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(RecordsError) as error:
        files.write_json(tmp_path / "x.json", {"a": 1})
    assert str(error.value) == (
        f"{tmp_path}/x.json: cannot be written (No space left on device); expected room and permission there"
    )
    assert list(tmp_path.iterdir()) == []


def test_many_flows_keep_their_paths(tmp_path: Path) -> None:
    flows = [F(1, i % 4, (i + 1 + i // 7 % 3) % 4, 1000 + i) for i in range(3000)]
    plan = make_plan(flows, {1: 0.0})
    run: Run = read_run(written(tmp_path, plan, finish_at(plan, {1: 40.0})))
    links = plan.fabric.links
    for flow in range(0, 3000, 97):
        path = plan.flows.path(flow)
        expected = "->".join([links[path[0]].source, *(links[link].target for link in path)])
        assert run.flows["path"][flow] == expected
