from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from run_writer import WriteRun

from testbed.analysis import plot_cct, plots
from testbed.analysis.plot_style import PALETTE, looks, styled
from testbed.analysis.plots import FIGURES, Shown, write_plots
from testbed.errors import RecordsError
from testbed.records.run_directory import Run


@pytest.fixture
def both_ways(write_run: WriteRun) -> list[Run]:
    """Two schedulers, emulated and simulated, six coflows of two sizes."""
    runs = []
    for source, stretch in (("emulation", 1.1), ("simulation", 1.0)):
        for scheduler, speed in (("fair", 1.0), ("sebf", 2.0)):
            cct_s = {c: stretch * (3.0 + c) / speed for c in range(1, 7)}
            runs.append(write_run(scheduler, cct_s, source, size={c: 10**6 * (1 + c % 2) for c in cct_s}))
    return runs


def drawn(name: str, runs: list[Run], baseline: str | None = "fair") -> Figure:
    with styled():
        figure = FIGURES[name](Shown(runs, baseline))
        assert isinstance(figure, Figure)
        FigureCanvasAgg(figure).draw()
    return figure


def test_every_figure_is_written_as_png_and_pdf_and_has_content(both_ways: list[Run], tmp_path: Path) -> None:
    paths, omitted = write_plots(both_ways, tmp_path / "plots")
    assert omitted == {}
    assert sorted(path.name for path in paths) == sorted(
        f"{name}.{kind}" for name in FIGURES for kind in ("png", "pdf")
    )
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {path.name for path in paths}
    for path in paths:
        if path.suffix == ".pdf":
            assert path.read_bytes().startswith(b"%PDF")
        else:
            pixels = matplotlib.image.imread(path)[..., :3]
            assert (pixels.min(axis=2) < 0.9).mean() > 0.01  # not blank
            assert len(np.unique(pixels @ [1.0, 256.0, 65536.0])) > 20  # several colours


