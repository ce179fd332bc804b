"""The page as text: complete, self-contained, and safe whatever the names in it are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import vl_convert
from decided_run import decided_run
from run_factory import F, finish_at, gammas_of, make_plan
from run_writer import WriteRun

from testbed.analysis.page.page import page, write_page
from testbed.analysis.page.run_charts import run_charts
from testbed.analysis.page.run_detail import run_detail
from testbed.analysis.report import summarize
from testbed.errors import RecordsError
from testbed.records.run_directory import Run, create, read_run


def written(*runs: Run) -> str:
    return page(runs, summarize(runs))


def data_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    document: dict[str, Any] = json.loads(found[1])
    return document


def test_the_page_is_one_file_with_all_its_parts(write_run: WriteRun, tmp_path: Path) -> None:
    runs = [write_run("fair", {1: 2.0, 2: 6.0}), write_run("sebf", {1: 1.0, 2: 4.0}),
            write_run("sebf", {1: 1.1, 2: 4.1}, source="emulation")]  # fmt: skip
    path = write_page(runs, summarize(runs), tmp_path / "deep" / "folder")
    text = path.read_text()
    assert path.name == "report.html"
    assert len(text) < 2_000_000
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert list(data_of(text)["charts"]) == [
        "cct-cdf-0", "cct-by-bin-emulation-0", "cct-by-bin-simulation-0", "factor-per-coflow-0",
        "departures-0", "emulated-vs-simulated-0",
    ]  # fmt: skip
    assert (
        text.index('id="verdict"') < text.index('id="summary"') < text.index('id="checks"') < text.index('id="specs"')
    )
    assert "fat-tree" not in text.split("</header>")[0]
    assert "leaf-spine; by hand. 3 runs" in text


def test_names_are_never_markup(tmp_path: Path) -> None:
    name = "</script><img src=x onerror=alert(1)>"
    text = written(decided_run(tmp_path, experiment=name))
    assert "<img src=x" not in text
    assert "&lt;/script&gt;&lt;img src=x" in text
    assert data_of(text)["runs"][0]["experiment"] == name


def test_several_experiments_share_a_page(write_run: WriteRun) -> None:
    text = written(write_run("fair", {1: 2.0}, experiment="a"), write_run("fair", {1: 3.0}, experiment="b"))
    assert list(data_of(text)["charts"]) == [
        "cct-cdf-0", "cct-by-bin-simulation-0", "cct-cdf-1", "cct-by-bin-simulation-1"
    ]  # fmt: skip
    assert [run["experiment"] for run in data_of(text)["runs"]] == ["a", "b"]


def test_an_experiment_without_the_baseline_is_shown_beside_one_with_it(write_run: WriteRun) -> None:
    runs = [write_run("fair", {1: 2.0}, experiment="a"), write_run("sebf", {1: 1.0}, experiment="a"),
            write_run("sebf", {1: 1.0}, experiment="b")]  # fmt: skip
    data = data_of(written(*runs))
    assert "factor-per-coflow-0" in data["charts"]
    assert "factor-per-coflow-1" not in data["charts"]
    assert [(run["experiment"], run["label"]) for run in data["runs"]] == [
        ("a", "fair, simulated"), ("a", "sebf, simulated"), ("b", "sebf, simulated")
    ]  # fmt: skip


def test_every_chart_compiles_and_draws_its_data(write_run: WriteRun) -> None:
    runs = [write_run(name, {1: cct, 2: 3 * cct}, source=source)
            for name, cct in (("fair", 2.0), ("sebf", 1.0)) for source in ("emulation", "simulation")]  # fmt: skip
    for name, spec in data_of(written(*runs))["charts"].items():
        shown = [{"name": "schedulers", "value": ["sebf"]}, {"name": "sources", "value": ["emulation", "simulation"]}]
        everything = vl_convert.vegalite_to_svg({**spec, "width": 400, "params": shown})
        shown[0]["value"] = []
        nothing = vl_convert.vegalite_to_svg({**spec, "width": 400, "params": shown})
        assert len(everything) > len(nothing) + 500, name


def test_charts_of_a_run_take_its_rows() -> None:
    rows = {
        "coflows": {"coflow": 1, "row": 0, "row_end": 0.85, "arrival_s": 0.0, "end_s": 2.0},
        "gantt": {"label": "h0 → h1", "planned_start_s": 0.0, "start_s": 0.5, "start_or_end_s": 0.5, "end_s": 2.0},
        "links": {"link": "h0->e0", "row": 0, "row_end": 1, "from_s": 0.0, "to_s": 1.0, "percent": 50},
        "layers": {"layer": "host→edge", "at_s": 0.0, "percent": 50},
        "classes": {"at_s": 0.0, "class": 0, "flows": 2},
        "decisions": {"at_s": 0.0, "ms": 0.5, "active_flows": 2, "reason": "arrival"},
    }
    assert set(rows) == set(run_charts())
    for name, spec in run_charts().items():
        svg = vl_convert.vegalite_to_svg({**spec, "width": 400, "data": {"name": "rows", "values": [rows[name]]}})
        assert "aria-roledescription" in svg, name


def test_the_detail_of_a_run_is_its_records(tmp_path: Path) -> None:
    detail = run_detail(decided_run(tmp_path), most_flows=100)
    assert detail["label"] == "sebf, emulated"
    assert (detail["coflows"]["coflow"], detail["coflows"]["cct_s"]) == ([1, 2], [2.0, 4.0])
    assert (detail["flows"]["from"], detail["flows"]["finish_s"], detail["flows"]["left_out"]) == (
        [0, 1],
        [2.0, 4.0],
        0,
    )
    assert detail["classes"] == {"at_s": [0.0, 2.0], "classes": [0, 3], "flows": [[1, 1], [0, 1]]}
    assert detail["decisions"]["ms"] == [1.0, 2.0, 3.0]
    links = detail["links"]
    assert len(links["names"]) == len(links["percent"]) == len(links["layers"]) > 0
    assert all(len(row) == len(links["edges_s"]) - 1 for row in links["percent"])


def test_of_very_many_flows_the_heaviest_coflows_keep_theirs(tmp_path: Path) -> None:
    flows = run_detail(decided_run(tmp_path), most_flows=1)["flows"]
    assert (flows["coflow"], flows["left_out"]) == ([2], 1)


def test_a_coflow_too_wide_for_the_page_leaves_room_for_others(tmp_path: Path) -> None:
    wide = [F(1, 0, 1, 9_000_000), F(1, 0, 2, 9_000_000), F(2, 1, 2, 1_000_000)]
    plan = make_plan(wide, {1: 0.0, 2: 0.0})
    directory = create(tmp_path, plan, "simulation")
    directory.write_outcome(finish_at(plan, {1: 20.0, 2: 2.0}, "simulation"), gammas_of(plan))
    flows = run_detail(read_run(directory.path), most_flows=1)["flows"]
    assert (flows["coflow"], flows["left_out"]) == ([2], 1)


def test_a_folder_that_cannot_be_made_is_a_clear_error(write_run: WriteRun, tmp_path: Path) -> None:
    runs = [write_run("fair", {1: 2.0})]
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError) as failed:
        write_page(runs, summarize(runs), tmp_path / "file" / "below")
    assert str(failed.value) == f"{tmp_path}/file/below: the report cannot be written there (Not a directory)"
