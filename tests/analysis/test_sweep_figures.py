"""The table of a sweep and what its figures show, from runs written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_factory import F, finish_at, gammas_of, make_plan

from testbed.analysis.plot_style import looks, styled
from testbed.analysis.plot_sweep import draw_sweep, write_sweep_plots
from testbed.analysis.sweep_data import mean_cct, numeric_fields
from testbed.analysis.sweep_table import SweepTable, sweep_table
from testbed.errors import RecordsError
from testbed.records.run_directory import create
from testbed.records.sweep_folder import SweepFolder


def write_sweep(path: Path, runs: list[tuple[dict[str, Any], str, int, float]]) -> None:
    """A sweep's folder; each run: values, scheduler, repeat, CCT of its two coflows (the second's is thrice that)."""
    listed = []
    for number, (values, scheduler, repeat, cct_s) in enumerate(runs):
        plan = make_plan([F(1, 0, 1, 10), F(2, 1, 2, 10)], {1: 0.0, 2: 0.0}, scheduler=scheduler, repeat=repeat)
        name = f"run-{number}"
        directory = create(path / "runs", plan, "simulation", name=name)
        directory.write_outcome(finish_at(plan, {1: cct_s, 2: 3 * cct_s}, "simulation"), gammas_of(plan))
        listed.append({"run": name, "values": values})
    SweepFolder(path).write({"experiment": "by-hand", "runs": listed})


def table_of(values: dict[str, list[Any]], **others: list[Any]) -> SweepTable:
    rows = len(next(iter(values.values())))
    columns = {"scheduler": ["fair"] * rows, "source": ["simulation"] * rows, "coflows": [2] * rows, **others}
    columns.setdefault("mean_s", [1.0] * rows)
    return SweepTable(pd.DataFrame({**values, **columns}), "e", tuple(values), ())


def test_a_row_per_finished_run_in_the_order_of_the_list(tmp_path: Path) -> None:
    write_sweep(tmp_path, [({"m": m, "scheduler": s}, s, r, 1.0 + m + r) for m in (0, 5) for s in ("sebf", "fair")
                           for r in (0, 1)])  # fmt: skip
    (tmp_path / "runs/run-2/manifest.json").write_text('{"status": "started"}')
    table = sweep_table(tmp_path)
    assert (table.varied, table.missing) == (("m",), ("run-2",))
    assert list(table.frame)[:5] == ["m", "scheduler", "source", "repeat", "seed"]
    assert table.frame["run"].tolist() == [f"run-{i}" for i in (0, 1, 3, 4, 5, 6, 7)]
    assert table.frame["mean_s"].tolist() == [2, 4, 4, 12, 14, 12, 14]
    assert table.frame["median_s"].tolist() == table.frame["mean_s"].tolist()
    assert table.frame["p95_s"].iloc[0] == pytest.approx(1 + 0.95 * 2)


def test_texts_with_commas_survive_the_files(tmp_path: Path) -> None:
    write_sweep(tmp_path, [({"m": '{"share":1,"seed":2}'}, "fair", 0, 1.0), ({"m": None}, "fair", 0, 2.0)])
    table = sweep_table(tmp_path)
    table.write(tmp_path)
    read = pd.read_csv(tmp_path / "table.csv")
    assert read["m"].tolist()[0] == '{"share":1,"seed":2}'
    assert pd.isna(read["m"].tolist()[1])
    assert read["mean_s"].tolist() == [2.0, 4.0]


def test_a_folder_without_a_sweep_or_without_finished_runs(tmp_path: Path) -> None:
    with pytest.raises(RecordsError) as error:
        sweep_table(tmp_path)
    assert str(error.value) == f"{tmp_path}: not the folder of a sweep: it has no sweep.json"
    SweepFolder(tmp_path).write({"experiment": "e", "runs": [{"run": "x", "values": {}}]})
    with pytest.raises(RecordsError) as error:
        sweep_table(tmp_path)
    assert str(error.value) == f"{tmp_path}: no run of this sweep is finished"


def test_a_run_that_broke_off_with_records_is_not_finished(tmp_path: Path) -> None:
    write_sweep(tmp_path, [({"m": 1}, "fair", 0, 1.0)])
    folder = SweepFolder(tmp_path)
    assert folder.is_finished("run-0")
    facts = tmp_path / "runs/run-0/facts.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "error": "an actor died"}))
    assert not folder.is_finished("run-0")
    folder.clear("run-0")
    assert not (tmp_path / "runs/run-0").exists()


def test_numbers_and_quantities_are_numeric_and_words_are_not() -> None:
    fields = numeric_fields(table_of({
        "load": [0.3, 0.5], "rate": ["500 kbit/s", "2 Mbit/s"], "size": ["1 KB", "1 MB"], "time": ["5 ms", "1 s"],
        "class": ["top", "own"], "mixed": [1, "1 MB"], "flag": [True, False], "same": [1, 1],
    }))  # fmt: skip
    assert {name: (unit, values.tolist()) for name, (unit, values) in fields.items()} == {
        "load": ("", [0.3, 0.5]),
        "rate": ("bit/s", [5e5, 2e6]),
        "size": ("B", [1e3, 1e6]),
        "time": ("s", [0.005, 1.0]),
    }


def test_mean_over_coflows_with_an_interval_over_runs_where_there_are_several() -> None:
    table = table_of(
        {"m": [2, 1, 1, 1]},
        mean_s=[9.0, 1.0, 2.0, 4.0],
        coflows=[1, 2, 2, 4],
    )
    ((line,),) = [panel.lines for panel in mean_cct(table)[0].panels]
    assert line.at.tolist() == [1, 2]
    assert line.mean_s.tolist() == [22 / 8, 9.0]
    assert 1.0 <= line.low_s[0] < 22 / 8 < line.high_s[0] <= 4.0
    assert np.isnan([line.low_s[1], line.high_s[1]]).all()


def test_a_panel_for_each_combination_of_the_other_fields() -> None:
    table = table_of({"w.m": [0, 1, 0, 1], "w.class": ["top", "top", "own", "own"]}, scheduler=["a", "b", "a", "a"])
    (sweep,) = mean_cct(table)
    assert [(panel.title, [line.scheduler for line in panel.lines]) for panel in sweep.panels] == [
        ("class = top", ["a", "b"]),
        ("class = own", ["a"]),
    ]


def test_the_figure_has_lines_axes_and_a_legend(tmp_path: Path) -> None:
    table = table_of(
        {"w.size": ["1 KB", "1 MB"] * 4, "w.class": ["top"] * 4 + ["own"] * 4},
        scheduler=["fair", "fair", "sebf", "sebf"] * 2,
        mean_s=[1.0, 90.0, 2.0, 3.0] * 2,
    )
    (sweep,) = mean_cct(table)
    with styled():
        figure = draw_sweep(sweep, looks(["fair", "sebf"], "fair"))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "class = top",
        "class = own",
    ]
    assert [line.get_ydata().tolist() for line in figure.axes[0].lines] == [[1.0, 90.0], [2.0, 3.0]]  # type: ignore[union-attr]
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("log", "log")
    assert figure.axes[1].get_xlabel() == "w.size"
    assert figure.axes[0].get_ylabel() == "mean CCT (s), simulation"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fair", "sebf"]
    files = write_sweep_plots(table, tmp_path / "plots")
    assert [file.name for file in files] == ["mean-cct-by-w-size.png", "mean-cct-by-w-size.pdf"]
    assert all(file.stat().st_size > 5000 for file in files)


def test_nothing_numeric_gives_no_figure(tmp_path: Path) -> None:
    assert write_sweep_plots(table_of({"class": ["top", "own"]}), tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()