@pytest.fixture
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CDF alone, where one figure shows as much as all."""
    monkeypatch.setattr(plots, "FIGURES", {"cct-cdf": FIGURES["cct-cdf"]})


@pytest.mark.usefixtures("few_figures")
def test_figures_are_the_same_every_time(both_ways: list[Run], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_plots(both_ways, tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_cdf_has_a_curve_per_scheduler_and_source(both_ways: list[Run]) -> None:
    axes = drawn("cct-cdf", both_ways).axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "coflow completion time (s)"
    assert [line.get_linestyle() for line in axes.lines] == ["-", "-", "--", "--"]
    assert axes.lines[0].get_color() != axes.lines[1].get_color()
    assert axes.lines[0].get_color() == axes.lines[2].get_color()
    np.testing.assert_allclose(axes.lines[3].get_xdata()[1:], [2.0, 2.5, 3.0, 3.5, 4.0, 4.5])


def test_legends_lie_outside_the_axes(both_ways: list[Run]) -> None:
    for name in FIGURES:
        figure = drawn(name, both_ways)
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert all(not box.overlaps(axes.get_window_extent()) for axes in figure.axes), name
            assert box.x0 >= 0, name
            assert box.x1 <= figure.bbox.x1, name


def test_every_axis_of_a_quantity_says_its_unit(both_ways: list[Run]) -> None:
    for name in FIGURES:
        labels = [label for axes in drawn(name, both_ways).axes for label in (axes.get_xlabel(), axes.get_ylabel())]
        unit = "(multiples of the ideal)" if name == "departures" else "(s)"
        assert any(unit in label for label in labels), name


def test_boxes_per_bin_and_scheduler(both_ways: list[Run]) -> None:
    figure = drawn("cct-by-bin", both_ways)
    assert [len(axes.patches) for axes in figure.axes] == [4, 4]  # 2 bins x 2 schedulers in each panel
    ticks = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert ticks == ["short, narrow\n3 coflows", "long, narrow\n3 coflows"]


def test_the_factor_figure_has_a_point_per_coflow(both_ways: list[Run]) -> None:
    left, right = drawn("factor-per-coflow", both_ways).axes
    dots = [line for line in right.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in dots] == [6, 6]
    np.testing.assert_allclose(dots[0].get_ydata(), 2.0)
    assert left.get_xlabel() == "CCT under fair / CCT"


def test_very_many_coflows_are_shown_as_medians_of_tenths(
    both_ways: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot_cct, "MOST_DOTS", 11)
    right = drawn("factor-per-coflow", both_ways).axes[1]
    np.testing.assert_allclose(right.lines[0].get_ydata(), 2.0)
    assert right.get_ylabel() == "CCT under fair / CCT, median"


def test_the_agreement_figure_has_a_point_per_coflow_and_the_ratio(both_ways: list[Run]) -> None:
    left, right = drawn("emulated-vs-simulated", both_ways).axes
    assert [len(line.get_xdata()) for line in left.lines[1:]] == [6, 6]
    np.testing.assert_allclose(right.lines[1].get_ydata(), 1.1)


def test_the_gantt_has_a_bar_per_flow(both_ways: list[Run]) -> None:
    figure = drawn("gantt-emulation", both_ways)
    assert len(figure.axes) == 2
    assert [len(axes.collections[1].get_paths()) for axes in figure.axes] == [6, 6]
    assert figure.axes[0].get_title(loc="left") == "fair (emulation): mean CCT 7.15 s"


def test_the_utilisation_map_has_a_row_per_link(both_ways: list[Run]) -> None:
    figure = drawn("link-utilisation", both_ways)
    mesh = figure.axes[0].collections[0]
    assert mesh.get_array().shape[0] == 16
    assert 0 < mesh.get_array().max() <= 100


def test_what_cannot_be_drawn_is_said(write_run: WriteRun, tmp_path: Path) -> None:
    paths, omitted = write_plots([write_run("fair", {1: 2.0, 2: 3.0})], tmp_path / "plots")
    assert omitted == {
        "factor-per-coflow": "no other scheduler beside fair",
        "emulated-vs-simulated": "no coflow was both emulated and simulated",
        "gantt-emulation": "no emulation",
        "link-utilisation": "the port counters were not sampled",
        "departures": "no departures from a saturated link were noted",
    }
    assert len(paths) == 2 * (len(FIGURES) - 5)


def test_a_run_in_which_nothing_finished_does_not_break_the_plots(write_run: WriteRun, tmp_path: Path) -> None:
    _, omitted = write_plots([write_run("fair", {1: np.nan}), write_run("sebf", {1: np.nan})], tmp_path / "plots")
    assert omitted["cct-cdf"] == "no coflow finished"


def test_experiments_get_a_folder_each(write_run: WriteRun, tmp_path: Path) -> None:
    runs = [write_run("fair", {1: 2.0}, experiment="a"), write_run("fair", {1: 2.0}, experiment="b")]
    paths, omitted = write_plots(runs, tmp_path / "plots")
    assert {path.parent.name for path in paths} == {"a", "b"}
    assert omitted["b/gantt-emulation"] == "no emulation"


def test_schedulers_keep_their_colours_and_differ_even_when_there_are_many() -> None:
    names = [f"s{i}" for i in range(20)]
    look = looks(names, "s3")
    assert len({(one.colour, one.round) for one in look.values()}) == 20
    assert look["s3"].colour not in PALETTE
    first, again = look["s0"], look["s9"]
    assert first.colour == again.colour
    for sources in (["simulation"], ["emulation", "simulation"]):
        assert first.line("simulation", sources, 9) != again.line("simulation", sources, 9)
        assert first.line("simulation", sources, 9) == look["s0"].line("simulation", sources, 9)


def test_a_folder_that_cannot_be_made_is_a_clear_error(write_run: WriteRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError) as error:
        write_plots([write_run("fair", {1: 2.0})], tmp_path / "file")
    assert str(error.value) == f"{tmp_path}/file: plots cannot be written there (File exists)"


@pytest.mark.usefixtures("few_figures")
def test_a_user_s_own_matplotlib_settings_do_not_matter(both_ways: list[Run], tmp_path: Path) -> None:
    import matplotlib

    write_plots(both_ways, tmp_path / "a")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        write_plots(both_ways, tmp_path / "b")
    assert (tmp_path / "a" / "cct-cdf.png").read_bytes() == (tmp_path / "b" / "cct-cdf.png").read_bytes()
