"""The study of unlabelled flows: the shipped experiment, simulated, against the law and the fluid prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from testbed.analysis.plot_style import styled
from testbed.analysis.unlabelled import against_all_labelled, draw_unlabelled, unlabelled_runs
from testbed.display import Display
from testbed.errors import RecordsError
from testbed.records.sweep_folder import SweepFolder
from testbed.runner import run_simulated
from testbed.spec.reader import load_experiment
from testbed.sweep.points import sweep_runs

ROOT = Path(__file__).parents[2]


def simulated(folder: Path, experiment: Path, *overrides: str) -> Path:
    """The folder of a sweep, its runs made one after the other."""
    runs = [each for each in sweep_runs(load_experiment(experiment, overrides)) if each.source == "simulation"]
    for each in runs:
        run_simulated(each.plan(), folder / "runs", Display(Console(quiet=True)), name=each.name)
    listed = [{"run": each.name, "values": each.values} for each in runs]
    SweepFolder(folder).write({"experiment": "unlabelled", "runs": listed})
    return folder


@pytest.fixture(scope="module")
def ratios(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    vary = "vary={workload.unlabelled_class: [top, own, bottom], workload.unlabelled.flows: [0, 1, 5, 9]}"
    folder = simulated(tmp_path_factory.mktemp("study"), ROOT / "experiments/unlabelled.yml", vary)
    return against_all_labelled(unlabelled_runs(folder))


@pytest.mark.parametrize("kind", ["top", "own"])
def test_residence_in_the_first_queue_follows_the_law(ratios: pd.DataFrame, kind: str) -> None:
    part = ratios[ratios["class"] == kind]
    assert part["law"].tolist() == [1, 10 / 9, 2, 10]
    np.testing.assert_allclose(part["residence"], part["law"], rtol=1e-6)


def test_flows_in_the_lowest_class_change_nothing(ratios: pd.DataFrame) -> None:
    part = ratios[ratios["class"] == "bottom"]
    np.testing.assert_allclose(part[["residence", "others"]], 1.0, rtol=1e-6)


def test_what_the_small_coflow_pays_grows_with_residence_and_is_less(ratios: pd.DataFrame) -> None:
    for kind, five, nine in (("top", 1.85, 7.41), ("own", 1.68, 7.10)):
        part = ratios[ratios["class"] == kind].set_index("unlabelled")
        assert part["others"].loc[[5, 9]].round(2).tolist() == [five, nine]
        assert (part["others"].loc[1:] < part["law"].loc[1:]).all()


def test_the_figure_shows_the_law_and_a_line_per_class(ratios: pd.DataFrame) -> None:
    with styled():
        figure = draw_unlabelled(ratios)
    left, right = figure.axes
    assert [len(left.lines), len(right.lines)] == [4, 3]
    assert left.lines[0].get_ydata().tolist() == [1, 10 / 9, 2, 10]  # type: ignore[union-attr]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["law M / (M - m)", "class top", "class own", "class bottom", "simulation"]


def test_a_sweep_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "e.yml").write_text(
        "topology: {kind: fat-tree, k: 4}\n"
        "workload: {kind: synthetic, coflows: 5, max_width: 3, unlabelled: {share: 0.5}}\n"
        "schedulers: [fair]\nbackends: simulation\nvary: {workload.load: [0.5]}\n"
    )
    folder = simulated(tmp_path / "s", tmp_path / "e.yml")
    with pytest.raises(RecordsError, match=r"its workload has no `unlabelled: \{coflow: ID, flows: N\}`"):
        unlabelled_runs(folder)
